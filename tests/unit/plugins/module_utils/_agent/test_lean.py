# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTTP libraries of a process that stays: what is left out, and that nobody else notices."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t

import pytest

PACKAGE = "ansible_collections.vaultfleet.aws.plugins.module_utils"
_RUN = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
{before}
from {package}._agent import lean
lean.load()
{after}
"""


def run(after: str, before: str = "") -> t.Any:
    """Run code around the loading, in a process of its own; what it prints as JSON."""
    code = _RUN.format(before=before, package=PACKAGE, after=after)
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code, json.dumps(sys.path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout)


def test_what_is_left_out() -> None:
    """Neither the guessers nor hvac's modules for what we do not use; what we use works."""
    found = run(
        f"""
from {PACKAGE}._auth.vault import Vault
from {PACKAGE}._auth.config import VaultConnection
from {PACKAGE}._auth.errors import VaultError
try:
    Vault(VaultConnection.from_options({{"url": "http://127.0.0.1:1", "retries": 0}}), "test").renew_self("s.token")
except VaultError as e:
    print(json.dumps([sorted(sys.modules), str(e)]))
"""
    )
    modules, error = found
    assert "requests.adapters" in modules
    assert "hvac.api.auth_methods.token" in modules
    assert not [name for name in modules if name.partition(".")[0] in ("chardet", "charset_normalizer")]
    assert not [name for name in modules if name.startswith(("hvac.api.secrets_engines", "hvac.api.system_backend"))]
    assert "zipfile" not in modules
    assert "importlib.metadata" not in modules
    assert "renewing the token failed" in error
    assert "refused" in error


def test_what_is_left_out_can_be_had() -> None:
    """Whoever needs it later imports it; and requests takes each path for one of a file."""
    after = f"""
import charset_normalizer, importlib.metadata, requests, zipfile
path = requests.utils.extract_zipped_paths({__file__!r} + "/inside")
print(json.dumps([charset_normalizer.detect(b"abc")["encoding"], hasattr(zipfile, "ZipFile"), path]))
"""
    assert run(after) == ["ascii", True, __file__ + "/inside"]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("Client.__init__ = None", id="another client"),
        pytest.param("Client.auth = property(lambda self: 1 / 0)", id="another way to the token"),
    ],
)
def test_another_hvac_is_loaded_whole(change: str) -> None:
    """What cannot do without comes back with all its parts."""
    before = f"""
import importlib.abc, importlib.machinery

class Other(importlib.abc.MetaPathFinder):
    '''Changes what is loaded while the package is hollow.'''
    def find_spec(self, name, path=None, target=None):
        if name != "hvac":
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        load = spec.loader.exec_module
        def changed(module):
            load(module)
            if "hvac.api.secrets_engines" not in sys.modules:
                exec({change!r}, vars(module))
        spec.loader.exec_module = changed
        return spec

sys.meta_path.insert(0, Other())
"""
    after = """
import hvac
client = hvac.Client(url="http://127.0.0.1:1", token="")
print(json.dumps(["hvac.api.secrets_engines.kv" in sys.modules, type(client.auth.token).__module__]))
"""
    assert run(after, before) == [True, "hvac.api.auth_methods.token"]


def test_an_older_requests_is_loaded_whole() -> None:
    """It insists on a guesser, and gets it."""
    before = """
import importlib.abc
class Insist(importlib.abc.MetaPathFinder):
    '''Imports the guesser before requests, as its versions before 2.32 do.'''
    def find_spec(self, name, path=None, target=None):
        if name == "requests.compat":
            import charset_normalizer
        return None
sys.meta_path.insert(0, Insist())
"""
    after = """
import requests
print(json.dumps([requests.compat.chardet.__name__, "charset_normalizer" in sys.modules]))
"""
    assert run(after, before) == ["charset_normalizer", True]


def test_loaded_before() -> None:
    """What is there stays as it is."""
    before = "import hvac, requests; kept = hvac.Client"
    after = 'import hvac; print(json.dumps([hvac.Client is kept, "hvac.api.secrets_engines.kv" in sys.modules]))'
    assert run(after, before) == [True, True]


@pytest.mark.parametrize("missing", ["hvac", "requests"])
def test_a_missing_library(missing: str) -> None:
    """That is told by the command, not here."""
    before = f"""
import importlib.machinery
class Without(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] == "{missing}" else super().find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(importlib.machinery.PathFinder)] = Without
"""
    assert run(f'print(json.dumps("{missing}" in sys.modules))', before) is False
