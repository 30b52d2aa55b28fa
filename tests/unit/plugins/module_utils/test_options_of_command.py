# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The login command has the module's options, from the module's environment, but for secrets on the command line."""

from __future__ import annotations

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils import _options
from ansible_collections.vaultfleet.aws.plugins.module_utils._cli import arguments

SPEC = {**_options.LOGIN_SPEC, **_options.CONNECTION_SPEC}
TABLE = {**arguments.LOGIN, **arguments.CONNECTION}
VALUES = [name for name in TABLE if name not in (*arguments.CHOICES, *arguments.BY_FILE, "validate_certs")]


def taken(argv: list[str]) -> dict[str, object]:
    """The options of a command line, of both kinds."""
    given = arguments.read(argv)
    return {**given.login, **given.connection}


def test_each_option_is_there() -> None:
    """Each is in the group that it is in for the module."""
    assert set(arguments.LOGIN) == set(_options.LOGIN_SPEC)
    assert {*arguments.CONNECTION, *arguments.BY_ENVIRONMENT} == set(_options.CONNECTION_SPEC)


def test_no_secret_is_an_argument() -> None:
    """What the module hides has no option that takes the value itself."""
    assert {*arguments.BY_FILE, *arguments.BY_ENVIRONMENT} == {n for n, spec in SPEC.items() if spec.get("no_log")}


@pytest.mark.parametrize("name", TABLE)
def test_defaults_and_choices(name: str) -> None:
    """The help tells the truth."""
    spec = SPEC[name]
    assert list(arguments.CHOICES.get(name, ())) == spec.get("choices", [])
    default = spec.get("default")
    if name == "validate_certs":
        assert default is True
        assert "(default: it is)" in TABLE[name][1]
    elif default is not None:
        assert f"(default: {default})" in TABLE[name][1]


@pytest.mark.parametrize("name", [name for name in SPEC if name != "validate_certs"])
def test_the_same_environment_in_the_same_order(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Variable by variable, the first that is set and not empty counts."""
    _fallback, variables = SPEC[name]["fallback"]
    default = {"type": "iam"}.get(name)
    assert taken([]).get(name) == default
    for variable in variables:
        monkeypatch.setenv(variable, f"of {variable}")
    for variable in variables:
        assert taken([])[name] == f"of {variable}"
        monkeypatch.setenv(variable, "")
    assert taken([]).get(name) == default


def test_certificates_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Vault's variable says the opposite; an argument beats it."""
    assert "validate_certs" not in taken([])
    monkeypatch.setenv("VAULT_SKIP_VERIFY", "true")
    assert taken([])["validate_certs"] is False
    assert taken(["--validate-certs"])["validate_certs"] is True
    assert taken(["--no-validate-certs"])["validate_certs"] is False


@pytest.mark.parametrize("name", VALUES)
def test_arguments_beat_the_environment(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Each argument lands under the core's name."""
    monkeypatch.setenv(f"VAULTFLEET_AWS_{name.upper()}", "of the environment")
    assert taken([f"--{name.replace('_', '-')}", "mine"])[name] == "mine"
