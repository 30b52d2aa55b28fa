# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is made of measured values; nothing is measured here."""

from __future__ import annotations

import cProfile
import dataclasses
import json
from pathlib import Path

import pytest

from tests.bench import profiles, run, saved, soak_rows, soak_world, storm
from tests.bench.numbers import Bound, Comparison, Spread, ratio
from tests.bench.parts import KINDS, PARTS
from tests.bench.soak_agent import Sample
from tests.bench.tables import Table, compared, judged
from tests.docs import measured


def test_a_spread_says_how_far_values_went() -> None:
    assert Spread.of([3, 1, 2]) == Spread(2, 1, 3, 3)
    assert Spread.of([3, 1, 2]).text(1) == "2.0 (1.0 .. 3.0; 3)"
    assert Spread.of([1.5]).text() == "1.50"


def test_a_ratio_is_of_the_values_of_one_round() -> None:
    assert ratio([2, 8], [1, 2]) == Spread(3, 2, 4, 2)
    few = Comparison.of("x", [2, 8, 100], "y", [1, 2])
    assert few.ratio == Spread(3, 2, 4, 2)
    assert (few.ours.count, few.theirs.count) == (3, 2)


@pytest.mark.parametrize(
    ("values", "limit", "exactly", "kept"),
    [
        ([1, 2, 9], 2, False, True),
        ([1, 3, 9], 2, False, False),
        ([1, 1, 1], 1, True, True),
        ([1, 1, 2], 1, True, False),
        ([0, 0], 1, True, False),
    ],
)
def test_a_bound_is_held_against_the_median_or_all_values(
    values: list[float], limit: float, exactly: bool, kept: bool
) -> None:
    bound = Bound("x", Spread.of(values), limit, exactly)
    assert bound.kept is kept
    assert ("MISSED" in judged([bound]).text()) is not kept


def test_a_table_reads_the_same_on_a_terminal_and_in_a_guide() -> None:
    table = Table("t", ("", "a"), [("first_", "1"), ("second", "2 * 3")])
    assert table.text().splitlines() == ["t", "          a", "  first_  1", "  second  2 * 3"]
    assert table.rst().splitlines() == [
        ".. list-table:: t",
        "   :header-rows: 1",
        "",
        "   * -",
        "     - a",
        "   * - first\\_",
        "     - 1",
        "   * - second",
        "     - 2 \\* 3",
    ]


def test_what_was_saved_is_read_as_it_was(tmp_path: Path) -> None:
    for name, kinds in ((measured.BENCH, KINDS), (measured.SOAK, soak_rows.KINDS)):
        about, parts = saved.read(name, kinds)
        assert parts
        saved.write(tmp_path / "again.json", about, parts)
        assert (tmp_path / "again.json").read_text() == name.read_text()


def test_nothing_private_is_saved() -> None:
    for file in (measured.BENCH, measured.SOAK):
        text = file.read_text(encoding="utf-8")
        assert not [word for word in ("/root", "/tmp/", "/home", "s.", "hvs.") if f'"{word}' in text], file


def test_each_part_can_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    about, parts = saved.read(measured.BENCH, KINDS)
    bounds = [bound for name, rows in parts.items() for bound in PARTS[name].bounds(rows)]
    assert run.show(about, parts) == (0 if all(bound.kept for bound in bounds) else 1)
    shown = capsys.readouterr().out
    for name, rows in parts.items():
        for table in PARTS[name].tables(rows):
            assert all(len(row) == len(table.columns) for row in table.rows), table.title
            assert table.text() in shown
    assert "bounds" in shown


def test_a_missed_bound_is_the_exit_code() -> None:
    fine = storm.Peaks([1], [1], [5])
    mean = storm.Peaks([20], [20], [5])
    for ours, code in ((fine, 0), (mean, 1)):
        rows = storm.Rows(10, {"outage": {"ours": ours, "Vault Agent": mean}})
        assert run.show({}, {"storm": rows}) == code


def test_comparisons_name_the_other() -> None:
    shown = compared([Comparison.of("x", [1.0], "peer", [2.0])]).text()
    assert shown.splitlines()[-1].split() == ["x", "1.00", "2.00", "peer", "0.50"]


@pytest.mark.parametrize(
    ("path", "function", "package"),
    [
        ("~", "<built-in method marshal.loads>", "loading of modules"),
        ("~", "<built-in method posix.read>", "built-in functions"),
        ("<frozen importlib._bootstrap>", "_find_and_load", "loading of modules"),
        ("<frozen os>", "decode", "Python's library"),
        ("~", "<function _Resting.get at 0x7f>", "bench"),
        ("/x/ansible_collections/vaultfleet/aws/plugins/a.py", "f", "vaultfleet.aws"),
        ("/x/lib/python3.13/site-packages/hvac/a.py", "f", "hvac"),
        ("/x/lib/python3.13/site-packages/six.py", "f", "six"),
        ("/x/lib/python3.13/json/decoder.py", "f", "Python's library"),
    ],
)
def test_whose_a_function_is(path: str, function: str, package: str) -> None:
    assert profiles.package_of(path, function) == package


def test_a_profile_adds_up(tmp_path: Path) -> None:
    profile = cProfile.Profile()
    profile.runcall(lambda: [json.dumps(one) for one in range(100)])
    profile.dump_stats(tmp_path / "profile")
    found = profiles.profile(tmp_path / "profile", 100)
    assert found.seconds == pytest.approx(sum(found.shares.values()))
    assert any(hot.name == "Python's library: __init__.dumps" and hot.calls == 100 for hot in found.top)


def sample(number: int, **values: int) -> Sample:
    """The sample of one moment, of a process that does not grow."""
    usual = {"resident": 40 * 1024, "descriptors": 6, "threads": 2, "renewals": number, "logins": 1, "failures": 0}
    return Sample(seconds=float(number), **{**usual, **values})


def soaked(samples: list[Sample], logins: int = 1, broken: list[str] | None = None) -> soak_rows.Rows:
    """A soak in which nothing but these was to be seen."""
    return soak_rows.Rows(samples, 604_800.0, 600.0, {}, [(2.5, 3.5)], {}, broken or [], {"logins": logins}, 0)


def test_a_soak_without_growth_keeps_its_bounds() -> None:
    assert all(bound.kept for bound in soak_rows.bounds(soaked([sample(number) for number in range(8)])))


@pytest.mark.parametrize(
    "rows",
    [
        soaked([sample(number, resident=40 * 1024 + 400 * number) for number in range(8)]),
        soaked([sample(number, descriptors=6 + number) for number in range(8)]),
        soaked([sample(number, threads=2 + number // 4) for number in range(8)]),
        soaked([sample(number, failures=number // 6) for number in range(8)]),
        soaked([sample(number) for number in range(8)], logins=2),
        soaked([sample(number) for number in range(8)], broken=["token"]),
    ],
)
def test_what_grows_or_breaks_misses_one(rows: soak_rows.Rows) -> None:
    assert [bound.kept for bound in soak_rows.bounds(rows)].count(False) == 1


def test_requests_may_fail_while_the_server_is_away() -> None:
    rows = soaked([sample(number, failures=9 * (number > 2)) for number in range(8)])
    assert all(bound.kept for bound in soak_rows.bounds(rows))


def test_what_soon_ends_is_no_growth() -> None:
    busy = [sample(number, threads=2 + number % 2) for number in range(8)]
    assert soaked(busy).more("threads") == 0


@pytest.mark.parametrize("seconds", [soak_world.WEEK, soak_world.WEEK / 40])
def test_all_that_a_soak_lives_through_fits_into_it(seconds: float) -> None:
    events = soak_world.events(seconds)
    assert events == sorted(events)
    assert 0 < events[0][0] < events[-1][0] < seconds
    names = [name for _moment, name in events]
    assert names.index("seal") < names.index("unseal") < names.index("stop") < names.index("start")
    assert {names.count(name) for name in ("seal", "unseal", "stop", "start")} == {1}


def test_an_old_file_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    file.write_text(json.dumps({"about": {}, "storm": {"agents": 1}}), encoding="utf-8")
    with pytest.raises(KeyError):
        saved.read(file, KINDS)
    assert [field.name for field in dataclasses.fields(storm.Rows)] == ["agents", "peaks"]
