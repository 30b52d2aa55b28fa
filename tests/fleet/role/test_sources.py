# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a bundle comes from: wheels without an index, a file, a URL; and what is not the file that was meant."""

from __future__ import annotations

import functools
import hashlib
import http.server
import shutil
import threading
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle import build, pins, wheels
from tests.fleet.fleet import Fleet
from tests.fleet.host import Host
from tests.stack.handle import Stack

from . import bundles, looks
from .runs import Runner, works

PLACE = "bookworm"
HERE = ("--limit", PLACE)
NAME = "sourced"
# As a company has it whose controller must not reach any index.
NO_INDEX = """[global]
index-url = http://127.0.0.1:9/simple
retries = 0
timeout = 2
"""


@pytest.fixture
def host(fleet: Fleet, plain: Runner) -> t.Iterator[Host]:
    """One without the agent of these tests, before and after them."""
    yield fleet.host(PLACE)
    plain.remove([NAME], *HERE).judge_success()


def test_wheels_without_an_index(fleet: Fleet, host: Host, stack: Stack, tmp_path: Path) -> None:
    """The role builds from the user's folder, on a controller that has nothing else."""
    home, wheelhouse = tmp_path / "home", tmp_path / "wheelhouse"
    config = home / ".config" / "pip" / "pip.conf"
    for folder in (config.parent, wheelhouse):
        folder.mkdir(parents=True)
    config.write_text(NO_INDEX, encoding="ascii")
    runner = Runner(fleet, home)
    runner.prepare(bundles=False)
    lacking = runner.role(*HERE, name=NAME, bundle_src=None)
    assert "package index" in lacking.failed[PLACE], lacking.shown
    assert not (home / ".cache" / "vaultfleet-aws" / "bundles").exists() or not [*home.rglob("*.tar.gz")]
    lock = pins.read(bundles.PYTHONS[PLACE])
    for pin, path in wheels.from_index(lock, str(Path(build.cache_folder()) / "wheels")).items():
        shutil.copyfile(path, wheelhouse / f"{pin.name.replace('-', '_')}-{pin.version}-py3-none-any.whl")
    done = runner.role(*HERE, name=NAME, wheelhouse=str(wheelhouse))
    done.judge_success()
    agent = looks.agent(host, NAME)
    assert works(stack, agent.token)
    built = bundles.current()[PLACE]
    assert agent.version == built.version, "it is the same as that from the index"
    assert [hashlib.sha256(path.read_bytes()).hexdigest() for path in home.rglob("*.tar.gz")] == [built.sha256]


def test_a_url(fleet: Fleet, host: Host, plain: Runner, stack: Stack, tmp_path: Path) -> None:
    """The host fetches it, once; what is not the file that was meant leaves nothing behind."""
    bundle = bundles.current()[PLACE]
    served = tmp_path / "served"
    served.mkdir()
    shutil.copyfile(bundle.path, served / "agent.tar.gz")
    asked: list[str] = []

    class Files(http.server.SimpleHTTPRequestHandler):
        """Serves a folder."""

        def log_message(self, format: str, *args: t.Any) -> None:  # noqa: A002
            asked.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=served)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        fleet.members[PLACE].network.reach(port)
        url = f"http://127.0.0.1:{port}/agent.tar.gz"
        before = looks.files(host)
        for sha256, source in (("0" * 64, url), (bundle.sha256, f"{url}.none")):
            done = plain.role(*HERE, name=NAME, bundle_src=source, bundle_sha256=sha256)
            words = done.failed[PLACE]
            assert words.startswith("vault_agent_bundle_src: the host has no bundle to run from: "), words
            assert "vault_agent_bundle_sha256" in words, words
            assert looks.files(host) == before
        asked.clear()
        given: dict[str, t.Any] = {"name": NAME, "bundle_src": url, "bundle_sha256": bundle.sha256}
        plain.role(*HERE, **given).judge_success()
        assert asked == ["/agent.tar.gz"]
        assert works(stack, looks.agent(host, NAME).token)
        again = plain.role(*HERE, **given)
        again.judge_success()
        assert again.changed == {PLACE: []}
        assert asked == ["/agent.tar.gz"]
        server.shutdown()


def test_a_file(host: Host, plain: Runner, stack: Stack, tmp_path: Path) -> None:
    """It is judged on the controller, before any host is looked at."""
    bundle = bundles.current()[PLACE]
    shutil.copyfile(bundle.path, plain.folder / "agent.tar.gz")
    wrong = plain.role(*HERE, name=NAME, bundle_src="agent.tar.gz", bundle_sha256="0" * 64)
    assert wrong.failed[PLACE].startswith("vault_agent_bundle_sha256: "), wrong.shown
    assert bundle.sha256 in wrong.failed[PLACE], wrong.shown
    assert not any(wrong.executed.values()), wrong.executed
    done = plain.role(*HERE, name=NAME, bundle_src="agent.tar.gz", bundle_sha256=bundle.sha256)
    done.judge_success()
    assert works(stack, looks.agent(host, NAME).token)
