# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A sink that holds no token but a wrapping one, by which one reader, once, gets the token.

It is wrapped by the authority of the token itself. Where nobody used it, it is wrapped anew in time, and the one that
was replaced is used up soon after, so that it opens nothing any more. One that was used is left as it is: its reader
has the token. There is another one when the token is replaced, and when the agent is told to reload.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from .._auth import clock
from .._auth.errors import LoginError, VaultError
from .._auth.vault import Vault
from .jobs import Held, wrapped_text
from .sink_options import AgentSink
from .sinks import Seen, TokenFile

FRONT_END = "agent"
_ANEW_AT = 2 / 3  # of the lease
_LARGEST_NUMBER = 10**15  # seconds
_GRACE = 10.0  # seconds at most for a reader that read the file just before it was replaced
_DENIED = "let a policy of the token's role allow update on sys/wrapping/wrap, or remove wrap_ttl"


@dataclasses.dataclass(frozen=True)
class Wrapping:
    """A wrapping token. number: of the token that it is for. text: what the sink holds. since, ttl: its lease, as
    ``_auth.token.Token`` has it. wished: the TTL that was asked for. used: somebody has used it.
    """

    number: int
    token: str = dataclasses.field(repr=False)
    text: str = dataclasses.field(repr=False)
    since: float
    ttl: float
    wished: int
    used: bool = False

    @property
    def ends(self) -> float:
        """When it ends, on the clock of ``clock.now()``."""
        return self.since + self.ttl


@dataclasses.dataclass(frozen=True)
class _Replaced:
    """What is to be used up when it is ``due``, and where. unused: nobody had used it when it was replaced."""

    wrapping: Wrapping
    vault: Vault
    due: float
    unused: bool


class WrappedFile:
    """A wrapped sink. wrapping: what it holds, None if that is not known."""

    def __init__(self, file: TokenFile, sink: AgentSink, wrapping: Wrapping | None, doubt: bool = False) -> None:
        """file: the sink's, which may encrypt. doubt: if ``wrapping`` was used, the token is wrapped anew."""
        self.sink = sink
        self.wrapping = wrapping
        self._file = file
        self._doubt = doubt
        self._vault: Vault | None = None  # of our own, as another thread may use the agent's
        self._replaced: list[_Replaced] = []

    def see(self, held: Held) -> Seen:
        """See that the sink holds a wrapping token for the token, unless that was used. Raises LoginError."""
        lost = self._use_up()
        seen = self._see(held, self._of_server(held))
        return seen._replace(news="; ".join(text for text in (lost, seen.news) if text))

    def _see(self, held: Held, vault: Vault) -> Seen:
        wrapping, now = self.wrapping, clock.now()
        if wrapping is None or (wrapping.number, wrapping.wished) != (held.number, self.sink.wrap_ttl):
            return self._wrap(held, vault, "")
        if wrapping.used and not self._doubt:
            return Seen(False)
        anew_at = wrapping.since + _ANEW_AT * wrapping.ttl
        if now < anew_at and not self._doubt and self._file.holds(wrapping.text):
            return Seen(False, again=anew_at - now)
        if now >= wrapping.ends:
            return self._wrap(held, vault, "the wrapped token has ended, and was wrapped anew")
        lives = not wrapping.used and vault.still_wraps(wrapping.token)
        reloaded, self._doubt = self._doubt, False
        if not lives and reloaded:
            return self._wrap(held, vault, "the wrapped token was used, and for the reload was wrapped anew")
        if not lives:
            self.wrapping = dataclasses.replace(wrapping, used=True)
            return Seen(False, "the wrapped token was used; the sink is left as it is until there is another token")
        if now >= anew_at:
            return self._wrap(held, vault, "nobody used the wrapped token so far, and it was wrapped anew", unused=True)
        wrote = not self._file.holds(wrapping.text)
        if wrote:
            self._file.put(wrapping.text)
        return Seen(wrote, again=anew_at - now)

    def _wrap(self, held: Held, vault: Vault, news: str, unused: bool = False) -> Seen:
        """unused: what is there was just seen to be."""
        what = f"wrap_ttl of {self.sink.path}"
        if held.token.num_uses:
            hint = "set wrap_ttl in the method instead of the sink, or give the role no token_num_uses"
            raise LoginError(f"{what}: wrapping would cost one of the token's few uses", hint=hint)
        since = clock.now()
        try:
            info = vault.wrap(held.token.client_token, self.sink.wrap_ttl)
        except VaultError as e:
            e.what = f"{what}: {e.what}"
            if e.status == 403:
                e.hint = _DENIED
            raise
        old = self.wrapping
        if old and not old.used and self._vault:
            self._replaced.append(_Replaced(old, self._vault, since + min(_GRACE, old.ttl / 10), unused))
        self._vault, self._doubt = vault, False
        self.wrapping = Wrapping(held.number, info["token"], wrapped_text(info), since, info["ttl"], self.sink.wrap_ttl)
        self._file.put(self.wrapping.text)
        return Seen(True, news, again=_ANEW_AT * self.wrapping.ttl)

    def _use_up(self) -> str:
        """Use up the wrapping tokens that were replaced a while ago; what a person is to be told."""
        now, news = clock.now(), ""
        due = [one for one in self._replaced if one.due <= now]
        self._replaced = [one for one in self._replaced if one.due > now]
        for one in due:
            with contextlib.suppress(VaultError):  # it ends by itself
                if now < one.wrapping.ends and not one.vault.discard(one.wrapping.token) and one.unused:
                    news = "the wrapped token was used at the moment when it was replaced"
        return news

    def _of_server(self, held: Held) -> Vault:
        """The server that the token is of: after a reload that may be another one than the configuration's."""
        if self._vault is None or self._vault.connection != held.vault.connection:
            made = Vault(held.vault.connection, FRONT_END)
            if self.wrapping is None or self.wrapping.number != held.number:
                return made  # the other one is kept for what is to be used up there
            self._vault = made
        return self._vault


def kept(fields: t.Any, number: int) -> Wrapping | None:
    """Return the Wrapping whose ``fields`` were kept; None if they are garbled. number: the one its token has now."""
    try:
        wrapping = Wrapping(**{**fields, "number": number})
    except (TypeError, ValueError):
        return None
    texts = (wrapping.token, wrapping.text)
    numbers = (wrapping.since, wrapping.ttl, wrapping.wished)
    sound = all(isinstance(one, str) for one in texts) and all(isinstance(one, (int, float)) for one in numbers)
    return wrapping if sound and all(0 <= one < _LARGEST_NUMBER for one in numbers) else None  # which NaN is not
