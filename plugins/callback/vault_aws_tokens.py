# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ends what the lookup vault_aws_token began: revokes the run's tokens, and says what they cost."""

from __future__ import annotations

DOCUMENTATION = r"""
name: vault_aws_tokens
type: notification
short_description: Revokes the tokens of a run when it ends
version_added: 1.0.0
author:
  - vaultfleet.aws contributors (@vaultfleet)
description:
  - When a run of Ansible ends, this callback revokes the tokens that P(vaultfleet.aws.vault_aws_token#lookup) logged in
    for it, and prints one line with the numbers of logins, hits, renewals and revocations, and the time they took.
  - Revoking a token also ends the leases that were made with it, such as database users, and kills the token where it
    was templated onto a host. Set O(vaultfleet.aws.vault_aws_token#lookup:revoke=false) on lookups of tokens that must
    outlive the run.
  - It also works after a failure and after Ctrl-C. After SIGTERM or SIGKILL, the next run with a lookup does it.
  - Without it, tokens live to the end of their TTL.
requirements:
  - enabled in configuration, by C(callbacks_enabled=vaultfleet.aws.vault_aws_tokens) in the section C(defaults) of
    ansible.cfg, or by E(ANSIBLE_CALLBACKS_ENABLED)
options: {}
seealso:
  - plugin: vaultfleet.aws.vault_aws_token
    plugin_type: lookup
"""

import atexit
import os
import time
import typing as t

from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import lookup_loader

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._cleanup import (
    Revoked,
    clean_up_after_the_dead,
    revoke_created,
)
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._store import Store, StoreError, destroy, open_store

LOOKUP = "vaultfleet.aws.vault_aws_token"


class CallbackModule(CallbackBase):
    """The callback; Ansible finds it by this name."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "vaultfleet.aws.vault_aws_tokens"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self._store: Store | None = None
        self._playbooks_left: int | None = None
        self._pid = os.getpid()

    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        """Make the store, so that it says from the start that its tokens are to be revoked."""
        if self._playbooks_left is None:
            # What cannot be a list of playbooks, as of the command ansible, is one.
            given = context.CLIARGS.get("args")
            self._playbooks_left = len(given) if isinstance(given, (list, tuple)) else 1
        self._playbooks_left -= 1
        if self._store is not None:
            return
        # Loaded here once, the lookup and its documentation need not be parsed anew in each worker.
        lookup_loader.get(LOOKUP)
        try:
            self._store = open_store(callback=True)
        except StoreError as e:
            self._display.warning(f"vault_aws_tokens: {e}. Tokens are not shared, and not revoked at the end.")
            return
        atexit.register(self._finish)
        self._warn("an earlier run left ", clean_up_after_the_dead())

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        """A playbook is over; it may not be the last one of the run."""
        if (self._playbooks_left or 0) <= 0:
            self._finish()

    def _finish(self) -> None:
        # Workers inherit the exit handler; the run is the process that made this object.
        if self._store is None or os.getpid() != self._pid:
            return
        store, self._store = self._store, None
        started = time.monotonic()
        revoked = revoke_created(store)
        self._warn("", revoked)
        try:
            events = store.events()
        except StoreError:
            events = {}
        hits = store.hits()
        destroy(store)
        (logins, login_time), (renewals, renewal_time) = (events.get(name, (0, 0.0)) for name in ("login", "renewal"))
        seconds = login_time + renewal_time + time.monotonic() - started
        numbers = f"{logins} logins, {hits} hits, {renewals} renewals, {revoked.times} revoked"
        self._display.display(f"vault_aws_tokens: {numbers}, {seconds:.2f} s")

    def _warn(self, whose: str, revoked: Revoked) -> None:
        if revoked.failures:
            self._display.warning(f"vault_aws_tokens: {whose}{revoked.warning}")
