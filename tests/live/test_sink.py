# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A token kept in a file: when a login is made and when it is not, and that check mode tells the truth."""

from __future__ import annotations

import json
import os
import stat
import typing as t
from pathlib import Path

import pytest

from tests.live.playbooks import MODULE, Played, Player, TaskData, login, mine
from tests.stack.handle import Stack


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the token goes; its directory is there."""
    (tmp_path / "run").mkdir(mode=0o700)
    return tmp_path / "run" / "token"


def kept(
    stack: Stack, path: Path, register: str, task: t.Mapping[str, t.Any] | None = None, **options: t.Any
) -> TaskData:
    """A task that keeps a token in ``path``; ``sink`` adds to the sink's options."""
    sink = {"path": str(path), **options.pop("sink", {})}
    return login(register, task, **{**mine(stack), **options, "sink": sink})


def file(**options: t.Any) -> TaskData:
    """A task that does something to a file."""
    return {"ansible.builtin.file": options}


def revoke(stack: Stack, path: Path) -> TaskData:
    """A task that revokes the token in the file."""
    return {
        "ansible.builtin.uri": {
            "url": f"{stack.env['VAULT_ADDR']}/v1/auth/token/revoke-self",
            "method": "POST",
            "ca_path": stack.env["VAULT_CACERT"],
            "headers": {"X-Vault-Token": "{{ lookup('ansible.builtin.file', '" + str(path) + "') }}"},
            "status_code": 204,
        }
    }


def story(played: Played) -> dict[str, str]:
    """What each task did: logged in, changed something else, nothing, or failed."""

    def word(result: t.Mapping[str, t.Any]) -> str:
        if result.get("failed"):
            return "failed"
        return "login" if "identity" in result else "changed" if result["changed"] else "ok"

    return {name: word(result) for name, result in played.results.items()}


def test_one_file_through_its_life(stack: Stack, player: Player, path: Path) -> None:
    """Every reason for a login, one after the other, and each time the next run has nothing to do."""
    address = stack.env["VAULT_ADDR"]
    other_name = address.replace("127.0.0.1", "localhost")
    before = stack.logins()
    played = player.play(
        kept(stack, path, "first"),
        kept(stack, path, "second"),
        kept(stack, path, "shown", return_token=True),
        kept(stack, path, "longer", min_ttl="9000h"),
        {"ansible.builtin.copy": {"content": "s.somethingElse", "dest": str(path)}},
        kept(stack, path, "altered"),
        file(path=f"{path}.meta", state="absent"),
        kept(stack, path, "unknown"),
        {"ansible.builtin.copy": {"content": "[]", "dest": f"{path}.meta"}},
        kept(stack, path, "garbled"),
        revoke(stack, path),
        kept(stack, path, "revoked"),
        file(path=str(path), state="absent"),
        kept(stack, path, "removed"),
        kept(stack, path, "mode", sink={"mode": "0640"}),
        kept(stack, path, "mode_again", sink={"mode": "0640"}),
        kept(stack, path, "mode_as_integer", sink={"mode": 0o640}),
        kept(stack, path, "role", role="web-batch"),
        kept(stack, path, "role_again", role="web-batch"),
        kept(stack, path, "namespace", namespace="team"),
        kept(stack, path, "namespace_again", namespace="team"),
        kept(stack, path, "namespace_spelled", namespace="/team/"),
        kept(stack, path, "mount", mount_path="aws-open", header_value=None),
        kept(stack, path, "name", url=other_name),
        login("of_another_url", state="absent", sink={"path": str(path)}),
        login("checked", {"check_mode": True}, state="absent", url=other_name, sink={"path": str(path)}),
        login("absent", state="absent", url=other_name, sink={"path": str(path)}),
        login("absent_again", state="absent", url=other_name, sink={"path": str(path)}),
        login("absent_checked", {"check_mode": True}, state="absent", url=other_name, sink={"path": str(path)}),
    )
    told = story(played)
    assert told == {
        "first": "login",
        "second": "ok",
        "shown": "ok",
        "longer": "login",
        "altered": "login",
        "unknown": "login",
        "garbled": "login",
        "revoked": "login",
        "removed": "login",
        "mode": "changed",
        "mode_again": "ok",
        "mode_as_integer": "ok",
        "role": "login",
        "role_again": "ok",
        "namespace": "login",
        "namespace_again": "ok",
        "namespace_spelled": "ok",
        "mount": "login",
        "name": "login",
        "of_another_url": "failed",
        "checked": "changed",
        "absent": "changed",
        "absent_again": "ok",
        "absent_checked": "ok",
    }
    results = played.results
    made = [name for name, word in told.items() if word == "login"]
    assert stack.logins() - before == len(made)
    assert all("client_token" not in json.dumps(results[name]) for name in told if name != "shown")
    assert results["shown"]["login"]["auth"]["client_token"]
    assert results["first"]["login"]["auth"]["accessor"] == results["second"]["login"]["auth"]["accessor"]
    assert results["mode"]["login"]["auth"]["accessor"] == results["removed"]["login"]["auth"]["accessor"]
    assert len({results[name]["login"]["auth"]["accessor"] for name in made}) == len(made)
    reasons = {
        "first": "no token yet",
        "longer": "less than min_ttl",
        "altered": "was altered",
        "unknown": "no record",
        "garbled": "no record",
        "revoked": "revoked or expired",
        "removed": "no token yet",
        "role": "another role",
        "namespace": "another namespace",
        "mount": "another",
        "name": "another url",
        "of_another_url": "is of url",
    }
    for name, words in reasons.items():
        assert words in results[name]["msg"], (name, results[name]["msg"])
    assert any("each run will log in" in warning for warning in results["longer"]["warnings"])
    assert not path.exists()
    assert not list(path.parent.iterdir())


def test_files(stack: Stack, player: Player, path: Path) -> None:
    """The file is the bare token, 0600 whatever the umask; its record has no secret; ``absent`` really revokes."""
    old = os.umask(0)
    try:
        played = player.play(kept(stack, path, "first", return_token=True))
    finally:
        os.umask(old)
    token = played.results["first"]["login"]["auth"]["client_token"]
    assert path.read_text(encoding="utf-8") == token
    record = Path(f"{path}.meta")
    assert [stat.S_IMODE(one.stat().st_mode) for one in (path, record)] == [0o600, 0o600]
    assert token not in record.read_text(encoding="utf-8")
    assert sorted(one.name for one in path.parent.iterdir()) == ["token", "token.meta"]
    assert stack.vault.call("GET", "auth/token/lookup-self", token=token).status == 200
    player.play(login("absent", state="absent", sink={"path": str(path)}))
    assert stack.vault.call("GET", "auth/token/lookup-self", token=token).status == 403


def test_tokens_that_cannot_be_asked(stack: Stack, player: Player, path: Path, tmp_path: Path) -> None:
    """No lookup, or limited uses: the lease counts, it is said once, and no use is spent."""
    limited = tmp_path / "run" / "limited"
    played = player.play(
        kept(stack, path, "silent", role="web-nolookup"),
        kept(stack, path, "silent_again", role="web-nolookup"),
        kept(stack, limited, "limited", role="web-limited", return_token=True),
        kept(stack, limited, "limited_again", role="web-limited"),
        login("absent", state="absent", sink={"path": str(path)}),
    )
    assert story(played) == {
        "silent": "login",
        "silent_again": "ok",
        "limited": "login",
        "limited_again": "ok",
        "absent": "changed",
    }
    for name in ("silent", "limited"):
        assert any("cannot be asked about" in warning for warning in played.results[name]["warnings"])
        assert "warnings" not in played.results[f"{name}_again"]
    assert any("did not revoke" in warning for warning in played.results["absent"]["warnings"])
    token = played.results["limited"]["login"]["auth"]["client_token"]
    statuses = [stack.vault.call("GET", "secret/data/demo", token=token).status for _turn in range(4)]
    assert statuses == [200, 200, 200, 403]


def test_ec2(stack: Stack, player: Player, path: Path, instance: str) -> None:
    """An ec2 login with a sink: the generated nonce is in the result of the one login, then not needed."""
    ec2 = {"type": "ec2", "role": "node", "sink": {"path": str(path)}}
    before = stack.logins("aws")
    played = player.play(
        login("first", **ec2), login("second", **ec2), login("given", **ec2, nonce="{{ first.nonce }}")
    )
    assert story(played) == {"first": "login", "second": "ok", "given": "ok"}
    assert stack.logins("aws") == before + 1
    assert played.results["first"]["nonce"]
    assert "client_token" not in played.results["first"]["login"]["auth"]
    assert played.results["first"]["identity"]["instance_id"] == instance
    assert played.results["first"]["nonce"] not in Path(f"{path}.meta").read_text(encoding="utf-8")


def test_check_mode(stack: Stack, player: Player, path: Path) -> None:
    """Check mode logs in never, writes nothing, and says ``changed`` where the real run then changes."""
    cases: list[tuple[str, dict[str, t.Any]]] = [
        ("new", {}),
        ("same", {}),
        ("mode", {"sink": {"mode": "0640"}}),
        ("role", {"role": "web-batch"}),
        ("longer", {"role": "web-batch", "min_ttl": "9000h"}),
    ]
    tasks = []
    for name, options in cases:
        tasks.append(kept(stack, path, f"{name}_checked", {"check_mode": True, "diff": True}, **options))
        tasks.append(kept(stack, path, name, {"diff": True}, **options))
    tasks.append(login("plain_checked", {"check_mode": True}, **mine(stack)))
    tasks.append(login("absent_checked", {"check_mode": True}, state="absent", sink={"path": str(path)}))
    tasks.append(login("absent", state="absent", sink={"path": str(path)}))
    before = stack.logins("aws")
    played = player.play(*tasks)
    results = played.results
    expected = {"new": True, "same": False, "mode": True, "role": True, "longer": True, "absent": True}
    assert {name: results[name]["changed"] for name in expected} == expected
    assert {name: results[f"{name}_checked"]["changed"] for name in expected} == expected
    assert results["plain_checked"]["changed"] is True
    for name, result in results.items():
        if name.endswith("_checked"):
            assert not result.get("failed"), result
            assert "login" not in result
            assert "identity" not in result
    assert stack.logins("aws") == before + 3
    for name in ("new", "role"):
        assert results[f"{name}_checked"]["msg"] == results[name]["msg"]
        assert results[f"{name}_checked"]["diff"]["before"] == results[name]["diff"]["before"]
    assert results["new"]["diff"]["after"]["accessor"] == results["new"]["login"]["auth"]["accessor"]
    assert results["mode"]["diff"]["before"]["mode"] == "0600"
    assert results["mode"]["diff"]["after"]["mode"] == "0640"
    assert results["new"]["login"]["auth"]["accessor"] in played.stdout  # the diff is shown


def test_check_mode_of_a_whole_run(stack: Stack, player: Player, path: Path) -> None:
    """``ansible-playbook --check`` on a host that has no token yet."""
    before = stack.logins()
    played = player.play(kept(stack, path, "first"), arguments=["--check", "--diff"])
    assert played.results["first"]["changed"] is True
    assert stack.logins() == before
    assert not list(path.parent.iterdir())


def test_ten_at_once(stack: Stack, player: Player, path: Path) -> None:
    """Ten tasks at the same moment that want the same file need one login between them."""
    hosts = [f"host{number}" for number in range(10)]
    before = stack.logins("aws")
    played = player.play(kept(stack, path, "token"), arguments=["--forks", "10"], hosts=hosts)
    assert played.rc == 0, played.shown
    results = [host["token"] for host in played.hosts.values()]
    assert stack.logins("aws") == before + 1
    assert [result["changed"] for result in results].count(True) == 1
    assert len({result["login"]["auth"]["accessor"] for result in results}) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_owner(stack: Stack, player: Player, path: Path) -> None:
    """Owner and group are set with the file, and again where somebody changed them; no login for that."""
    owned = {"sink": {"owner": "nobody", "group": "65534", "mode": "0640"}}
    played = player.play(
        kept(stack, path, "first", **owned),
        kept(stack, path, "again", **owned),
        file(path=str(path), owner="root"),
        kept(stack, path, "corrected", **owned),
    )
    assert story(played) == {"first": "login", "again": "ok", "corrected": "changed"}
    found = path.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (65534, 65534, 0o640)
    assert Path(f"{path}.meta").stat().st_uid == 0


def test_server_away(breakable: Stack, player: Player, path: Path) -> None:
    """A server that cannot be asked is no reason to throw a token away: the task fails, the file stays."""
    player.play(kept(breakable, path, "first"))
    token = path.read_text(encoding="utf-8")
    breakable.seal()
    sealed = player.play(kept(breakable, path, "again"), login("absent", state="absent", sink={"path": str(path)}))
    assert story(sealed) == {"again": "failed", "absent": "failed"}
    assert "an operator must unseal it" in sealed.results["again"]["msg"]
    breakable.unseal()
    before = breakable.logins()
    assert story(player.play(kept(breakable, path, "back"))) == {"back": "ok"}
    assert breakable.logins() == before
    assert path.read_text(encoding="utf-8") == token


def test_loop_and_several_sinks(stack: Stack, player: Player, path: Path) -> None:
    """A loop over sinks, each with its own file; the second round has nothing to do."""
    places = [f"{path}-{name}" for name in ("a", "b")]

    def task(register: str) -> TaskData:
        options = {**mine(stack), "sink": {"path": "{{ item }}"}}
        return {MODULE: options, "register": register, "loop": places}

    played = player.play(task("one"), task("two"))
    assert [item["changed"] for item in played.results["one"]["results"]] == [True, True]
    assert [item["changed"] for item in played.results["two"]["results"]] == [False, False]
