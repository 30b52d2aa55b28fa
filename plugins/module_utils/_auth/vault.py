# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Vault through hvac: login, lookup-self, renew-self, revoke-self, wrap, unwrap; every failure is a VaultError."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import time
import typing as t
from urllib.parse import quote

from . import clock, retry, tls
from .config import VaultConnection
from .errors import Retry, VaultError, mask, redact
from .lib_hvac import hvac, requests, urllib3
from .request import LoginRequest
from .token import Standing, Token, Wrapped, garbled, token_of_login, token_of_lookup, wrapped_of_login
from .transport import Transport

_SETTLING = 1.0  # seconds until a token that a standby does not know yet may have reached it
# What Vault and OpenBao say of a token that is revoked, expired or unknown. For what a policy forbids they say
# "1 error occurred: * permission denied"; OpenBao has the bare words for a token that it does not know.
_SAYS_GONE = r"invalid token|bad token|\AHTTP 403: permission denied\Z"
_NO_WRAPPING = (400, 403, 404)  # what servers answer to a wrapping token that was used, has ended or never was one
_WAS_USED = (
    "it was used, or has ended: if it is not your own doing, somebody may have intercepted it; then revoke what it"
    " wrapped, and have it made anew"
)
_WORTH_MASKING = 4  # characters; what is shorter is no secret, and would take letters out of words

T = t.TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Login:
    """The server's answer to a login: as it came (Vault's API), and as a Token or, with wrap_ttl, a Wrapped."""

    answer: dict[str, t.Any] = dataclasses.field(repr=False)
    token: Token | None
    wrapped: Wrapped | None


@dataclasses.dataclass(frozen=True)
class Health:
    """What a server says of itself. clock_ahead: seconds that this host's clock is ahead of its, or None."""

    initialized: bool
    sealed: bool
    standby: bool
    recovery_secondary: bool
    version: str
    clock_ahead: float | None


class Vault:
    """One Vault server. No token is kept or read from the environment: each call says which one it uses."""

    def __init__(self, connection: VaultConnection, front_end: str) -> None:
        """front_end: the name in the User-Agent, so that audit logs say who came. Raises ConfigError (TLS files)."""
        self.connection = connection
        self._front_end = front_end
        self._files = tls.fingerprint(connection)
        self._transport = Transport(connection, front_end)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def login(self, mount_path: str, proof: t.Callable[[bool], LoginRequest], *, wrap_ttl: int = 0) -> Login:
        """Log in at ``auth/<mount_path>/login``. Raises VaultError, and what ``proof`` raises.

        proof: called for each attempt, so that each has a fresh signature; its argument says that the last signature
        was refused and that cached credentials are to be dropped. wrap_ttl: seconds, 0 for a plain token.
        """

        def attempt(fresh: bool) -> Login:
            request = proof(fresh)
            since = clock.now()
            wrap = f"{wrap_ttl}s" if wrap_ttl else None
            answer = self._call(
                f"login with role {request.facts.get('role')} at auth/{mount_path} failed",
                lambda client: client.adapter.post(
                    f"/v1/auth/{mount_path}/login", json=dict(request.body), wrap_ttl=wrap
                ),
                facts={**request.facts, "mount": mount_path},
                secrets=request.secrets,
            )
            if wrap_ttl:
                return Login(answer, None, wrapped_of_login(answer))
            return Login(answer, token_of_login(answer, since), None)

        return self._run(attempt)

    def lookup_self(self, token: str) -> Token:
        """Return what the server knows of ``token``. Raises VaultError (403 if it is gone, or may not look)."""
        return self._run(lambda _fresh: self._lookup_once(token))

    def standing(self, token: Token, *, fresh: bool = False) -> tuple[Standing, Token]:
        """Tell whether ``token`` lives, and return it with the lease the server tells of.

        A 403 may mean that the token's policies forbid lookup-self. fresh: the token was just handed out, so a 403 that
        does not say otherwise, seen again after a short wait, means UNKNOWN; else it means GONE. A token with
        ``num_uses`` is not looked up, which would use it up: UNKNOWN. Raises VaultError for all else.
        """
        if token.num_uses:
            return Standing.UNKNOWN, token
        for last in (False, True) if fresh else (True,):
            try:
                return Standing.LIVE, self.lookup_self(token.client_token)
            except VaultError as e:
                if e.status != 403:
                    raise
                if last:
                    gone = not fresh or re.search(_SAYS_GONE, e.server, re.IGNORECASE)
                    return (Standing.GONE if gone else Standing.UNKNOWN), token
            time.sleep(_SETTLING)
        raise AssertionError("unreachable: the last round returns or raises")

    def tells_of(self, token: Token) -> bool:
        """Whether lookup-self works for ``token``, which was just handed out; True if the server is away right now."""
        try:
            return self.standing(token, fresh=True)[0] is not Standing.UNKNOWN
        except VaultError:
            return True

    def renew_self(self, token: str, increment: int = 0) -> Token:
        """Renew ``token``; increment: seconds, 0 for the role's default. Raises VaultError."""

        def attempt(_fresh: bool) -> Token:
            since = clock.now()
            answer = self._call(
                "renewing the token failed",
                lambda client: client.auth.token.renew_self(increment=f"{increment}s" if increment else None),
                token=token,
            )
            return token_of_login(answer, since)

        return self._run(attempt)

    def revoke_self(self, token: str) -> bool:
        """Revoke ``token``; False if the server does not do that: a 403 (the token is gone, or its policies forbid
        revoke-self), or a batch token, which cannot be revoked. Raises VaultError for all else.
        """

        def attempt(_fresh: bool) -> bool:
            try:
                self._call(
                    "revoking the token failed", lambda client: client.auth.token.revoke_self(), token=token, empty=True
                )
            except VaultError as e:
                if e.status == 403 or "batch tokens cannot be revoked" in e.server:
                    return False
                raise
            return True

        return self._run(attempt)

    def wrap(self, token: str, ttl: int) -> dict[str, t.Any]:
        """Have ``token`` wrapped for ``ttl`` seconds, as it may itself, and return the answer's ``wrap_info``.

        The answer inside is ``{"token": ...}`` in ``data``. Raises VaultError.
        """
        answer = self._run(
            lambda _fresh: self._call(
                "wrapping the token failed",
                lambda client: client.adapter.put("/v1/sys/wrapping/wrap", json={"token": token}, wrap_ttl=f"{ttl}s"),
                token=token,
            )
        )
        wrapped_of_login(answer)
        info: dict[str, t.Any] = answer["wrap_info"]
        return info

    def unwrap(self, wrapping_token: str, creation_path: str) -> dict[str, t.Any]:
        """Return the answer inside ``wrapping_token``, after checking that it was made at ``creation_path``.

        Raises VaultError; one whose path differs may have been planted by somebody who took the real one (Vault docs,
        "Response wrapping", validation).
        """
        self.check_wrapping(wrapping_token, creation_path)
        return self._use_up(wrapping_token)

    def check_wrapping(self, wrapping_token: str, creation_path: str) -> None:
        """See that ``wrapping_token`` could be unwrapped, and was made at ``creation_path``. Raises VaultError."""
        with _was_used():
            found = self._lookup_wrapping(wrapping_token)
        made = found.get("data", {}).get("creation_path") if isinstance(found.get("data"), dict) else None
        if made != creation_path:
            raise VaultError(
                f"the wrapping token was made at {redact(str(made))}, not at {creation_path}",
                hint="somebody may have swapped it: treat what it wrapped as stolen",
            )

    def discard(self, wrapping_token: str) -> bool:
        """Use ``wrapping_token`` up, so that nobody else can; False if it was used before, or has ended.

        Raises VaultError if nobody can tell.
        """
        return _finds_it(lambda: self._use_up(wrapping_token))

    def still_wraps(self, wrapping_token: str) -> bool:
        """Tell whether ``wrapping_token`` has neither been used nor ended. Raises VaultError if nobody can tell."""
        return _finds_it(lambda: self._lookup_wrapping(wrapping_token))

    def health(self) -> Health:
        """Return how the server is, sealed and standby ones too; nobody has to log in for it. Raises VaultError."""
        from . import refusal

        what = "Vault's health cannot be read"
        # Each state has a status of its own, and would seem to be an error (Vault docs, "/sys/health").
        states = {"standbyok": "true", "perfstandbyok": "true"}
        states.update({f"{state}code": "299" for state in ("sealed", "uninit", "drsecondary")})
        response = self._run(
            lambda _fresh: self._ask(what, lambda client: client.adapter.get("/v1/sys/health", params=states))
        )
        answer = _object(response)
        flags = [answer.get(name) for name in ("initialized", "sealed", "standby")]
        if not all(isinstance(flag, bool) for flag in flags):
            raise garbled("has no initialized, sealed and standby")
        initialized, sealed, standby = (bool(flag) for flag in flags)
        return Health(
            initialized,
            sealed,
            standby,
            answer.get("replication_dr_mode") == "secondary",
            redact(str(answer.get("version", "")))[:40],
            refusal.clock_ahead(response),
        )

    def read(self, token: str, path: str, version: int | None = None) -> dict[str, t.Any]:
        """Return the answer to a read of ``path`` (without ``v1/``). version: of a secret of KV version 2, None for the
        newest. Raises VaultError.
        """
        query = {} if version is None else {"version": str(version)}
        return self._run(
            lambda _fresh: self._call(
                f"reading {path} failed",
                lambda client: client.adapter.get(f"/v1/{quote(path)}", params=query),
                token=token,
            )
        )

    def write(self, token: str, path: str, body: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return the answer to a write to ``path`` (without ``v1/``), {} if it is empty. Raises VaultError."""
        secrets = [value for value in body.values() if isinstance(value, str) and len(value) >= _WORTH_MASKING]
        return self._run(
            lambda _fresh: self._call(
                f"writing to {path} failed",
                lambda client: client.adapter.put(f"/v1/{quote(path)}", json=dict(body)),
                token=token,
                secrets=secrets,
                empty=True,
            )
        )

    def renew_lease(self, token: str, lease_id: str) -> dict[str, t.Any]:
        """Return the answer to a renewal of a lease, for as long as its role says. Raises VaultError."""
        return self._run(
            lambda _fresh: self._call(
                "renewing a lease failed",
                lambda client: client.adapter.put("/v1/sys/leases/renew", json={"lease_id": lease_id}),
                token=token,
                secrets=(lease_id.rpartition("/")[2],),
            )
        )

    def _use_up(self, wrapping_token: str) -> dict[str, t.Any]:
        # Not tried again: the first call uses the wrapping token up, even if its answer gets lost.
        self._begin()
        with _was_used():
            return self._call(
                "unwrapping failed", lambda client: client.adapter.post("/v1/sys/wrapping/unwrap"), token=wrapping_token
            )

    def _lookup_wrapping(self, wrapping_token: str) -> dict[str, t.Any]:
        return self._run(
            lambda _fresh: self._call(
                "looking up the wrapping token failed",
                lambda client: client.adapter.post("/v1/sys/wrapping/lookup", json={"token": wrapping_token}),
                secrets=(wrapping_token,),
            )
        )

    def _lookup_once(self, token: str) -> Token:
        since = clock.now()
        answer = self._call("looking up the token failed", lambda c: c.auth.token.lookup_self(), token=token)
        return token_of_lookup(answer, token, since)

    def _run(self, attempt: t.Callable[[bool], T]) -> T:
        self._begin()

        def named(fresh: bool) -> T:
            try:
                return attempt(fresh)
            except VaultError as e:
                # What Vault itself refuses for good is known by role or path; of all else, the server matters.
                its_word = e.retry is Retry.PERMANENT and (e.row or e.status in (403, 404))
                if not its_word and self.connection.url not in e.what:
                    e.what += f" at {self.connection.url}"
                raise

        return retry.run(named, retries=self.connection.retries, deadline=self._transport.deadline)

    def _begin(self) -> None:
        """Start an operation: a new deadline, and a new session if certificate files were replaced."""
        files = tls.fingerprint(self.connection)
        if files != self._files:
            self._transport.close()
            self._transport = Transport(self.connection, self._front_end)
            self._files = files
        self._transport.deadline = time.monotonic() + self.connection.timeout

    def _call(
        self,
        what: str,
        send: t.Callable[[hvac.Client], t.Any],
        *,
        token: str = "",
        facts: t.Mapping[str, str] | None = None,
        secrets: t.Iterable[str | None] = (),
        empty: bool = False,
    ) -> dict[str, t.Any]:
        """One request through hvac; its JSON object, or {} where an ``empty`` answer is fine. Raises VaultError."""
        response = self._ask(what, send, token=token, facts=facts, secrets=secrets)
        return {} if empty and not response.content else _object(response, (token, *secrets))

    def _ask(
        self,
        what: str,
        send: t.Callable[[hvac.Client], t.Any],
        *,
        token: str = "",
        facts: t.Mapping[str, str] | None = None,
        secrets: t.Iterable[str | None] = (),
    ) -> requests.Response:
        """One request through hvac; the answer, which is none of refusal. Raises VaultError."""
        if not (token.isascii() and token.isprintable()):  # what is no header's, as in a file that was altered
            raise VaultError(f"{what}: what is given as a token is none", hint="see what wrote it, and log in anew")
        client = hvac.Client(
            url=self.connection.url,
            token=token,  # "" keeps hvac from reading VAULT_TOKEN and ~/.vault-token
            session=self._transport,
            namespace=self.connection.namespace or None,
            allow_redirects=False,
            adapter=_Adapter,
        )
        try:
            response: requests.Response = send(client)
        except VaultError as e:
            e.what = f"{what}: {mask(e.what, (token, *secrets))}"  # an address of a redirect may repeat one
            raise
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as e:
            from . import refusal  # what only failures need is loaded for them

            raise refusal.fault(what, self.connection, e) from None
        if response.status_code >= 300:
            from . import refusal

            raise refusal.refused(what, response, facts or {}, (token, *secrets))
        return response


@contextlib.contextmanager
def _was_used() -> t.Iterator[None]:
    """Tell of a wrapping token that is none any more what that may mean."""
    try:
        yield
    except VaultError as e:
        if e.status in _NO_WRAPPING:
            e.hint = _WAS_USED
        raise


def _finds_it(request: t.Callable[[], object]) -> bool:
    """Whether a request found its wrapping token: it was neither used before nor has it ended. Raises VaultError."""
    try:
        request()
    except VaultError as e:
        if e.status not in _NO_WRAPPING:
            raise
        return False
    return True


def _object(response: requests.Response, secrets: t.Iterable[str | None] = ()) -> dict[str, t.Any]:
    """The JSON object in an answer. Raises VaultError."""
    try:
        answer = json.loads(response.content)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        kind = redact(response.headers.get("Content-Type", "no content type"), secrets)
        raise garbled(f"is not a JSON object ({kind[:80]})")
    return answer


class _Adapter(hvac.adapters.RawAdapter):
    """hvac's plain adapter: answers come back as they are, and ``Vault._call`` judges them, status and headers too."""

    def request(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        return super().request(*args, **dict(kwargs, raise_exception=False))
