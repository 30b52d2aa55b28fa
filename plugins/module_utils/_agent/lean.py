# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Loads the HTTP libraries for a process that stays: without what it would carry for ever and never use.

That is an eighth of the whole agent (``make bench``). A version of a library that cannot do without is loaded whole.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
import types
import typing as t
import warnings

# With them requests guesses the encoding of a text whose sender does not tell it. Vault's answers are JSON, and read as
# bytes.
_GUESSERS = ("chardet", "charset_normalizer")
# With it requests finds certificates inside of archives; ours are files, which the core loads itself.
_ARCHIVES = "zipfile"


def load() -> None:
    """Load requests and hvac. To be called before the core is imported."""
    _load_requests()
    _load_hvac()


def _load_requests() -> None:
    if "requests" in sys.modules:
        return
    away: dict[str, types.ModuleType | None] = dict.fromkeys(_GUESSERS)  # None: cannot be imported
    away[_ARCHIVES] = _no_archives()
    away = {name: module for name, module in away.items() if name not in sys.modules}
    sys.modules.update(away)  # type: ignore[arg-type]
    _hollow_http2()
    try:
        with warnings.catch_warnings(), contextlib.suppress(ImportError):  # a requests before 2.32 insists on a guesser
            warnings.simplefilter("ignore")
            import requests  # noqa: F401
    finally:
        for name in away:
            del sys.modules[name]


def _no_archives() -> types.ModuleType:
    module = types.ModuleType(_ARCHIVES)
    vars(module)["is_zipfile"] = lambda _path: False
    return module


def _hollow_http2() -> None:
    """Leave HTTP/2 out of urllib3, which asks for its state alone."""
    folder = os.path.join(_folder("urllib3") or "", "http2")
    if "urllib3" not in sys.modules and os.path.isfile(os.path.join(folder, "probe.py")):
        _hollow("urllib3.http2", folder)


def _load_hvac() -> None:
    """Load hvac without its fifty modules for secrets engines, auth methods and Vault's system: the core speaks through
    the adapter, and uses one of them, the token's.
    """
    if "hvac" in sys.modules:
        return
    home = _folder("hvac")
    if home is None:
        return  # which the core tells of
    folder = os.path.join(home, "api")
    try:
        _hollow("hvac.api", folder, AuthMethods=_AuthMethods, SecretsEngines=_Nothing, SystemBackend=_Nothing)
        _hollow("hvac.api.auth_methods", os.path.join(folder, "auth_methods"))
        import hvac

        if not hasattr(hvac.Client(url="http://localhost", token="").auth.token, "renew_self"):
            raise AttributeError("renew_self")
    except Exception:  # noqa: BLE001 - whatever another hvac makes of it
        for name in [name for name in sys.modules if name.partition(".")[0] == "hvac"]:
            del sys.modules[name]


def _folder(package: str) -> str | None:
    """Where a package is, if it is there."""
    found = importlib.util.find_spec(package)
    return found.submodule_search_locations[0] if found and found.submodule_search_locations else None


def _hollow(name: str, folder: str, **members: t.Any) -> None:
    """Put a package in place whose own module is left out; the modules in its folder can be imported."""
    package = types.ModuleType(name)
    package.__path__ = [folder]
    vars(package).update(members)
    sys.modules[name] = package


class _Nothing:
    """Stands for a category of the API that is not used."""

    def __init__(self, adapter: t.Any) -> None:
        pass


class _AuthMethods:
    """The auth methods, of which there is one."""

    def __init__(self, adapter: t.Any) -> None:
        from hvac.api.auth_methods.token import Token

        self.token = Token(adapter=adapter)
