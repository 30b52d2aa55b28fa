# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No data class of the agent shows a secret, whoever prints it."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import typing as t

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils import _agent

CANARY = "canary-8c1f"
# Where a token, a nonce or a key is, or something that holds one.
SECRET = {
    "Held": {"text", "vault"},
    "KeptToken": {"client_token"},
    "_Record": {"fields"},
}
# What is named like a secret and is none: numbers of tokens, options' names, words for people.
HARMLESS = {"Problem", "Failure", "Failed", "SinkFailed", "Say", "Finding", "Document", "Block"}
SUSPICIOUS = {"text", "token", "client_token", "nonce", "secret", "secrets", "fields", "values", "body", "secret_key"}


def dataclasses_of_agent() -> list[type[t.Any]]:
    """Every dataclass that a module of the agent defines."""
    found = []
    for module in pkgutil.iter_modules(_agent.__path__, _agent.__name__ + "."):
        for item in vars(importlib.import_module(module.name)).values():
            if isinstance(item, type) and "__dataclass_fields__" in vars(item) and item.__module__ == module.name:
                found.append(item)
    return found


CLASSES = {cls.__name__: cls for cls in dataclasses_of_agent()}


@pytest.mark.parametrize("name", SECRET)
def test_hidden(name: str) -> None:
    """The fields that hold a secret are in no form of it."""
    cls = CLASSES[name]
    made = cls(**{f.name: CANARY if f.name in SECRET[name] else "open" for f in dataclasses.fields(cls) if f.init})
    assert CANARY not in f"{made} {made!r} {[made]}"
    assert "open" in repr(made)


def test_nothing_is_forgotten() -> None:
    """A field that is named like a secret is hidden, or its class is known to hold none."""
    shown = {
        f"{name}.{field.name}"
        for name, cls in CLASSES.items()
        if name not in HARMLESS
        for field in dataclasses.fields(cls)
        if field.name in SUSPICIOUS and field.repr
    }
    assert shown == {"Held.token"}  # a Token, which hides itself
