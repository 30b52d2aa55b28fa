# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures: one booted host for all, beside the stack; an agent for each test."""

from __future__ import annotations

import typing as t

import pytest

from tests.fleet import library
from tests.fleet.host import Host, booted
from tests.stack.handle import Stack

from .service import Service


@pytest.fixture(scope="session")
def host() -> t.Iterator[Host]:
    """A host with the agent's code."""
    with booted("trixie", binds=library.binds("trixie")) as host:
        library.install(host)
        yield host


class Serve(t.Protocol):
    """Puts an agent onto the host."""

    def __call__(self, kind: str, number: int = 0, **wishes: t.Any) -> Service:
        """number: of the stack's instance that it is on. wishes: as ``Service``."""


@pytest.fixture
def serve(host: Host, stack: Stack) -> t.Iterator[Serve]:
    """Puts agents onto the host, which go with the test; whether they told a secret is looked at before."""
    made: list[Service] = []

    def add(kind: str, number: int = 0, **wishes: t.Any) -> Service:
        made.append(Service(host, stack, kind, stack.instances[number], **wishes))
        return made[-1]

    try:
        yield add
        for service in made:
            service.judge_secrecy()
    finally:
        for service in made:
            service.remove()
