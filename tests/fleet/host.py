# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A booted host: Debian with systemd as its first process, on a tree that is its own and gone afterwards."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import tempfile
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from . import leftovers
from .errors import FleetError
from .image import ensure_image
from .network import Network
from .progress import say

KEEPER = Path(__file__).with_name("keeper.sh")
NSPAWN = [
    "env",
    "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1",
    "systemd-nspawn",
    "--boot",
    "--register=no",
    "--keep-unit",
    "--link-journal=no",
    "--resolv-conf=off",
    "--timezone=off",
    "--console=pipe",
    "--setenv=SYSTEMD_COLORS=0",
]
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "SYSTEMD_COLORS": "0",
    "SYSTEMD_PAGER": "",
}
BOOT_TIMEOUT = 60.0
HALT_TIMEOUT = 10.0
RTMIN_POWEROFF = 4  # systemd(1): SIGRTMIN+4 powers off


@dataclass(frozen=True)
class Bind:
    """A file or folder of this machine that the host sees at ``target``."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Host:
    """A host that runs.

    ``leader`` is its first process as this machine counts; ``failed_units`` what did not come up;
    ``group`` its control group.
    """

    name: str
    release: str
    leader: int
    group: Path
    boot_seconds: float
    failed_units: tuple[str, ...]

    def run(
        self,
        command: t.Sequence[str],
        check: bool = True,
        input: str | None = None,  # noqa: A002 (as subprocess.run has it)
        timeout: float | None = 60.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as root on the host; the environment is the host's, not that of the test.

        Raises FleetError if it fails (with ``check``) or takes more than ``timeout`` seconds, which ends it.
        """
        with subprocess.Popen(
            inside(self.leader, self.group, command),
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        ) as process:
            try:
                output, errors = process.communicate(input, timeout)
            except BaseException as exc:
                # nsenter waits for the command in the host's own namespace: both go.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                if isinstance(exc, subprocess.TimeoutExpired):
                    raise FleetError(f"{' '.join(command)}: not done after {timeout} s on {self.name}") from None
                raise
        if check and process.returncode != 0:
            text = (output + errors).strip()[-4000:]
            raise FleetError(f"{' '.join(command)}: code {process.returncode} on {self.name}:\n{text}")
        return subprocess.CompletedProcess(list(command), process.returncode, output, errors)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Put a file of root on the host, with the folders above it."""
        self.run(["install", "-D", "-m", f"{mode:04o}", "/dev/stdin", path], input=text)

    def read(self, path: str) -> str:
        """The text of a file of the host."""
        return self.run(["cat", "--", path]).stdout

    def reboot(self, up_with: str = "") -> Host:
        """Boot it again, on the same tree and network; the host as it is then, for it has a new ``leader``.

        up_with: the unit that says that it is up; "" is all of them, where none has to wait for something else.
        Raises FleetError when it does not come up.
        """
        start = time.monotonic()
        deadline = start + BOOT_TIMEOUT

        def wait() -> None:
            if time.monotonic() > deadline:
                raise FleetError(f"{self.name} had not booted again after {BOOT_TIMEOUT:.0f} s")
            time.sleep(0.02)

        self.run(["systemctl", "reboot", "--no-block"])
        leader = _leader(self.group, wait, but=self.leader)
        if up_with:
            probe = Host("", "", leader, self.group, 0, ())
            while not _active(probe, up_with):
                wait()
        failed = () if up_with else _booted(leader, self.group, wait, deadline)
        return dataclasses.replace(self, leader=leader, failed_units=failed, boot_seconds=time.monotonic() - start)


@contextlib.contextmanager
def booted(
    release: str = "trixie",
    binds: t.Sequence[Bind] = (),
    network: Network | None = None,
    hostname: str = "",
    tree: Path | None = None,
    disk: Path | None = None,
) -> t.Iterator[Host]:
    """A host that has booted; it is shut down when the block ends, however it ends.

    Without a ``network`` it is on the machine's own. ``hostname``: what it calls itself, if not by the name that it
    has here. ``tree``: what it boots, if not that of the release; it is only read. ``disk``: a file with an empty file
    system, for what it writes; without one that is kept in memory. Raises FleetError when it does not
    come up. Units that failed to start are no error, but said.
    """
    image = tree or ensure_image(release)
    leftovers.clear_orphans()
    name = leftovers.new_name()
    group, folder = leftovers.control_group(name), leftovers.folder(name)
    try:
        folder.mkdir(parents=True)
        group.mkdir()
        if not (group / "cgroup.kill").exists():
            raise FleetError("hosts need Linux 5.14 or newer (cgroup.kill)")
        options = [f"--directory={folder / 'root'}", f"--machine={name}", *map(_bind_option, binds)]
        if hostname:
            options.append(f"--hostname={hostname}")
        command = ["sh", str(KEEPER), str(folder), str(group), str(image), str(disk or ""), *NSPAWN, *options]
        kept = []
        if network is not None:
            command = ["nsenter", f"--net=/proc/self/fd/{network.namespace}", *command, "--capability=CAP_NET_ADMIN"]
            kept = [network.namespace]
        start = time.monotonic()
        with (
            tempfile.TemporaryFile() as console,
            subprocess.Popen(
                [*command, "--", "--show-status=1"],
                stdin=subprocess.PIPE,
                stdout=console,
                stderr=console,
                start_new_session=True,
                pass_fds=kept,
            ) as keeper,
        ):
            leader = None
            try:
                deadline = start + BOOT_TIMEOUT

                def wait() -> None:
                    _wait_a_little(keeper, console, deadline)

                leader = _leader(group, wait)
                failed = _booted(leader, group, wait, deadline)
                seconds = time.monotonic() - start
                if failed:
                    say(f"{release}: units that failed: {', '.join(failed)}")
                yield Host(name, release, leader, group, seconds, failed)
            finally:
                _halt(keeper, leader)
    finally:
        leftovers.clear(name)


def inside(leader: int, group: Path, command: t.Sequence[str]) -> list[str]:
    """The command line that runs ``command`` within the namespaces and the control group of a host."""
    join = 'echo 0 >"$0/cgroup.procs" && exec nsenter --target "$@"'
    namespaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]
    return ["sh", "-c", join, str(group / "payload" / "init.scope"), str(leader), *namespaces, "--", *command]


def _bind_option(bind: Bind) -> str:
    if not bind.source.exists():
        raise FleetError(f"{bind.source} is to be shown to a host, and is not there")
    source, target = (str(path).replace("\\", "\\\\").replace(":", "\\:") for path in (bind.source, bind.target))
    return f"--bind{'' if bind.writable else '-ro'}={source}:{target}"


def _leader(group: Path, wait: t.Callable[[], None], but: int = 0) -> int:
    """The process that is number 1 in the host, once there is one other than ``but``."""
    members = group / "payload" / "init.scope" / "cgroup.procs"
    while True:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for pid in members.read_text(encoding="ascii").split():
                status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
                first = any(line.startswith("NSpid:") and line.split()[-1] == "1" for line in status.splitlines())
                if first and int(pid) != but:
                    return int(pid)
        wait()


def _booted(leader: int, group: Path, wait: t.Callable[[], None], deadline: float) -> tuple[str, ...]:
    """Wait until systemd has started everything; the units that failed."""
    probe = Host("", "", leader, group, 0, ())
    while True:
        # It says "offline" as long as systemd has no socket yet.
        left = max(deadline - time.monotonic(), 1)
        with contextlib.suppress(FleetError):
            state = probe.run(["systemctl", "is-system-running", "--wait"], check=False, timeout=left).stdout.strip()
            if state == "running":
                return ()
            if state == "degraded":
                listed = probe.run(["systemctl", "--failed", "--plain", "--no-legend"]).stdout.splitlines()
                return tuple(line.split()[0] for line in listed)
        wait()


def _active(host: Host, unit: str) -> bool:
    return host.run(["systemctl", "is-active", unit], check=False).stdout.strip() == "active"


def _wait_a_little(keeper: subprocess.Popen[bytes], console: t.IO[bytes], deadline: float) -> None:
    ended = keeper.poll() is not None
    if ended or time.monotonic() > deadline:
        console.seek(0)
        last = console.read().decode(errors="replace").strip().splitlines()[-30:]
        what = "ended while it booted" if ended else f"had not booted after {BOOT_TIMEOUT:.0f} s"
        raise FleetError("\n".join([f"the host {what}; its console's last lines:", *last]))
    time.sleep(0.02)


def _halt(keeper: subprocess.Popen[bytes], leader: int | None) -> None:
    """Power off, then pull the plug."""
    assert keeper.stdin is not None
    if leader is not None and keeper.poll() is None:
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.kill(leader, signal.SIGRTMIN + RTMIN_POWEROFF)
            keeper.wait(HALT_TIMEOUT)
    keeper.stdin.close()
    keeper.wait()
