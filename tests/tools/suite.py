# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the parts of the test suite one after the other, up to the first that fails, and sums up their counts."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import commands
from .ansible_test import ansible_test_environment, provide_get_pip
from .checks import MYPY
from .counts import Counts, read_counts
from .integration import can_boot, running_place
from .project import DEV, OUTPUT, ROOT, ToolError, link_collection, relink
from .pythons import CORES, Python, core_python, find_python, newest_core
from .sessions import run_sessions
from .venv import ensure_venv, venv_environment

WORKERS = ["--numprocesses=auto", "--maxprocesses=4"]  # each costs 4 s of processor time before its first test
# More than half of the unit tests' time: they try thousands of cases, start programs, or wait.
LONG_ONES = (
    *("*fuzz", "*properties", "aws", "bounded", "build", "cli", "deadline", "files", "imds", "lean", "probe"),
    *("read_token", "sealing", "single_flight", "store", "systemd", "wheels"),
)
LONG = [f"--ignore-glob=*/test_{name}.py" for name in LONG_ONES]
PAGES = ["tests/docs/test_pages.py", "tests/docs/test_measured.py"]  # of the documentation what needs no server
TRIALS = ["tests/chaos/test_hostile.py", "tests/chaos/test_kills_etc.py", "tests/chaos/test_trials.py"]
# Of the campaigns and the bench, what needs no server.
MACHINERY = ["tests/chaos/test_campaign.py", "tests/chaos/test_proxy.py", "tests/bench", "tests/leaks", "tests/fuzz"]
# A test that hangs shows where, and ends the run, long before CI's own limit.
PATIENCE = ["--override-ini=faulthandler_timeout=600", "--override-ini=faulthandler_exit_on_timeout=true"]
OLDEST = ("_auth", "_agent", "_cli")  # what runs on hosts
NOTHING = Counts()
NO_HOSTS = "booted hosts, for which root on Linux is needed: sudo make test"
NO_OLD_PYTHON = "Python 3.9, the oldest of managed hosts, which this machine does not have"


@dataclass(frozen=True)
class Run:
    """One round of the suite: a core, its Python, and their virtual environment."""

    core: str
    python: Python
    venv: Path

    @property
    def environment(self) -> dict[str, str]:
        """The variables for a command in the virtual environment."""
        return venv_environment(self.venv)


@dataclass(frozen=True)
class Outcome:
    """What a part came to; ``left_out`` says what this machine cannot do, and what it would take."""

    ok: bool
    counts: Counts = NOTHING
    left_out: tuple[str, ...] = ()

    def __add__(self, other: Outcome) -> Outcome:
        left_out = dict.fromkeys((*self.left_out, *other.left_out))
        return Outcome(self.ok and other.ok, self.counts + other.counts, tuple(left_out))


@dataclass(frozen=True)
class Part:
    """A part of the suite, and what it does in a few words."""

    text: str
    action: Callable[[Run], Outcome]


def lint(run: Run) -> Outcome:
    """Formatting, lint, types, licences, changelog: each is run, so that one look shows all that is wrong."""
    sessions = ["lint", "types", "extra-checks", "license-check", "changelog"]
    return _sessions(run, sessions, f"core-{run.core}")


def gates(run: Run) -> Outcome:
    """What Galaxy, the documentation's build, and certification look at."""
    return _sessions(run, ["docs-check", "ansible-lint", "build-import-check"], "gates")


def fast(run: Run) -> Outcome:
    """The inner loop: ruff, then mypy beside the unit tests, the longest left out."""
    with commands.beside(MYPY, ROOT, run.environment) as mypy:
        ruff = _checks(run, [["ruff", "check", "--quiet"]])
        tests = _pytest(run.venv, f"unit-{run.core}", [*WORKERS, *LONG, "tests/unit", *PAGES])
        types = Counts(passed=1) if mypy() == 0 else Counts(failed=1)
    return Outcome(ruff.ok and tests.ok and types.failed == 0, ruff.counts + tests.counts + types)


def unit(run: Run) -> Outcome:
    """Unit tests on the controller's Python."""
    return _pytest(run.venv, f"unit-{run.core}", [*PATIENCE, *WORKERS, "tests/unit", *PAGES, *MACHINERY])


def old_python(run: Run) -> Outcome:
    """Unit tests of the auth core, the agent and the login command on the oldest Python of managed hosts."""
    python = find_python("3.9")
    if python is None:
        return Outcome(ok=True, left_out=(NO_OLD_PYTHON,))
    tests = [f"tests/unit/{name}" for name in ("examples", *(f"plugins/module_utils/{one}" for one in OLDEST))]
    return _pytest(ensure_venv("target-3.9", python), "unit-python3.9", [*WORKERS, *tests])


def stack_test(run: Run) -> Outcome:
    """Tests against a stack of their own."""
    return _beside_stack(run.venv, f"stack-{run.core}", ["tests/stack", "tests/live", "tests/docs/live"])


def trials(run: Run) -> Outcome:
    """A few trials of the campaign, in a process that has started no server: they end what is left behind."""
    return _beside_stack(run.venv, f"trials-{run.core}", TRIALS)


def docs(run: Run) -> Outcome:
    """The documentation site."""
    return _checks(run, [[sys.executable, "-m", "tests.tools.site"]])


def fleet(run: Run) -> Outcome:
    """Tests on booted systemd hosts, beside a stack of their own."""
    if not can_boot():
        return Outcome(ok=True, left_out=(NO_HOSTS,))
    return _beside_stack(run.venv, f"fleet-{run.core}", ["tests/fleet"])


def simulation(run: Run) -> Outcome:
    """A fleet of agents on simulated time."""
    return _pytest(run.venv, f"simulation-{run.core}", [*PATIENCE, "tests/simulation"])


def _beside_stack(venv: Path, name: str, tests: list[str], variables: dict[str, str] | None = None) -> Outcome:
    """Run tests beside a stack, which is stopped whatever happens."""
    with tempfile.TemporaryDirectory(prefix="vaultfleet-stack-") as folder:
        stack = [sys.executable, "-m", "tests.stack"]
        try:
            if commands.run([*stack, "up", "--dir", folder], ROOT, os.environ) != 0:
                return Outcome(ok=False)
            return _pytest(venv, name, [*PATIENCE, *tests], {"VAULTFLEET_STACK_DIR": folder, **(variables or {})})
        finally:
            with commands.uninterrupted():
                commands.run([*stack, "down", "--dir", folder], ROOT, os.environ)


def package(run: Run) -> Outcome:
    """The tarball, installed and used, against a stack of its own."""
    return _beside_stack(run.venv, f"package-{run.core}", ["tests/package"])


def neighbours(run: Run) -> Outcome:
    """What users have beside the collection, against a stack of its own."""
    venv = ensure_venv("neighbours", run.python)
    tests = ["tests/neighbours", "tests/docs/live/test_run.py::test_neighbours"]
    [packages] = venv.glob("lib/python*/site-packages")
    return _beside_stack(venv, "neighbours", tests, {"VAULTFLEET_NEIGHBOURS": str(packages)})


def sanity(run: Run) -> Outcome:
    """ansible-test sanity, its compile and import tests on each Python of the machine."""
    return _ansible_test(run, "sanity")


def units(run: Run) -> Outcome:
    """ansible-test units."""
    return _ansible_test(run, "units")


def integration(run: Run) -> Outcome:
    """ansible-test integration, against a stack of its own; the role, where hosts can be booted."""
    with running_place(hosts=can_boot()) as settings:
        left_out = () if can_boot() else (NO_HOSTS,)
        return _ansible_test(run, "integration", settings) + Outcome(ok=True, left_out=left_out)


def old_integration(run: Run) -> Outcome:
    """The same with Python 3.9 on the managed host."""
    if find_python("3.9") is None:
        return Outcome(ok=True, left_out=(NO_OLD_PYTHON,))
    with running_place(hosts=False) as settings:
        return _ansible_test(run, "integration-python3.9", settings)


PARTS = {
    "lint": Part("formatting, ruff, mypy, yamllint, REUSE, changelog", lint),
    "unit": Part("unit tests", unit),
    "unit-3.9": Part("unit tests of auth core, agent and login command on Python 3.9", old_python),
    "simulation": Part("a fleet of agents on simulated time", simulation),
    "docs": Part("the documentation site, without a warning", docs),
    "stack-test": Part("tests against the real stack", stack_test),
    "trials": Part("a few trials of the campaign of faults", trials),
    "fleet": Part("tests on booted systemd hosts", fleet),
    "gates": Part("documentation, ansible-lint, build and import by Galaxy", gates),
    "package": Part("the tarball, installed and used", package),
    "neighbours": Part("the collections and tools that users have beside this one", neighbours),
    "sanity": Part("ansible-test sanity", sanity),
    "units": Part("ansible-test units", units),
    "integration": Part("ansible-test integration", integration),
    "integration-3.9": Part("ansible-test integration with Python 3.9 on the managed host", old_integration),
}
FAST = {"fast": Part("ruff, mypy, unit tests but the longest", fast)}
ONCE = (
    "lint",
    "unit-3.9",
    "simulation",
    "docs",
    "trials",
    "fleet",
    "gates",
    "package",
    "neighbours",
)  # not once more for each core
RARELY = ("neighbours",)  # installing half a gigabyte is for "make test-all"


def main() -> int:
    """The command line; exits with 0 if nothing failed."""
    parser = argparse.ArgumentParser(description="Run the project's tests.")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--fast", action="store_true", help="only the inner loop")
    choice.add_argument("--only", nargs="+", choices=[*PARTS], help="only these parts")
    cores = parser.add_mutually_exclusive_group()
    cores.add_argument(
        "--core", choices=[*CORES], help="with this ansible-core (default: the newest that can run here)"
    )
    cores.add_argument("--all-cores", action="store_true", help="with every ansible-core that can run here")
    arguments = parser.parse_args()
    commands.raise_on_termination()
    try:
        chosen = [arguments.core or newest_core()[0]]
        chosen = list(CORES) if arguments.all_cores else chosen
        if arguments.fast:
            outcome = _rounds(chosen, FAST)
        else:
            usual = [name for name in PARTS if arguments.all_cores or name not in RARELY]
            outcome = _rounds(chosen, {name: PARTS[name] for name in arguments.only or usual})
            if not (arguments.only or arguments.all_cores):
                others = (f"all of ansible-core but {chosen[0]}", *(PARTS[name].text for name in RARELY))
                outcome += Outcome(ok=True, left_out=tuple(f"{other}: make test-all" for other in others))
    except (ToolError, OSError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        outcome = Outcome(ok=False, counts=Counts(failed=1))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    for line in outcome.left_out:
        print(f"left out: {line}")
    print(outcome.counts)
    return 0 if outcome.ok else 1


def _rounds(cores: list[str], parts: dict[str, Part]) -> Outcome:
    """A round with each core that can run here, up to the first that fails."""
    outcome = Outcome(ok=True)
    left = parts
    for core in cores:
        python = core_python(core)
        if python is None:
            missing = f"ansible-core {core}, for which this machine has none of Python {', '.join(CORES[core])}"
            if len(cores) == 1:
                raise ToolError(f"There can be no {missing}")
            outcome += Outcome(ok=True, left_out=(missing,))
            continue
        outcome += _round((core, python), left)
        if not outcome.ok:
            break
        left = {name: part for name, part in parts.items() if name not in ONCE}
    return outcome


def _round(chosen: tuple[str, Python], parts: dict[str, Part]) -> Outcome:
    core, python = chosen
    print(f"== ansible-core {core} on Python {python.full_version}", flush=True)
    run = Run(core, python, ensure_venv(f"core-{core}", python))
    link_collection()
    if core == newest_core()[0]:
        relink(DEV / "venv", run.venv)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    total = Outcome(ok=True)
    for name, part in parts.items():
        print(f"== {name}: {part.text}", flush=True)
        start = time.monotonic()
        outcome = part.action(run)
        if not outcome.ok and outcome.counts.failed == 0:
            # What failed outside of a test has no line in a JUnit file.
            outcome += Outcome(ok=False, counts=Counts(failed=1))
        total += outcome
        print(f"== {name}: {'ok' if outcome.ok else 'FAILED'} in {time.monotonic() - start:.0f} s", flush=True)
        if not outcome.ok:
            break
    return total


def _checks(run: Run, checks: list[list[str]]) -> Outcome:
    failed = [check[0] for check in checks if commands.run(check, ROOT, run.environment) != 0]
    for name in failed:
        print(f"failed: {name} (see its lines above)")
    return Outcome(not failed, Counts(passed=len(checks) - len(failed), failed=len(failed)))


def _pytest(venv: Path, name: str, arguments: list[str], variables: dict[str, str] | None = None) -> Outcome:
    report = OUTPUT / f"{name}.xml"
    report.unlink(missing_ok=True)
    command = ["python", "-m", "pytest", "--quiet", f"--junitxml={report}", *arguments]
    code = commands.run(command, ROOT, {**venv_environment(venv), **(variables or {})})
    return Outcome(code == 0, read_counts([report]))


def _sessions(run: Run, names: list[str], lock: str) -> Outcome:
    return Outcome(*run_sessions(names, lock, run.environment))


def _ansible_test(run: Run, kind: str, settings: Path | None = None) -> Outcome:
    """Run ansible-test. settings: those of the integration tests."""
    provide_get_pip(run.venv)
    environment = {**ansible_test_environment(run.environment, run.python), "PIP_QUIET": "1"}
    if settings is not None:
        environment["VAULTFLEET_INTEGRATION_CONFIG"] = str(settings)
    reports = OUTPUT / "junit"
    for report in reports.glob("*.xml"):
        report.unlink()
    ok, counts = run_sessions([f"ansible-test-{kind}-{run.core}"], f"core-{run.core}", environment)
    if settings is None:  # of integration tests, the files tell tasks, of which some are always skipped
        counts = read_counts(reports.glob("*.xml"))
    return Outcome(ok and counts.passed > 0, counts)


if __name__ == "__main__":
    sys.exit(main())
