# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small fleet keeps to the bounds of the big one."""

from __future__ import annotations

import functools

import pytest

from tests.simulation.fleet import FLEETS, Result, send
from tests.simulation.report import SHARE
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.theirs import MAX_BACKOFF

AGENTS = 400
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}


@functools.cache
def result(fleet: str, name: str) -> Result:
    return send(fleet, BY_NAME[name], AGENTS, seed=7)


def test_after_an_outage_that_tokens_outlive_hardly_anyone_logs_in() -> None:
    ours, theirs = result("ours", "outage"), result("Vault Agent", "outage")

    assert theirs.peak_10 > 0
    assert ours.peak_10 <= SHARE * theirs.peak_10
    assert ours.peak_1 <= SHARE * theirs.peak_1
    assert ours.without == ours.given_up == 0


@pytest.mark.parametrize("name", BY_NAME)
def test_everyone_is_back_and_no_token_is_lost_that_could_be_kept(name: str) -> None:
    ours = result("ours", name)

    assert ours.all_back <= 2 * MAX_BACKOFF
    assert ours.keepable == 0


def test_a_token_that_outlived_the_outage_is_renewed_not_replaced() -> None:
    ours, theirs = result("ours", "outage-20m"), result("Vault Agent", "outage-20m")

    assert theirs.keepable > 0
    assert ours.tried <= ours.without + 0.02 * AGENTS
    assert ours.peak_10 <= 0.5 * theirs.peak_10


@pytest.mark.parametrize("name", ["outage-5m", "outage-long", "boot-away"])
def test_a_fleet_that_lost_every_token_comes_back_spread_out(name: str) -> None:
    ours = result("ours", name)

    assert ours.without == AGENTS
    assert ours.tried == AGENTS  # nobody logs in twice
    # Evenly over the longest pause would be AGENTS / max_backoff; chance and the pauses' spread make it more.
    assert ours.peak_10 <= 2.5 * AGENTS / MAX_BACKOFF


def test_a_fleet_that_boots_at_once_is_spread() -> None:
    ours, theirs = result("ours", "boot"), result("Vault Agent", "boot")

    assert theirs.peak_1 == AGENTS
    assert ours.peak_1 <= 0.2 * AGENTS
    assert ours.all_back <= 15


def test_a_limit_of_logins_is_met_with_less_waste_than_vault_agents() -> None:
    ours, theirs = result("ours", "limit"), result("Vault Agent", "limit")

    assert ours.worked == theirs.worked == AGENTS
    assert ours.tried < theirs.tried


def test_a_mass_revocation_is_noticed_by_all() -> None:
    ours, theirs = result("ours", "revoked"), result("Vault Agent", "revoked")

    assert ours.without == AGENTS
    assert ours.worked == AGENTS
    assert ours.all_back < theirs.all_back


def test_while_only_logins_fail_renewals_keep_what_has_not_met_its_maximum() -> None:
    for name in ("logins-away", "logins-later"):
        ours, theirs = result("ours", name), result("Vault Agent", name)

        assert ours.lost <= theirs.lost
        assert ours.given_up == 0
    assert result("Vault Agent", "logins-later").keepable > 0  # what the model tells apart


def test_the_same_seed_gives_the_same_history() -> None:
    for fleet in FLEETS:
        assert send(fleet, BY_NAME["outage"], 50, seed=3) == send(fleet, BY_NAME["outage"], 50, seed=3)
