# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results as a table, and what they are held against."""

from __future__ import annotations

import typing as t

from .fleet import Result
from .theirs import MAX_BACKOFF

Results = t.Mapping[str, t.Mapping[str, Result]]
SHARE = 0.1  # of Vault Agent's peak of logins after an outage that tokens can outlive
_HEADINGS = {
    "peak/s": "peak of logins per second once the server is back, over 1 s, and over 10 s",
    "10 s": "",
    "renew": "the same for renewals over 10 s",
    "tried": "logins that arrived from then on, and how many of them gave a token",
    "worked": "",
    "without": "agents without a token at that moment",
    "lost": "tokens that ended while the agent had no other, and those of them that the server would have renewed",
    "keepable": "",
    "given up": "tokens that still worked and were replaced, with the leases that hang on them",
    "back after": "seconds until every agent had a token",
}


def table(texts: t.Mapping[str, str], results: Results) -> str:
    """Return the table and its legend. texts: of each scenario, by name."""
    rows = [["", *_HEADINGS]]
    for name, fleets in results.items():
        rows.append([f"{name}: {texts[name]}"])
        rows += [[f"  {fleet}", *_cells(result)] for fleet, result in fleets.items()]
    widths = [max(len(row[column]) for row in rows if len(row) > 1) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=False))
        )
        if len(row) > 1
        else row[0]
        for row in rows
    ]
    legend = [f"{name}: {text}" for name, text in _HEADINGS.items() if text]
    return "\n".join([*lines, "", *legend])


def verdicts(results: Results) -> list[tuple[bool, str]]:
    """Hold our fleet against its bounds; each with whether it kept to it."""
    found = []
    if "outage" in results:
        ours, theirs = results["outage"]["ours"], results["outage"]["Vault Agent"]
        for width, mine, peer in (("1 s", ours.peak_1, theirs.peak_1), ("10 s", ours.peak_10, theirs.peak_10)):
            text = f"outage: peak of logins over {width} is {mine:g}/s, Vault Agent's {peer:g}/s; at most {SHARE} x"
            found.append((mine <= SHARE * peer, text))
    for name, fleets in results.items():
        ours = fleets["ours"]
        text = f"{name}: all back after {ours.all_back:.0f} s; at most 2 x max_backoff, {2 * MAX_BACKOFF:.0f} s"
        found.append((ours.all_back <= 2 * MAX_BACKOFF, text))
        found.append((ours.keepable == 0, f"{name}: {ours.keepable} tokens lost that could be kept; none"))
    return found


def _cells(result: Result) -> list[str]:
    return [
        f"{result.peak_1:.0f}",
        f"{result.peak_10:.1f}",
        f"{result.renewals_10:.1f}",
        str(result.tried),
        str(result.worked),
        str(result.without),
        str(result.lost),
        str(result.keepable),
        str(result.given_up),
        "never" if result.all_back == float("inf") else f"{result.all_back:.0f}",
    ]
