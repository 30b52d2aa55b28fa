# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The nonce and the token outlive the process: kept by a manager at the other end of a real socket."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import json
import os
import threading
import typing as t
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import store as module
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.messages import Lease
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.store import KeptToken, Store, binding, nonce_key
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.systemd import Notifier
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import clock
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig, VaultConnection
from ansible_collections.vaultfleet.aws.tests.unit.plugins.module_utils._agent.manager import Manager, managed
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz import fd_store
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.target import try_out

URL = "https://vault.example.org:8200"
KEY = nonce_key(VaultConnection(URL), LoginConfig(type="ec2", role="web"))
OTHER_KEY = "0" * 64
NONCE = "canary-nonce"
TOKEN = "hvs.canary"
SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


@pytest.fixture
def manager(tmp_path: Path) -> t.Iterator[Manager]:
    """A manager with room."""
    with managed(tmp_path / "notify") as one:
        yield one


def start(manager: Manager, limit: int | None = None) -> Store:
    """A process of the service begins, with what the last one left."""
    settle(manager)
    store = Store.from_fds(Notifier.from_environ(manager.environ), manager.hand_back(), limit)
    settle(manager)
    return store


def settle(manager: Manager) -> None:
    """Until the manager has done what it was told."""
    assert Notifier.from_environ(manager.environ).barrier(5)


def kept(token: str = TOKEN, **changes: t.Any) -> KeptToken:
    """A token, just handed out."""
    lease = Lease(number=1, since=clock.now(), ttl=60, renewable=True, granted=60, asks=True)
    return KeptToken(token, "accessor", dataclasses.replace(lease, **changes))


def contents(manager: Manager) -> list[dict[str, t.Any]]:
    """The records as the manager holds them."""
    return [json.loads(os.pread(descriptor, 10_000, 0)) for _name, descriptor in manager.held]


def sealed(content: bytes, seals: int = SEALS) -> int:
    """Memory as a record is in."""
    descriptor = os.memfd_create("test", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(descriptor, content)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor


def nonce_record(seq: int = 1, **changes: t.Any) -> bytes:
    """A nonce record as the first version wrote it, spelt out here so that nothing can change it unseen."""
    return json.dumps({"v": 1, "seq": seq, "key": KEY, "nonce": NONCE, **changes}).encode()


# --- the nonce


def test_nonce_outlives_the_process(manager: Manager) -> None:
    """It is held once ``put_nonce`` says so, and the next processes get it."""
    store = start(manager)
    assert store.nonce(KEY) is None
    assert store.put_nonce(KEY, NONCE)
    assert store.nonce(KEY) == NONCE
    settle(manager)
    assert [message[0] for message in manager.messages][-5:-1] == [
        "FDSTORE=1",  # the nonce
        "FDSTORE=1",  # what proves that there was room for it
        "BARRIER=1",
        "FDSTOREREMOVE=1",
    ]
    for _restart in range(3):
        store = start(manager)
        assert store.nonce(KEY) == NONCE
        assert store.nonce(OTHER_KEY) is None
        assert store.problems == []
        assert manager.names() == ["vf-nonce-1"]


def test_the_nonce_format_is_frozen(manager: Manager) -> None:
    """What is written, and that a record of the first version is read: neither may ever change."""
    key = "b083c935f9cf57f9717fc573704e6b53b8fd20d655780268f216d40e962c5bec"
    assert key == KEY
    start(manager).put_nonce(KEY, NONCE)
    settle(manager)
    assert contents(manager) == [{"v": 1, "seq": 1, "key": KEY, "nonce": NONCE}]
    old = f'{{"v": 1, "seq": 7, "key": "{key}", "nonce": "5dd5e1c6-9a9f-4d5d-8d36-c9f0bd1fd3b7"}}'
    found = Store.from_fds(Notifier(None), {"vf-nonce-7": [sealed(old.encode())]})
    assert found.nonce(KEY) == "5dd5e1c6-9a9f-4d5d-8d36-c9f0bd1fd3b7"


def test_a_nonce_of_a_later_version() -> None:
    """Is read, with what this version does not know, and under whatever name follows the prefix."""
    later = nonce_record(v=3, nonce="later", lifetime={"days": [1]})
    assert Store.from_fds(Notifier(None), {"vf-nonce-of-v3": [sealed(later)]}).nonce(KEY) == "later"


@pytest.mark.parametrize("refuses_late", [False, True])
@pytest.mark.parametrize("limit", [None, 0, 1])
def test_no_room(limit: int | None, refuses_late: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A manager that keeps nothing says nothing: it is found out, told, and the nonce lasts as long as the process."""
    monkeypatch.setattr(module, "_LATE_CLOSE", 30)  # it is not waited for to its end, however busy the machine is
    with managed(tmp_path / "notify", room=0, refuses_late=refuses_late) as manager:
        store = start(manager, limit)
        assert not store.put_nonce(KEY, NONCE)
        assert not store.available()
        assert store.nonce(KEY) == NONCE
        told = "the service manager has no room (set FileDescriptorStoreMax=8 in the unit)"
        assert store.problems == [f"token and nonce end with this process: {told}"]
        assert start(manager, limit).nonce(KEY) is None


def test_no_room_is_asked_for_once(tmp_path: Path) -> None:
    """The manager complains in its log of each descriptor that it has to refuse."""
    with managed(tmp_path / "notify", room=0) as manager:
        store = start(manager)
        for _renewal in range(5):
            assert not store.put_token("b", kept())
        settle(manager)
        assert sum("FDSTORE=1" in message for message in manager.messages) == 1


@pytest.mark.parametrize(
    ("limit", "room", "expected"), [(8, 8, True), (0, 0, False), (None, 8, True), (None, 0, False)]
)
def test_available(limit: int | None, room: int, expected: bool, tmp_path: Path) -> None:
    """As the manager tells, or as it is found out; the probe leaves nothing behind."""
    with managed(tmp_path / "notify", room=room) as manager:
        store = start(manager, limit)
        assert store.available() is expected
        settle(manager)
        assert manager.names() == []


def test_a_manager_that_hangs(manager: Manager) -> None:
    """The nonce is not said to be kept; once the manager answers, it can be."""
    store = start(manager)
    manager.deafen()
    assert store.available(timeout=0.1)  # for all that is known
    assert not store.put_nonce(KEY, NONCE, timeout=0.1)
    assert store.problems == ["token and nonce end with this process: the service manager does not answer"]
    manager.deaf.clear()
    assert store.put_nonce(KEY, NONCE)
    settle(manager)
    assert manager.names() == ["vf-nonce-2"]  # and the first try is gone


def test_no_manager() -> None:
    """Everything lasts as long as the process, which is told."""
    store = Store.from_fds(Notifier.from_environ({}), {})
    assert not store.available()
    assert not store.put_nonce(KEY, NONCE)
    assert store.nonce(KEY) == NONCE
    assert not store.put_token("b", kept())
    store.forget_token()
    assert store.problems == [
        "token and nonce end with this process: there is no service manager (NOTIFY_SOCKET is not set)"
    ]


def test_a_manager_that_has_gone(tmp_path: Path) -> None:
    """No error, and nothing is said to be kept."""
    with managed(tmp_path / "notify") as manager:
        store = start(manager)
    assert not store.put_nonce(KEY, NONCE)
    assert not store.put_token("b", kept())
    assert not store.available()
    assert store.problems[0] == "token and nonce end with this process: the service manager takes no messages"


def test_another_nonce_replaces_it(manager: Manager) -> None:
    """At every moment the manager holds one of them."""
    store = start(manager)
    assert store.put_nonce(KEY, "first")
    assert store.put_nonce(KEY, "second")
    assert store.put_nonce(KEY, "second")  # nothing to do
    settle(manager)
    assert manager.names() == ["vf-nonce-2"]
    assert order(manager, "vf-nonce-1", "vf-nonce-2") == ["+1", "+2", "-1"]
    assert start(manager).nonce(KEY) == "second"


def order(manager: Manager, first: str, second: str) -> list[str]:
    """In which order these two came and went."""
    signs = {"FDSTORE=1": "+", "FDSTOREREMOVE=1": "-"}
    numbers = {f"FDNAME={first}": "1", f"FDNAME={second}": "2"}
    return [signs[message[0]] + numbers[message[1]] for message in manager.messages if message[-1] in numbers]


def test_nonces_of_other_servers_stay(manager: Manager) -> None:
    """A mistaken url must not cost the nonce of the right one; but there is an end to it, and the newest stay."""
    store = start(manager)
    keys = [str(number) * 64 for number in range(6)]
    for key in keys:
        assert store.put_nonce(key, f"nonce-{key}")
    settle(manager)
    assert len(manager.held) == 4
    assert manager.most <= module.NEEDED_SLOTS
    store = start(manager)
    assert [store.nonce(key) for key in keys] == [None, None, *(f"nonce-{key}" for key in keys[2:])]


def test_everything_at_once_has_room(tmp_path: Path) -> None:
    """In the number of slots that the unit is told to give."""
    with managed(tmp_path / "notify", room=module.NEEDED_SLOTS) as manager:
        store = start(manager)
        for round_ in range(8):
            assert store.put_token("b", kept())
            assert store.put_nonce(str(round_ % 6) * 64, f"nonce-{round_}")
            store = start(manager)
            assert store.problems == []
        assert store.token("b")


# --- the token


def test_token_outlives_the_process(manager: Manager) -> None:
    """With its lease, on a clock that goes on."""
    before = kept(num_uses=3, asks=None, renewable=False, granted=90, ttl=80.5)
    before = dataclasses.replace(
        before, wrapped={"/run/x/token": {"token": "hvs.wrapping", "text": "{}\n", "ttl": 300}}
    )
    assert start(manager).put_token("b", before)
    for _restart in range(2):
        store = start(manager)
        assert store.token("b") == before
        assert store.problems == []


def test_tokens_replace_each_other(manager: Manager) -> None:
    """The new one is handed over before the old one is removed, and the next process gets the newest."""
    store = start(manager)
    for number in range(5):
        assert store.put_token("b", kept(f"hvs.{number}"))
    settle(manager)
    assert manager.names() == ["vf-token-5"]
    assert order(manager, "vf-token-4", "vf-token-5") == ["+1", "+2", "-1"]
    found = start(manager).token("b")
    assert found
    assert found.client_token == "hvs.4"


def test_killed_between_two_messages(manager: Manager) -> None:
    """Both are there then: the newest counts, and the old one is removed by the next process."""
    start(manager).put_token("b", kept("hvs.old"))
    settle(manager)
    old = manager.hand_back()
    start(manager).put_token("b", kept("hvs.new"))
    settle(manager)
    Notifier.from_environ(manager.environ).store("vf-token-1", old["vf-token-1"][0])
    settle(manager)
    assert sorted(manager.names()) == ["vf-token-1", "vf-token-2"]
    store = start(manager)
    found = store.token("b")
    assert found
    assert found.client_token == "hvs.new"
    assert manager.names() == ["vf-token-2"]
    assert store.problems == []


def test_forgotten(manager: Manager) -> None:
    """A token that was revoked is not given back; a nonce stays."""
    store = start(manager)
    store.put_nonce(KEY, NONCE)
    store.put_token("b", kept())
    store.forget_token()
    store.forget_token()
    settle(manager)
    assert manager.names() == ["vf-nonce-1"]
    assert start(manager).token("b") is None


def test_of_another_login(manager: Manager) -> None:
    """It is dropped, and that is told."""
    start(manager).put_token("b", kept())
    store = start(manager)
    assert store.token("other") is None
    assert store.problems == ["dropped the token of the last process: the configuration changed what it is for"]
    assert store.token("b") is None
    settle(manager)
    assert manager.names() == []


@pytest.mark.parametrize("how", ["boot id", "clock"])
def test_of_another_boot(how: str, manager: Manager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its times mean nothing then."""
    start(manager).put_token("b", kept(since=clock.now() + 1000 if how == "clock" else clock.now()))
    if how == "boot id":
        (tmp_path / "boot_id").write_text("another\n")
        monkeypatch.setattr(module, "_BOOT_ID", str(tmp_path / "boot_id"))
    store = start(manager)
    assert store.token("b") is None
    assert store.problems == ["dropped the token of the last process: it is of another boot of this machine"]


def test_proc_is_closed(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    """ProcSubset=pid hides the boot's id; a memfd cannot be of another one."""
    monkeypatch.setattr(module, "_BOOT_ID", "/nonexistent")
    start(manager).put_token("b", kept())
    assert start(manager).token("b")


def test_a_token_of_another_version_is_dropped(manager: Manager) -> None:
    """An upgrade or a roll-back costs a login then, and nothing worse; the nonce is kept."""
    store = start(manager)
    store.put_nonce(KEY, NONCE)
    store.put_token("b", kept())
    settle(manager)
    record = next(content for content in contents(manager) if "token" in content)
    Notifier.from_environ(manager.environ).store(
        "vf-token-9", sealed(json.dumps({**record, "v": 2, "seq": 9}).encode())
    )
    Notifier.from_environ(manager.environ).remove("vf-token-2")
    store = start(manager)
    assert store.token("b") is None
    assert store.nonce(KEY) == NONCE
    assert store.problems == [
        "removed 'vf-token-9' from the service manager's store: it is of another version of this agent"
    ]
    assert manager.names() == ["vf-nonce-1"]


# --- what is no record


def pipe_end() -> int:
    """No memfd."""
    ours, theirs = os.pipe()
    os.close(ours)
    return theirs


def closed() -> int:
    """A number that is no descriptor any more."""
    descriptor = pipe_end()
    os.close(descriptor)
    return descriptor


FOREIGN: dict[str, tuple[str, t.Callable[[], int]]] = {
    "another name": ("listener", pipe_end),
    "no memfd": ("vf-token-3", pipe_end),
    "closed": ("vf-token-3", closed),
    "not sealed": ("vf-nonce-3", lambda: sealed(nonce_record(seq=3), 0)),
    "can grow": ("vf-nonce-3", lambda: sealed(nonce_record(seq=3), SEALS & ~fcntl.F_SEAL_GROW)),
    "empty": ("vf-nonce-3", lambda: sealed(b"")),
    "no JSON": ("vf-nonce-3", lambda: sealed(b"{")),
    "no UTF-8": ("vf-nonce-3", lambda: sealed(b"\xff\xfe")),
    "too deep": ("vf-nonce-3", lambda: sealed(b"[" * 60_000)),
    "too large": ("vf-nonce-3", lambda: sealed(b" " * 70_000)),
    "no object": ("vf-nonce-3", lambda: sealed(b"[1]")),
    "huge seq": ("vf-nonce-3", lambda: sealed(nonce_record(seq=10**4000))),
    "seq is true": ("vf-nonce-3", lambda: sealed(nonce_record(seq=True))),
    "version 0": ("vf-nonce-3", lambda: sealed(nonce_record(v=0))),
    "no nonce": ("vf-nonce-3", lambda: sealed(nonce_record(nonce=""))),
    "long nonce": ("vf-nonce-3", lambda: sealed(nonce_record(nonce="ä" * 65))),
    "two lines": ("vf-nonce-3", lambda: sealed(nonce_record(nonce="a\nb"))),
    "half a character": ("vf-nonce-3", lambda: sealed(nonce_record(nonce="\ud800"))),
    "no key": ("vf-nonce-3", lambda: sealed(nonce_record(key=None))),
    "NaN": ("vf-token-3", lambda: sealed(b'{"v": 1, "seq": NaN}')),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_foreign_descriptors(case: str, manager: Manager) -> None:
    """Closed, removed and told, without a word of what is in them; what is good beside them stays."""
    store = start(manager)
    assert store.put_nonce(KEY, NONCE)
    assert store.put_token("b", kept())
    settle(manager)
    name, make = FOREIGN[case]
    given, foreign = manager.hand_back(), make()
    given.setdefault(name, []).append(foreign)
    store = Store.from_fds(Notifier.from_environ(manager.environ), given)
    assert store.nonce(KEY) == NONCE
    assert store.token("b")
    assert len(store.problems) == 1
    assert store.problems[0].startswith(f"removed '{name}' from the service manager's store: it is ")
    assert "canary" not in store.problems[0]
    settle(manager)
    assert ["FDSTOREREMOVE=1", f"FDNAME={name}"] in manager.messages
    for descriptors in given.values():
        for descriptor in descriptors:
            with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
                os.fstat(descriptor)


GOOD = {
    "v": 1,
    "seq": 5,
    "binding": "b",
    "boot": "x",
    "token": TOKEN,
    "accessor": "a",
    "since": 1.5,
    "ttl": 60,
    "renewable": True,
    "num_uses": 0,
    "asks": None,
    "granted": 60,
}


@pytest.mark.parametrize("wrapped", ["absent", [], "x", None])
def test_a_record_of_before_there_were_wrapped_sinks(wrapped: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Good without; garbled with something else than an object."""
    monkeypatch.setattr(module, "_boot_id", lambda: "x")
    fields = GOOD if wrapped == "absent" else {**GOOD, "wrapped": wrapped}
    token = Store.from_fds(Notifier(None), {"vf-token-5": [sealed(json.dumps(fields).encode())]}).token("b")
    assert (token is not None) == (wrapped == "absent")
    assert token is None or token.wrapped == {}


@pytest.mark.parametrize("field", [name for name in GOOD if name not in ("v", "seq")])
@pytest.mark.parametrize("value", ["absent", [], {}, -1, 1e300, "a\nb"])
def test_garbled_tokens(field: str, value: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each field is judged."""
    monkeypatch.setattr(module, "_boot_id", lambda: "x")
    fields = {**GOOD, field: value}
    assert Store.from_fds(Notifier(None), {"vf-token-5": [sealed(json.dumps(GOOD).encode())]}).token("b")
    if value == "absent":
        del fields[field]
    store = Store.from_fds(Notifier(None), {"vf-token-5": [sealed(json.dumps(fields).encode())]})
    assert store.token("b") is None
    assert any(problem.endswith("it is garbled") for problem in store.problems)


def test_a_good_record_with_a_foreign_namesake(manager: Manager) -> None:
    """Removal is by name, so the good one is handed over again under another name first."""
    notifier = Notifier.from_environ(manager.environ)
    for name, descriptor in (
        ("vf-nonce-1", sealed(nonce_record())),
        ("vf-nonce-1", sealed(b"garbage")),
        ("vf-nonce-2", sealed(b"garbage")),
    ):
        assert notifier.store(name, descriptor)
    settle(manager)
    assert start(manager).nonce(KEY) == NONCE
    assert manager.names() == ["vf-nonce-3"]
    assert start(manager).nonce(KEY) == NONCE


def test_a_probe_that_was_left_behind(manager: Manager) -> None:
    """By a process that was killed: it is removed, and no news."""
    Notifier.from_environ(manager.environ).store("vf-probe", pipe_end())
    settle(manager)
    store = start(manager)
    assert store.problems == []
    assert manager.names() == []


def test_whatever_is_given_back() -> None:
    """Never an error, never a descriptor left open."""
    [target] = fd_store.TARGETS
    try_out(target, 200)


# --- the memory itself


def test_nobody_can_alter_it(manager: Manager) -> None:
    """Neither who holds it nor who gets it."""
    start(manager).put_token("b", kept())
    settle(manager)
    descriptor = manager.held[0][1]
    size = os.fstat(descriptor).st_size
    tries: list[t.Callable[[], object]] = [
        lambda: os.pwrite(descriptor, b"x", 0),
        lambda: os.ftruncate(descriptor, 0),
        lambda: os.ftruncate(descriptor, size + 1),
        lambda: fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, 0),
    ]
    for attempt in tries:
        with pytest.raises(OSError, match=os.strerror(errno.EPERM)):
            attempt()


def test_an_older_kernel(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without MFD_NOEXEC_SEAL it goes without."""
    create = os.memfd_create

    def older(name: str, flags: int) -> int:
        if flags & 0x8:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return create(name, flags)

    monkeypatch.setattr(os, "memfd_create", older)
    assert start(manager).put_nonce(KEY, NONCE)
    assert start(manager).nonce(KEY) == NONCE


def test_no_sealed_memory(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox may forbid it: told, and the old token stays."""
    store = start(manager)
    assert store.put_token("b", kept("hvs.old"))

    def refused(_name: str, _flags: int) -> int:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    with monkeypatch.context() as patch:
        patch.setattr(os, "memfd_create", refused)
        assert not store.put_token("b", kept("hvs.new"))
        assert not store.put_nonce(KEY, NONCE)
    assert store.problems == [
        "token and nonce end with this process: this kernel gives no sealed memory (Operation not permitted)"
    ]
    settle(manager)
    assert manager.names() == ["vf-token-1"]
    assert store.put_token("b", kept("hvs.newer"))
    settle(manager)
    assert len(manager.names()) == 1
    found = start(manager).token("b")
    assert found
    assert found.client_token == "hvs.newer"


def test_no_descriptor_is_left(manager: Manager) -> None:
    """However often something is kept."""
    store = start(manager)
    store.put_token("b", kept())
    settle(manager)
    before = sum(1 for _entry in Path("/proc/self/fd").iterdir())
    for number in range(100):
        assert store.put_token("b", kept(f"hvs.{number}"))
    settle(manager)
    assert sum(1 for _entry in Path("/proc/self/fd").iterdir()) == before
    assert manager.most <= 2 + 1


def test_a_login_beside_the_loop(manager: Manager) -> None:
    """A nonce and a token are kept from two threads at once, and neither disturbs the other."""
    store = start(manager)
    loop = threading.Thread(target=store.put_token, args=("b", kept()))
    loop.start()
    manager.wait(lambda: ["FDSTORE=1", "FDNAME=vf-probe"] in manager.messages)  # which the loop has just sent
    assert store.put_nonce(KEY, NONCE)
    loop.join()
    assert store.problems == []
    settle(manager)
    assert sorted(manager.names()) == ["vf-nonce-2", "vf-token-1"]


def test_secrets_do_not_show(manager: Manager) -> None:
    """In no repr, and nowhere in a message but in sealed memory."""
    store = start(manager)
    store.put_nonce(KEY, NONCE)
    store.put_token("b", kept())
    settle(manager)
    shown = [repr(store), repr(kept()), repr(vars(store)), repr(store.token("b")), str(manager.messages)]
    assert not any("canary" in text for text in shown)
    assert any("canary" in str(content) for content in contents(manager))


# --- whose they are

CONNECTION = VaultConnection(URL, namespace="team")
LOGIN = LoginConfig(type="iam", role="web", access_key="AKIA1", secret_key="s1")


@pytest.mark.parametrize(
    ("connection", "login", "environ"),
    [
        ({"url": "https://other.example.org:8200"}, {}, {}),
        ({"namespace": ""}, {}, {}),
        ({}, {"mount_path": "aws2"}, {}),
        ({}, {"role": "db"}, {}),
        ({}, {"type": "ec2"}, {}),
        ({}, {"access_key": "AKIA2"}, {}),
        ({}, {"profile": "p"}, {}),
        ({}, {"assume_role_arn": "arn:aws:iam::123456789012:role/r"}, {}),
        ({}, {}, {"AWS_PROFILE": "p"}),
        ({}, {}, {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/r"}),
    ],
)
def test_another_login(connection: dict[str, t.Any], login: dict[str, t.Any], environ: dict[str, str]) -> None:
    """Each of these makes a token another one's."""
    other = binding(dataclasses.replace(CONNECTION, **connection), dataclasses.replace(LOGIN, **login), environ)
    assert other != binding(CONNECTION, LOGIN, {})


@pytest.mark.parametrize(
    ("connection", "login"),
    [
        ({"timeout": 5, "ca_cert": "/etc/ca.pem"}, {}),
        ({}, {"secret_key": "s2", "session_token": "t", "header_value": "h", "region": "eu-central-1"}),
    ],
)
def test_the_same_login(connection: dict[str, t.Any], login: dict[str, t.Any]) -> None:
    """How the server is reached, and a secret that was rotated, change nothing."""
    same = binding(dataclasses.replace(CONNECTION, **connection), dataclasses.replace(LOGIN, **login), {"PATH": "/"})
    assert same == binding(CONNECTION, LOGIN, {})
    assert "s1" not in same


def test_whose_nonce() -> None:
    """The server's entry has one nonce, whatever the role; another server never gets it."""
    ec2 = LoginConfig(type="ec2", role="web")
    key = nonce_key(CONNECTION, ec2)
    assert key == nonce_key(CONNECTION, dataclasses.replace(ec2, role="db", signature_type="pkcs7"))
    others = [
        nonce_key(VaultConnection("https://other.example.org:8200", namespace="team"), ec2),
        nonce_key(VaultConnection(URL), ec2),
        nonce_key(CONNECTION, dataclasses.replace(ec2, mount_path="aws2")),
    ]
    assert len({key, *others}) == 4
