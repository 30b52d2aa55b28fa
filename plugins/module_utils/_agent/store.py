# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What outlives the process, in memory only: the nonce and the token, in memfds that the service manager holds.

Each record is JSON in a memfd of its own, sealed, so that nobody can alter what is given back. A new one is handed over
before the old one is removed; as the manager removes by name, each has a name of its own: ``vf-nonce-<seq>`` and
``vf-token-<seq>``. At the start the highest ``seq`` counts.

**The nonce record is frozen for ever**: any version must find the nonce that any other one left, or the instance is
locked out. Its name begins with ``vf-nonce-``, and it holds::

    {"v": 1, "seq": 7, "key": "<64 hex digits>", "nonce": "<at most 128 bytes>"}

``key`` is the SHA-256 of url, namespace and mount path, joined with line breaks: a nonce is never shown to another
server. The instance is not in it (it cannot change while the memory lasts), nor the role (the server's entry has one
nonce for all of them). A later version may raise ``v`` and add to it, and readers pass over what they do not know.

The token record is of its version only: one of another version is dropped, which costs a login.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import re
import threading
import typing as t

from .._auth import clock
from .._auth.config import LoginConfig, VaultConnection
from .messages import Lease
from .systemd import Environ, Notifier, hung_up

NEEDED_SLOTS = 8  # FileDescriptorStoreMax=: _MOST_NONCES, one more of each kind while one replaces another, a probe
PATIENCE = 5.0  # seconds for the manager to have stored a nonce; a daemon-reload keeps it busy for a while
_TOKEN_PATIENCE = 1.0  # seconds; a token that is not kept costs a login, and its sinks are waiting

_NONCE, _TOKEN, _PROBE = "vf-nonce-", "vf-token-", "vf-probe"
_TOKEN_VERSION = 1
_MOST_NONCES = 4  # of several servers, as a mistaken configuration must not lock the instance out of the right one
_LARGEST = 65536  # bytes
_LARGEST_NUMBER = 10**15
_LONGEST_NONCE = 128  # bytes; the server's limit
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_MFD_NOEXEC_SEAL = 0x8  # linux/memfd.h; where vm.memfd_noexec is 2 nothing else is allowed
_LATE_CLOSE = 0.1  # seconds; newer managers close what they refuse in a thread of its own
_NO_ROOM = f"the service manager has no room (set FileDescriptorStoreMax={NEEDED_SLOTS} in the unit)"
_NO_MESSAGES = "the service manager takes no messages"
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
# What of the environment tells botocore who it is; the keys of a role or an instance profile change all the time.
_IDENTITY_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ROLE_ARN")


@dataclasses.dataclass(frozen=True)
class KeptToken:
    """A token with what is needed to go on with it. ``lease.number`` is not kept: it is 1 in what is read.

    wrapped: what wrapped sinks hold of it, by their paths: the fields of ``wrapping.Wrapping``.
    """

    client_token: str = dataclasses.field(repr=False)
    accessor: str
    lease: Lease
    wrapped: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict, repr=False)


@dataclasses.dataclass(frozen=True)
class _Record:
    """A record that the manager holds as ``name``; sure: it was seen to hold it."""

    name: str
    seq: int
    fields: t.Mapping[str, t.Any] = dataclasses.field(repr=False)
    sure: bool = True


def nonce_key(connection: VaultConnection, config: LoginConfig) -> str:
    """Whose nonce it is: the ``key`` of a nonce record."""
    return _digest(connection.url, connection.namespace, config.mount_path)


def binding(connection: VaultConnection, config: LoginConfig, environ: Environ) -> str:
    """Whose token it is: where it is from, its role, and who logged in for it, as far as the configuration says."""
    who = [config.access_key, config.profile, config.assume_role_arn, config.assume_role_session_name]
    if config.type == "iam":
        who += [environ.get(name) for name in _IDENTITY_VARIABLES]
    return _digest(
        connection.url, connection.namespace, config.mount_path, config.role, config.type, *(part or "" for part in who)
    )


class Store:
    """The records of this service. Without a manager that keeps them, they last as long as this object.

    problems: what was found that should not be there, and why something could not be kept; lines for a person. A login
    in a thread of its own may use it beside the agent's loop.
    """

    def __init__(self, notifier: Notifier, limit: int | None = None) -> None:
        """notifier: the manager. limit: as ``systemd.store_limit``."""
        self.problems: list[str] = []
        self._notifier = notifier
        self._limit = limit
        self._available: bool | None = None if limit is None else limit > 0
        self._turn = threading.Lock()
        self._seq = 0
        self._nonces: dict[str, _Record] = {}
        self._token: _Record | None = None
        if not notifier.present:
            self._available = False
            self._problem("there is no service manager (NOTIFY_SOCKET is not set)")
        elif limit == 0:
            self._problem(_NO_ROOM)

    @classmethod
    def from_fds(cls, notifier: Notifier, fds: t.Mapping[str, t.Sequence[int]], limit: int | None = None) -> Store:
        """Take over what the last process left: ``fds`` as ``systemd.listen_fds``; all of them are closed.

        Whatever is no record of ours, or was replaced, is removed from the manager's store.
        """
        store = cls(notifier, limit)
        records: list[_Record] = []
        unwanted: set[str] = set()
        for name, descriptors in fds.items():
            for descriptor in descriptors:
                try:
                    records.append(_record(name, _content(descriptor)))
                except ValueError as e:
                    unwanted.add(name)
                    if name != _PROBE:  # which a process that was killed leaves behind
                        store.problems.append(f"removed {name[:80]!r} from the service manager's store: {e}")
                finally:
                    with contextlib.suppress(OSError):
                        os.close(descriptor)
        numbers = [int(name.rpartition("-")[2]) for name in fds if re.fullmatch(r"[a-z-]+-[0-9]{1,15}", name)]
        store._seq = max([record.seq for record in records] + numbers, default=0)  # no name is given twice
        store._take(records, unwanted)
        return store

    def available(self, timeout: float = PATIENCE) -> bool:
        """Whether the manager keeps records; True also if it may do so, but gives no answer within ``timeout`` seconds.

        It is asked only if neither its environment nor what it gave back has told already.
        """
        with self._turn:
            return (self._probe(timeout) if self._available is None else self._available) is not False

    def nonce(self, key: str) -> str | None:
        """Return the nonce of that ``nonce_key``, or None if there is none."""
        record = self._nonces.get(key)
        return None if record is None else str(record.fields["nonce"])

    def keeps_nonce(self, key: str) -> bool:
        """Whether the manager was seen to hold the nonce of that ``nonce_key``."""
        record = self._nonces.get(key)
        return record is not None and record.sure

    def put_nonce(self, key: str, nonce: str, timeout: float = PATIENCE) -> bool:
        """Keep a nonce; True once the manager was seen to hold it, which may take ``timeout`` seconds.

        To be called before the nonce is first sent. Either way ``nonce`` returns it while this process lives.
        """
        with self._turn:
            old = self._nonces.get(key)
            if old is not None and old.sure and old.fields["nonce"] == nonce:
                return True
            record, sent = self._hand_over(_NONCE, {"v": 1, "key": key, "nonce": nonce})
            # The manager does not tell what it refuses. What is sent after the nonce and finds room proves that the
            # nonce found room too.
            sure = sent and self._probe(timeout) is True
            self._nonces[key] = dataclasses.replace(record, sure=sure)
            if old is not None and sent:
                self._notifier.remove(old.name)
            while len(self._nonces) > _MOST_NONCES:
                oldest = min(self._nonces, key=lambda other: self._nonces[other].seq)
                self._notifier.remove(self._nonces.pop(oldest).name)
            return sure

    def token(self, binding: str) -> KeptToken | None:
        """Return the token of that ``binding``, or None. One of another login or another boot is dropped."""
        record = self._token
        if record is None:
            return None
        fields = record.fields
        why = ""
        if fields["binding"] != binding:
            why = "the configuration changed what it is for"
        elif fields["boot"] != _boot_id() or fields["since"] > clock.now():
            why = "it is of another boot of this machine"
        if why:
            self.problems.append(f"dropped the token of the last process: {why}")
            self.forget_token()
            return None
        return _kept(fields)

    def put_token(self, binding: str, kept: KeptToken) -> bool:
        """Keep a token in place of the last one; whether it was handed to the manager."""
        lease = kept.lease
        fields = {
            "v": _TOKEN_VERSION,
            "binding": binding,
            "boot": _boot_id(),
            "token": kept.client_token,
            "accessor": kept.accessor,
            "since": lease.since,
            "ttl": lease.ttl,
            "renewable": lease.renewable,
            "num_uses": lease.num_uses,
            "asks": lease.asks,
            "granted": lease.granted,
            "wrapped": dict(kept.wrapped),
        }
        with self._turn:
            old = self._token
            if self._available is None:
                self._probe(_TOKEN_PATIENCE)  # a manager without room would complain in its log about each token
            self._token, sent = self._hand_over(_TOKEN, fields)
            # An old token in the manager's store is better than none: the server is asked before it is trusted.
            if not sent and old is not None:
                self._token = dataclasses.replace(self._token, name=old.name)
            elif old is not None:
                self._notifier.remove(old.name)
        return sent

    def forget_token(self) -> None:
        """Give up the token."""
        with self._turn:
            if self._token is not None:
                self._notifier.remove(self._token.name)
            self._token = None

    def _take(self, records: list[_Record], unwanted: set[str]) -> None:
        """Keep the newest of ``records``, and have the others and all that is ``unwanted`` removed."""
        wanted: list[_Record] = []
        for record in sorted(records, key=lambda one: one.seq, reverse=True):
            if record.name.startswith(_TOKEN) and self._token is None:
                self._token = record
            elif record.name.startswith(_NONCE) and not self._full(record.fields["key"]):
                self._nonces[record.fields["key"]] = record
            else:
                unwanted.add(record.name)
                continue
            wanted.append(record)
        if wanted and self._available is None:
            self._available = True
        for record in wanted:
            if record.name in unwanted:  # something else has the same name, and goes only together with it
                self._rename(record)
        for name in unwanted:
            self._notifier.remove(name)

    def _full(self, key: str) -> bool:
        return key in self._nonces or len(self._nonces) >= _MOST_NONCES

    def _rename(self, record: _Record) -> None:
        if record is self._token:
            self._token, _sent = self._hand_over(_TOKEN, record.fields)
        else:
            self._nonces[record.fields["key"]], _sent = self._hand_over(_NONCE, record.fields)

    def _hand_over(self, kind: str, fields: t.Mapping[str, t.Any]) -> tuple[_Record, bool]:
        """Send a new record to the manager: the record, and whether that worked."""
        self._seq += 1
        record = _Record(f"{kind}{self._seq}", self._seq, {**fields, "seq": self._seq})
        if self._available is False:
            return record, False
        try:
            descriptor = _sealed(json.dumps(record.fields).encode())
        except OSError as e:
            self._problem(f"this kernel gives no sealed memory ({e.strerror})")
            return record, False
        try:
            sent = self._notifier.store(record.name, descriptor)
        finally:
            os.close(descriptor)
        if not sent:
            self._problem(_NO_MESSAGES)
        return record, sent

    def _probe(self, timeout: float) -> bool | None:
        """Find out whether the manager keeps what it is sent, by the end of a pipe that it drops if it does not.

        None: it takes messages, but does not say.
        """
        ours, theirs = os.pipe()
        try:
            try:
                sent = self._notifier.store(_PROBE, theirs)
            finally:
                os.close(theirs)
            if not sent:
                self._problem(_NO_MESSAGES)
                return False
            if not self._notifier.barrier(timeout):
                self._problem("the service manager does not answer")
                return None
            # A manager that tells of enough room has it: all else was removed at the start.
            roomy = self._limit is not None and self._limit >= NEEDED_SLOTS
            self._available = not hung_up(ours, 0.0 if roomy else _LATE_CLOSE)
            if not self._available:
                self._problem(_NO_ROOM)
            return self._available
        finally:
            os.close(ours)
            self._notifier.remove(_PROBE)

    def _problem(self, why: str) -> None:
        line = f"token and nonce end with this process: {why}"
        if line not in self.problems:
            self.problems.append(line)


def _record(name: str, content: bytes) -> _Record:
    """Read a record. Raises ValueError, which repeats nothing of it."""
    if not name.startswith((_NONCE, _TOKEN)):
        raise ValueError("it is not of this agent")
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("it is garbled") from None
    if not isinstance(fields, dict) or not _is_number(fields.get("seq"), int):
        raise ValueError("it is garbled")
    if name.startswith(_NONCE):
        _judge_nonce(fields)
    else:
        _judge_token(fields)
    return _Record(name, fields["seq"], fields)


def _judge_nonce(fields: t.Mapping[str, t.Any]) -> None:
    """Raise ValueError unless it is a nonce record, of whatever version."""
    fine = (
        _is_number(fields.get("v"), int)
        and fields["v"] >= 1
        and all(_is_text(fields.get(name)) for name in ("key", "nonce"))
        and re.fullmatch(r"[0-9a-f]{64}", fields["key"])
        and 1 <= len(fields["nonce"].encode()) <= _LONGEST_NONCE
    )
    if not fine:
        raise ValueError("it is garbled")


def _judge_token(fields: t.Mapping[str, t.Any]) -> None:
    """Raise ValueError unless it is a token record of our version."""
    if fields.get("v") != _TOKEN_VERSION:
        raise ValueError("it is of another version of this agent")
    fine = (
        all(_is_text(fields.get(name)) for name in ("binding", "boot", "token", "accessor"))
        and all(_is_number(fields.get(name), float, int) for name in ("since", "ttl", "granted"))
        and _is_number(fields.get("num_uses"), int)
        and isinstance(fields.get("renewable"), bool)
        and isinstance(fields.get("asks", ""), (bool, type(None)))
        and isinstance(fields.get("wrapped", {}), dict)  # earlier versions had no wrapped sinks
        and re.fullmatch(r"[!-~]+", fields["token"])  # it ends up in headers and files
    )
    if not fine:
        raise ValueError("it is garbled")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()


def _is_number(value: object, *kinds: type) -> bool:
    return type(value) in kinds and 0 <= t.cast(float, value) < _LARGEST_NUMBER  # which NaN is not


def _kept(fields: t.Mapping[str, t.Any]) -> KeptToken:
    lease = Lease(
        number=1,
        since=fields["since"],
        ttl=fields["ttl"],
        renewable=fields["renewable"],
        num_uses=fields["num_uses"],
        asks=fields["asks"],
        granted=fields["granted"],
    )
    return KeptToken(fields["token"], fields["accessor"], lease, fields.get("wrapped", {}))


def _sealed(content: bytes) -> int:
    """Put ``content`` into memory that nobody can alter, grow, shrink or run: its descriptor. Raises OSError."""
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        descriptor = os.memfd_create("vaultfleet", flags | _MFD_NOEXEC_SEAL)
    except OSError:  # Linux before 6.3 does not know the flag
        descriptor = os.memfd_create("vaultfleet", flags)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _content(descriptor: int) -> bytes:
    """Read sealed memory. Raises ValueError if that is not what it is."""
    try:
        seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
        size = os.fstat(descriptor).st_size
        if seals & _SEALS != _SEALS or size > _LARGEST:
            raise ValueError("it is not sealed, or too large")
        return os.pread(descriptor, size, 0)
    except OSError:
        raise ValueError("it is no memfd") from None


def _digest(*parts: str) -> str:
    # What was judged as configuration holds no line break.
    return hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()


def _boot_id() -> str:
    """Which boot this is, or nothing where /proc is closed to a service; a memfd ends with the boot in any case."""
    try:
        with open(_BOOT_ID, encoding="ascii") as file:
            return file.read(64).strip()
    except (OSError, ValueError):
        return ""
