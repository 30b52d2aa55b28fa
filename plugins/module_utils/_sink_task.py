# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module's work when the token is kept in a file."""

from __future__ import annotations

import typing as t

from ._auth import clock, kept, sink
from ._auth.config import LoginConfig
from ._auth.login import log_in
from ._auth.sink import Sink
from ._auth.token import Token
from ._auth.vault import Vault
from ._results import Task, result_of_login, result_of_token, utc


def present(
    task: Task,
    place: Sink,
    config: LoginConfig,
    vault: Vault,
    min_ttl: int,
    give_token: bool,
) -> dict[str, t.Any]:
    """Make sure that the file holds a good token; the result. Raises LoginError."""
    with sink.turn(place.path, vault.connection.timeout):
        found = kept.examine(place, config, vault, min_ttl)
        before = _shown(found.record, place)
        if found.token:
            changed = sink.differs(place)
            if changed and not task.check_mode:
                sink.write(place, found.token.client_token)
            result = result_of_token(found.token, give_token) if not task.check_mode else {}
            after = dict(before, mode=f"{place.mode:04o}") if changed else before
            return {**result, "changed": changed, "diff": {"before": before, "after": after}}
        if task.check_mode:
            after = {"accessor": "(of a new token)", "expires_at": "(of a new token)", "mode": f"{place.mode:04o}"}
            return {"changed": True, "msg": found.why, "diff": {"before": before, "after": after}}
        sink.check_writable(place)
        done = log_in(config, vault)
        token = t.cast(Token, done.login.token)  # there is no wrap_ttl
        record = kept.keep(place, token, config, vault)
    if record.trusted:
        task.warn(
            f"The server cannot be asked about tokens of role {config.role} (lookup-self is forbidden to them, or would"
            " use them up): the token is taken as good until its lease ends."
        )
    if token.left(clock.now()) < min_ttl:
        task.warn(f"Tokens of role {config.role} live {token.ttl} s, less than min_ttl: each run will log in.")
    result = result_of_login(task, done, give_token)
    return {**result, "msg": found.why, "diff": {"before": before, "after": _shown(record, place)}}


def absent(task: Task, place: Sink, vault: Vault) -> dict[str, t.Any]:
    """Revoke the token in the file, and remove it; the result. Raises LoginError."""
    record = kept.read_record(place.path)
    before = _shown(record, place)
    if task.check_mode:
        present_now = sink.read(place.path) is not None
        if present_now:
            kept.check_origin(place, record, vault)
        changed = present_now or record is not None
    else:
        with sink.turn(place.path, vault.connection.timeout):
            changed, revoked = kept.discard(place, vault)
        if changed and not revoked and before:
            task.warn(
                "The server did not revoke the token: it is gone already, or it is a batch token or its policies forbid"
                f" revoke-self, and it lives until {before['expires_at']}."
            )
    return {"changed": changed, "diff": {"before": before, "after": {} if changed else before}}


def _shown(record: kept.Record | None, place: Sink) -> dict[str, t.Any]:
    """One side of the diff."""
    if record is None:
        return {}
    mode = sink.current_mode(place.path)
    expires = None if record.expires_at is None else utc(record.expires_at)
    return {"accessor": record.accessor, "expires_at": expires, "mode": None if mode is None else f"{mode:04o}"}
