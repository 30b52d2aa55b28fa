# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proxies in front of the stack's servers, and servers beside them that nobody may ever ask."""

from __future__ import annotations

import contextlib
import datetime
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.chaos.proxy import Proxy
from tests.chaos.trial import NO_SECRET, Finding, Ground
from tests.stack import pki

_YESTERDAY = datetime.timedelta(days=-1)


def certificates(ground: Ground) -> dict[str, Path]:
    """Server certificates by name, each a PEM file with its key; "" is the one that the stack's CA signed for here."""
    folder = Path(tempfile.mkdtemp(prefix="certificates-", dir=ground.folder))
    ca = pki.authority(ground.stack.lay.pki)
    pki.issue(folder, "usual", pki.HERE, ca)
    pki.issue(folder, "expired", pki.HERE, ca, _YESTERDAY)
    pki.issue(folder, "elsewhere", ["elsewhere.test"], ca)
    pki.issue(folder, "foreign", pki.HERE, None)
    found = {}
    for name in ("usual", "expired", "elsewhere", "foreign"):
        file = folder / f"{name}-both.pem"
        file.write_bytes((folder / f"{name}.pem").read_bytes() + (folder / f"{name}-key.pem").read_bytes())
        found["" if name == "usual" else name] = file
    return found


@contextlib.contextmanager
def before_vault(ground: Ground) -> Iterator[Proxy]:
    """A proxy in front of Vault, with traps: one that speaks no TLS, and one with a foreign certificate."""
    env = ground.stack.env
    made = certificates(ground)
    with (
        Proxy(env["VAULT_ADDR"], env["VAULT_CACERT"], made) as proxy,
        Proxy(env["VAULT_ADDR"], env["VAULT_CACERT"]) as plain,
        Proxy(env["VAULT_ADDR"], env["VAULT_CACERT"], {"": made["foreign"]}) as foreign,
    ):
        proxy.traps = {"http": plain.url, "https": foreign.url.replace("127.0.0.1", "localhost")}
        proxy.trapped = lambda: len(plain.asked) + len(foreign.asked)
        yield proxy


def untrapped(proxy: Proxy) -> Finding:
    """Whether nobody followed a redirect to where a token must not go."""
    asked = proxy.trapped()
    return Finding(NO_SECRET, asked == 0, f"{asked} requests to servers that a redirect must not lead to")
