# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one path of the hunt has: the stack, folders, its canaries and its evidence; and how it runs programs."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

from tests.live.core import keys
from tests.stack import imds_credentials
from tests.stack.handle import Stack
from tests.stack.layout import write_private
from tests.tools.private_stack import clean_environment
from tests.tools.project import ROOT

from .canaries import PRIVATE_KEY, SECRET_KEY, SESSION_TOKEN, TEMPLATE_SECRET, Book
from .evidence import CORES, LEFT, STDERR, STDOUT, Evidence
from .watch import Watch

Json = dict[str, t.Any]
PATIENCE = 300.0  # seconds for one program
HUNT = Path(__file__).parent


class HuntError(Exception):
    """The hunt could not be done as it is meant; ``str()`` says what went another way."""


@dataclass(frozen=True)
class Ground:
    """One path at work.

    folder: its own, where everything that programs leave is looked through. private: in memory, for what the hunt
    itself has to write down; nobody looks there. begun: when, in seconds since the epoch. around: what the path has
    beside the stack.
    """

    stack: Stack
    folder: Path
    private: Path
    book: Book
    evidence: Evidence
    watch: Watch
    begun: float
    around: t.Any = None

    @property
    def home(self) -> Path:
        """HOME of the programs."""
        return self.folder / "home"

    @property
    def temporary(self) -> Path:
        """TMPDIR of the programs."""
        return self.folder / "tmp"

    def environment(self) -> dict[str, str]:
        """What all programs get: nothing of whoever runs the hunt."""
        return {
            **clean_environment(self.home),
            "TMPDIR": str(self.temporary),
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"),
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def run(
        self,
        command: t.Sequence[str],
        environment: t.Mapping[str, str] | None = None,
        *,
        given: str = "",
        label: str = "",
        places: tuple[str, str] = (STDOUT, STDERR),
        codes: t.Container[int] | None = None,
        timeout: float = PATIENCE,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, and what it prints is evidence. codes: that it may end with.

        given: for its standard input. label: for the table of findings. Raises HuntError.
        """
        try:
            done = subprocess.run(
                list(command),
                env={**self.environment(), **(environment or {})},
                cwd=self.folder,
                input=given,
                capture_output=True,
                check=False,
                text=True,
                errors="replace",
                timeout=timeout,
                preexec_fn=allow_cores,
            )
        except subprocess.TimeoutExpired:
            raise HuntError(f"{label or Path(command[0]).name} was not done after {timeout:.0f} s") from None
        self.evidence.add(places[0], label, done.stdout.encode())
        self.evidence.add(places[1], label, done.stderr.encode())
        if codes is not None and done.returncode not in codes:
            raise HuntError(f"{label} ended with {done.returncode}: {_last(done.stdout)} {_last(done.stderr)}")
        return done

    def given(self, name: str, content: t.Any) -> Path:
        """A file that a user would have written, secrets included; the search passes it over."""
        folder = self.private / "given"
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / name
        text = content if isinstance(content, str) else json.dumps(content)
        write_private(path, text)
        return path

    def collect(self, skip: t.Sequence[str] = ()) -> None:
        """Take what was left in the path's folders as evidence; core dumps are looked for wherever one may be."""
        self.evidence.open(CORES)
        # What Ansible starts is at home where the playbook is, and agents where the hunt is.
        found = [*self.folder.rglob("core*"), *(self.private / "given").glob("core*"), *ROOT.glob("core*")]
        for core in found:
            if core.is_file() and core.stat().st_ctime >= self.begun and is_core(core):
                self.evidence.add(CORES, core.name, core.read_bytes())
                core.unlink()
        self.evidence.add_tree(LEFT, self.folder, skip=skip)

    # --- canaries

    def keys(self, profile: str = "default") -> tuple[str, str]:
        """Access key and secret key of a user, the latter entered."""
        found = keys(self.stack, profile)
        self.book.add(SECRET_KEY, found.secret_key)
        return found.access_key, found.secret_key

    def session(self) -> Json:
        """Temporary keys of the instances' role, as options of a login; entered."""
        access, secret = self.keys()
        made = imds_credentials.assume_role(
            self.stack.env["STACK_AWS_ENDPOINT"],
            {"access_key": access, "secret_key": secret},
            self.stack.env["STACK_APP_ROLE_ARN"],
            "hunt",
        )
        self.book.add(SECRET_KEY, made["SecretAccessKey"])
        self.book.add(SESSION_TOKEN, made["Token"])
        names = {"access_key": "AccessKeyId", "secret_key": "SecretAccessKey", "session_token": "Token"}
        return {option: made[name] for option, name in names.items()}

    def client_certificate(self) -> tuple[Path, Path]:
        """A client's certificate and its key, which is entered, in files of the user's."""
        key, certificate = self.given("client.key", ""), self.given("client.pem", "")
        wish = ["-newkey", "rsa:2048", "-nodes", "-subj", "/CN=hunt", "-days", "2"]
        command = ["openssl", "req", "-x509", *wish, "-keyout", str(key), "-out", str(certificate)]
        subprocess.run(command, check=True, capture_output=True)
        self.book.add(PRIVATE_KEY, key.read_text(encoding="ascii"))
        return certificate, key

    def secret(self, path: str) -> None:
        """A secret for templates, entered."""
        values = self.stack.root("GET", path)["data"]["data"]
        self.book.add(TEMPLATE_SECRET, str(values["password"]))


def allow_cores() -> None:
    """As far as this machine allows it, a program of ours that crashes leaves its memory in a file."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if os.geteuid() == 0:
        hard = resource.RLIM_INFINITY
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


def is_core(path: Path) -> bool:
    """Whether a file is a core dump: an ELF file of type 4 (elf(5), ET_CORE)."""
    with path.open("rb") as stream:
        head = stream.read(18)
    return head[:4] == b"\x7fELF" and int.from_bytes(head[16:18], sys.byteorder) == 4


def cores_are_files() -> bool:
    """Whether this machine writes core dumps into the folder of the program that crashed."""
    pattern = Path("/proc/sys/kernel/core_pattern").read_text(encoding="ascii").strip()
    return not pattern.startswith(("|", "/", "@"))


def crash(pid: int) -> None:
    """Crash a process as a bug in C does."""
    os.kill(pid, signal.SIGSEGV)


def _last(text: str) -> str:
    return " ".join(text.strip().splitlines()[-3:])[-400:]
