# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the agent tells of its state: to programs, to people, to Prometheus."""

from __future__ import annotations

import dataclasses
import json
import re
import typing as t

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import status
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.config import AgentConfig
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.messages import (
    Event,
    Failed,
    Failure,
    Lease,
    LoggedIn,
    Policy,
    Purpose,
    Reloaded,
    Renewed,
    SinkFailed,
    SinkHolds,
)
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.sink_options import AgentSink
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.status import Counters, Snapshot
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig, VaultConnection
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import Retry
from ansible_collections.vaultfleet.aws.tests.unit.plugins.module_utils._agent.play import WRONG_ROLE, Play

WALL = 1_795_000_000.0  # 2026-11-18 11:06:40 UTC, when the lifecycle's clock says 1000
CONFIG = AgentConfig(
    LoginConfig(type="iam", role="web", secret_key="canary-key", access_key="AKIACANARY"),
    VaultConnection("https://vault.example.org:8200"),
    (AgentSink("/run/one/token"), AgentSink("/run/two/token")),
)
LEASE = Lease(1, 1000.0, 3600, True, asks=True)


def seen_of(play: Play, config: AgentConfig = CONFIG, counters: Counters | None = None, **facts: t.Any) -> Snapshot:
    """A snapshot, as a program would read it."""
    given = {"pid": 1, "pid_started": 1, "reload_error": "", "running": True, **facts}
    wall = WALL + play.now - 1000
    return dict(
        json.loads(json.dumps(status.snapshot(config, play.state, counters or Counters(), play.now, wall, **given)))
    )


def serving(lease: Lease = LEASE) -> Play:
    """A lifecycle whose token is in both sinks."""
    play = Play(Policy(sinks=2))
    play.feed(LoggedIn(lease))
    return play


def test_serving() -> None:
    """When the token ends, what comes next, what holds it; in seconds since the epoch."""
    play = serving()
    seen = seen_of(play)
    assert seen["state"] == "serving"
    assert seen["token"] == {
        "expires_at": WALL + 3600,
        "ttl": 3600,
        "renewable": True,
        "lookup_allowed": True,
        "wrapped": False,
    }
    assert seen["next"]["action"] in ("look the token up", "renew the token")
    assert WALL < seen["next"]["at"] < WALL + 3600
    assert [sink["holds_token"] for sink in seen["sinks"]] == [True, True]
    assert seen["errors"] == {}
    assert "AKIACANARY" not in json.dumps(seen)
    assert "canary-key" not in json.dumps(seen)
    line = status.line(seen)
    assert line.startswith("serving; the token ends at 2026-11-18 12:06:40 UTC; next: ")
    report = status.report({**seen, "token": {**seen["token"], "expires_in": 1234.5}})
    assert "state:  serving\nlogin:  iam, role web, auth/aws at https://vault.example.org:8200\n" in report
    assert "token:  ends at 2026-11-18 12:06:40 UTC (in 1234 s)\n" in report
    assert "sink:   /run/two/token: holds the token" in report


def test_a_request_under_way() -> None:
    """It is what comes next, now, whatever is planned after it."""
    play = Play(Policy(sinks=2)).serve()
    play.next_request()
    assert play.state.busy is Purpose.CHECK
    assert seen_of(play)["next"] == {"action": "look the token up", "at": round(WALL + play.now - 1000, 1)}


def test_without_a_token() -> None:
    """Why, and when it is tried again; what waits for a token."""
    play = Play(Policy(sinks=2, max_backoff=300.0))
    play.feed(Failed(Purpose.LOGIN, WRONG_ROLE))
    seen = seen_of(play)
    assert (seen["state"], seen["token"]) == ("blocked", None)
    assert seen["errors"] == {"login": "no such role"}
    # Not that new AWS keys are looked for meanwhile: nobody waits for that.
    assert seen["next"]["action"] == "log in"
    assert status.line(seen).startswith("blocked; login: no such role; next: log in at 2026-11-18 ")
    report = status.report(seen)
    assert "token:  none\n" in report
    assert "sink:   /run/one/token: waits\n" in report
    assert "error:  login: no such role" in report
    left = {
        name: value
        for name, value in samples(status.metrics(seen, WALL)).items()
        if "expires" in name or "serving" in name
    }
    assert set(left.values()) == {0.0}


def test_a_failing_sink_and_a_refused_reload() -> None:
    """Both are named, in the one line too, though the token is fine."""
    play = serving()
    play.feed(SinkFailed(1, "cannot write /run/two/token: No space left on device"))
    seen = seen_of(play, reload_error="agent.json: is not JSON")
    assert seen["state"] == "at risk"
    for text in (status.line(seen), status.report(seen)):
        assert "/run/two/token: cannot write /run/two/token: No space left" in text
        assert "agent.json: is not JSON" in text


@pytest.mark.parametrize(
    ("lease", "text"),
    [
        (Lease(1, 1000.0, 0, False), "the token has no end"),
        (Lease(1, 1000.0, 0, False, wrapped=True), "the token was unwrapped, so it is used up"),
    ],
)
def test_a_token_without_an_end(lease: Lease, text: str) -> None:
    """One that lives for ever, and a wrapping token that somebody used."""
    play = serving()
    play.state = dataclasses.replace(play.state, lease=lease)
    seen = seen_of(play)
    assert seen["token"]["expires_at"] is None
    assert text in status.line(seen)
    assert f"token:  {text[len('the token ') :]}\n" in status.report(seen)
    assert next(iter(samples(status.metrics(seen, WALL)).values())) == float("inf")


def test_not_running() -> None:
    """The last that a process told is not what is."""
    report = status.report(seen_of(serving(), running=False))
    assert report.startswith("state:  not running (it was serving)\n")
    assert "next:" not in report


def test_counters() -> None:
    """Each event counts where it belongs; failures by class."""
    counters = Counters()
    away = Failure("away")
    events: tuple[Event, ...] = (
        LoggedIn(LEASE),
        Renewed(LEASE),
        Renewed(LEASE),
        SinkHolds(0, 1, wrote=True),
        SinkHolds(0, 1, wrote=False),
        SinkFailed(0, "full"),
        Reloaded(Policy(sinks=1), same_login=True),
        Failed(Purpose.LOGIN, away),
        Failed(Purpose.LOGIN, dataclasses.replace(away, retry=Retry.RESIGN)),
        Failed(Purpose.CHECK, WRONG_ROLE),
        Failed(Purpose.POLL, away),
        Failed(Purpose.REVOKE, away),
    )
    for event in events:
        counters.count(event)
    seen = seen_of(serving(), counters=counters)["counters"]
    assert seen == {
        "logins": 1,
        "renewals": 2,
        "sink_writes": 1,
        "sink_failures": 1,
        "reloads": 1,
        "failures": {
            "logins": {"permanent": 0, "re-sign": 1, "transient": 1},
            "renewals": {"permanent": 0, "re-sign": 0, "transient": 0},
            "lookups": {"permanent": 1, "re-sign": 0, "transient": 0},
        },
    }


def samples(text: str) -> dict[str, float]:
    """The samples of Prometheus' text format (its "Text-based format" page); anything else in it is an error."""
    found: dict[str, float] = {}
    types: dict[str, str] = {}
    helped: set[str] = set()
    assert text.endswith("\n")
    for line in text.splitlines():
        comment = re.fullmatch(r"# (HELP|TYPE) ([a-z_]+) (.+)", line)
        if comment and comment[1] == "HELP":
            assert comment[2] not in helped, "a metric comes in one piece"
            helped.add(comment[2])
            continue
        if comment:
            assert comment[2] in helped
            types[comment[2]] = comment[3]
            continue
        sample = re.fullmatch(r'([a-z_]+)\{((?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+)\} (\+Inf|[0-9.]+)', line)
        assert sample, line
        assert types[sample[1]] == ("counter" if sample[1].endswith("_total") else "gauge")
        key = f"{sample[1]}{{{sample[2]}}}"
        assert key not in found
        found[key] = float(sample[3])
    assert set(types) == helped == {key.partition("{")[0] for key in found}
    return found


def test_metrics() -> None:
    """Prometheus can read it, whatever the role is called; the counters are those of the status."""
    counters = Counters(logins=2, renewals=40)
    counters.failures["renewals", "transient"] = 3
    odd = dataclasses.replace(CONFIG, login=dataclasses.replace(CONFIG.login, role='we"b\\'))
    seen = seen_of(serving(), odd, counters)
    found = samples(status.metrics(seen, WALL + 600))
    labels = r'type="iam",role="we\"b\\",mount_path="aws"'
    assert found[f"vaultfleet_agent_token_expires_seconds{{{labels}}}"] == 3000
    assert found[f"vaultfleet_agent_serving{{{labels}}}"] == 1
    assert found[f"vaultfleet_agent_logins_total{{{labels}}}"] == 2
    assert found[f"vaultfleet_agent_renewals_total{{{labels}}}"] == 40
    failures = {key: value for key, value in found.items() if "failures_total" in key and value}
    assert failures == {f'vaultfleet_agent_failures_total{{{labels},request="renewals",class="transient"}}': 3}


def test_templates() -> None:
    """What fails is in each form; an older agent's status has none of them."""
    shown = [
        {"path": "/run/a", "rendered": True, "error": ""},
        {"path": "/run/b", "rendered": False, "error": "denied"},
    ]
    seen = seen_of(serving(), templates=shown)
    assert "template /run/b: denied" in status.line(seen)
    assert "/run/a" not in status.line(seen)
    lines = status.report(seen).splitlines()
    assert {"file:   /run/a: rendered", "file:   /run/b: denied"} <= set(lines)
    assert re.search(r"^vaultfleet_agent_templates_failing\{.*\} 1$", status.metrics(seen, WALL), re.MULTILINE)
    assert "templates_failing" in status.metrics(seen_of(serving()), WALL)
