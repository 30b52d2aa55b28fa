# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts themselves: they boot, do what they are told, share nothing, and leave nothing."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

from . import leftovers, library
from .errors import FleetError
from .host import Bind, Host, booted
from .image import ensure_image
from .releases import RELEASES, find_release

PROJECT = Path(__file__).parents[2]
# Boots a host, tells about it, and waits to be killed. What a shell starts in the background ignores SIGINT, and so
# does all that this starts in turn.
OWNER = """
import signal, time
from tests.fleet.host import booted
signal.signal(signal.SIGINT, signal.default_int_handler)
with booted() as host:
    print(host.name, host.leader, flush=True)
    time.sleep(300)
"""


@pytest.fixture(scope="module")
def host() -> t.Iterator[Host]:
    """One host for the tests that do it no harm."""
    with booted() as host:
        yield host


@contextlib.contextmanager
def owned() -> t.Iterator[tuple[subprocess.Popen[str], str, int]]:
    """A host of another process: that process, the host's name and its leader."""
    with subprocess.Popen([sys.executable, "-c", OWNER], cwd=PROJECT, stdout=subprocess.PIPE, text=True) as owner:
        try:
            assert owner.stdout is not None
            name, leader = owner.stdout.readline().split()
            yield owner, name, int(leader)
        finally:
            owner.kill()


def gone(what: t.Callable[[], bool], seconds: float = 40.0) -> bool:
    """Whether ``what`` stops being true in time."""
    deadline = time.monotonic() + seconds
    while what() and time.monotonic() < deadline:
        time.sleep(0.02)
    return not what()


def exists(name: str, leader: int) -> bool:
    """Whether anything of a host is left."""
    return Path(f"/proc/{leader}").exists() or leftovers.control_group(name).exists() or leftovers.folder(name).exists()


def child(pid: int) -> int:
    """A process's only child."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii"))


def test_systemd_is_the_first_process(host: Host) -> None:
    assert host.read("/proc/1/comm") == "systemd\n"
    assert host.run(["systemctl", "is-system-running"]).stdout == "running\n"
    assert host.failed_units == ()


def test_a_host_boots_fast(host: Host) -> None:
    assert host.boot_seconds < 20  # 2 where nothing else runs; what waits in vain waits for 90


def test_a_command_gives_output_input_and_code(host: Host) -> None:
    done = host.run(["sh", "-c", "cat; echo no >&2; exit 3"], check=False, input="yes\n")
    assert (done.returncode, done.stdout, done.stderr) == (3, "yes\n", "no\n")


def test_a_failing_command_is_an_error_that_says_why(host: Host) -> None:
    with pytest.raises(FleetError, match=r"ls /nowhere: code 2 .*\n.*No such file"):
        host.run(["ls", "/nowhere"])


def test_a_command_that_takes_too_long_is_ended(host: Host) -> None:
    with pytest.raises(FleetError, match=r"not done after 0\.3 s"):
        host.run(["sleep", "987"], timeout=0.3)
    assert gone(lambda: "sleep 987" in host.run(["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"]).stdout)


def test_a_command_sees_nothing_of_the_environment(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "of the tester")
    assert "of the tester" not in host.run(["env"]).stdout


def test_files_are_written_with_their_mode_and_read(host: Host) -> None:
    host.write("/etc/new/folder/file", "grüße\n", 0o640)
    assert host.read("/etc/new/folder/file") == "grüße\n"
    assert host.run(["stat", "-c", "%a %U %F", "/etc/new/folder/file"]).stdout == "640 root regular file\n"


def test_units_run_in_the_hosts_own_control_group(host: Host) -> None:
    unit = ["systemd-run", "--quiet", "--pipe", "--wait", "--unit=probe"]
    assert "0::/system.slice/probe.service\n" in host.run([*unit, "cat", "/proc/self/cgroup"]).stdout


def test_the_machines_loopback_is_the_hosts(host: Host) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = f"import socket; socket.create_connection(('localhost', {server.getsockname()[1]})).sendall(b'here')"
        host.run(["python3", "-c", client])
        connection, _address = server.accept()
        with connection:
            assert connection.recv(4) == b"here"


def test_nothing_of_the_host_listens_on_the_machines_network(host: Host) -> None:
    inside = host.run(["ss", "-Hltnup"]).stdout
    assert "users:" not in inside, inside  # only processes of the host are named there


def test_two_hosts_share_nothing(host: Host) -> None:
    image = ensure_image("trixie")
    with booted() as other:
        host.write("/etc/of-one", "one")
        other.write("/etc/of-other", "other")
        other.run(["systemctl", "stop", "systemd-logind"])
        assert host.run(["systemctl", "is-active", "systemd-logind"]).stdout == "active\n"
        assert host.run(["test", "-e", "/etc/of-other"], check=False).returncode == 1
        assert other.run(["test", "-e", "/etc/of-one"], check=False).returncode == 1
        assert host.read("/etc/machine-id") != other.read("/etc/machine-id")
    assert host.run(["systemctl", "is-system-running"]).stdout == "running\n"
    assert not (image / "etc" / "of-one").exists()
    assert not (image / "etc" / "machine-id").exists() or (image / "etc" / "machine-id").read_text() == ""


def test_binds_are_read_only_unless_told(tmp_path: Path) -> None:
    (tmp_path / "file:1").write_text("shown", encoding="utf-8")
    (tmp_path / "shared").mkdir()
    binds = [Bind(tmp_path / "file:1", "/opt/file:1"), Bind(tmp_path / "shared", "/opt/shared", writable=True)]
    with booted(binds=binds) as host:
        assert host.read("/opt/file:1") == "shown"
        with pytest.raises(FleetError, match="Read-only file system"):
            host.run(["sh", "-c", "echo more >> /opt/file:1"])
        host.write("/opt/shared/answer", "written")
    assert (tmp_path / "shared" / "answer").read_text(encoding="utf-8") == "written"


def test_a_bind_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FleetError, match="is not there"), booted(binds=[Bind(tmp_path / "missing", "/opt/missing")]):
        pass


def test_a_unit_that_fails_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "unit").write_text("[Service]\nType=oneshot\nExecStart=/bin/false\n", encoding="utf-8")
    (tmp_path / "wants").write_text("[Unit]\nWants=broken.service\n", encoding="utf-8")
    units = "/etc/systemd/system"
    unit = Bind(tmp_path / "unit", f"{units}/broken.service")
    wants = Bind(tmp_path / "wants", f"{units}/multi-user.target.d/wants.conf")
    with booted(binds=[unit, wants]) as host:
        assert host.failed_units == ("broken.service",)
    assert "units that failed: broken.service" in capsys.readouterr().err


def test_a_host_that_cannot_boot_shows_its_console(tmp_path: Path) -> None:
    (tmp_path / "empty").touch(mode=0o755)

    def own() -> set[Path]:
        # Other processes boot hosts at any time.
        return set(leftovers.FOLDERS.glob(f"{leftovers.PREFIX}-{os.getpid()}-*"))

    before = own()
    init = Bind(tmp_path / "empty", "/usr/lib/systemd/systemd")
    with (
        pytest.raises(FleetError, match=r"ended while it booted.*\n.*Exec format error\n.*code 1"),
        booted(binds=[init]),
    ):
        pass
    assert own() == before


def test_a_host_that_powers_off_leaves_nothing() -> None:
    with booted() as host:
        host.run(["systemctl", "poweroff"], check=False)
        assert gone(lambda: Path(f"/proc/{host.leader}").exists())
    assert not exists(host.name, host.leader)


def test_a_host_ends_with_its_test() -> None:
    with pytest.raises(ZeroDivisionError), booted() as host:
        raise ZeroDivisionError
    assert not exists(host.name, host.leader)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_host_ends_with_its_owner(number: signal.Signals) -> None:
    with owned() as (owner, name, leader):
        owner.send_signal(number)
        owner.wait(60)  # it may take its time to power off
        assert gone(lambda: exists(name, leader))


def test_what_a_killed_keeper_leaves_goes_at_the_next_start() -> None:
    with owned() as (owner, name, leader):
        keeper = child(owner.pid)
        owner.send_signal(signal.SIGSTOP)  # so that it cannot clean up
        os.kill(keeper, signal.SIGKILL)
        assert gone(lambda: Path(f"/proc/{leader}").exists())
        leftovers.clear_orphans()
        assert leftovers.folder(name).exists(), "its owner lives"
        owner.kill()
        owner.wait(60)
        leftovers.clear_orphans()
        assert not exists(name, leader)


@pytest.mark.parametrize("release", RELEASES)
def test_the_agents_code_runs_on_the_hosts_python(release: str) -> None:
    program = (
        "import sys, botocore.auth, hvac\n"
        "from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import login\n"
        "print('%d.%d' % sys.version_info[:2], botocore.__file__, hvac.__file__, login.__file__)\n"
    )
    with booted(release, binds=library.binds(release)) as host:
        library.install(host)
        output = host.run(["env", f"PYTHONPATH={library.PYTHONPATH}", "python3", "-c", program]).stdout.split()
    assert output == [
        find_release(release).python,
        f"{library.LIBRARY}/botocore/__init__.py",
        f"{library.LIBRARY}/hvac/__init__.py",
        f"{library.CODE}/{library.UTILS}/_auth/login.py",
    ]


def test_packages_come_compiled() -> None:
    folder = library.binds("trixie")[0].source
    assert next((folder / "hvac" / "__pycache__").glob("__init__.cpython-313.pyc")).stat().st_size > 0


def test_an_unknown_release_is_refused() -> None:
    with pytest.raises(FleetError, match=r"'sarge': choose from trixie, bookworm, bullseye"), booted("sarge"):
        pass
