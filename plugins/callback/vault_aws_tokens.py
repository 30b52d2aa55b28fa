# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ends what the lookup vault_aws_token began: revokes the run's tokens, and says what they cost."""

from __future__ import annotations

DOCUMENTATION = r"""
name: vault_aws_tokens
type: notification
short_description: Revokes the tokens of a run when it ends
version_added: 0.1.0
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

from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import lookup_loader

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._cleanup import clean_up_after_the_dead, revoke_created
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
        self._pid = os.getpid()

    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        """Make the store, so that it says from the start that its tokens are to be revoked."""
        # Loaded here once, the lookup and its documentation need not be parsed anew in each worker.
        lookup_loader.get(LOOKUP)
        if self._store is None:
            atexit.register(self._finish)
        try:
            self._store = open_store(callback=True)
            for failure in clean_up_after_the_dead():
                self._display.warning(f"vault_aws_tokens: a token of an earlier run was not revoked: {failure}")
        except StoreError as e:
            self._display.warning(f"vault_aws_tokens: {e}. Tokens are not shared, and not revoked at the end.")

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        """The playbook is over."""
        self._finish()

    def _finish(self) -> None:
        # Workers inherit the exit handler; the run is the process that made this object.
        if self._store is None or os.getpid() != self._pid:
            return
        store, self._store = self._store, None
        started = time.monotonic()
        revoked, failures = revoke_created(store)
        for failure in failures:
            self._display.warning(f"vault_aws_tokens: a token was not revoked: {failure}")
        events = store.events()
        seconds = sum(total for _times, total in events.values()) + time.monotonic() - started
        destroy(store)
        counts = ", ".join(
            f"{events.get(event, (0, 0.0))[0]} {name}"
            for event, name in (("login", "logins"), ("hit", "hits"), ("renewal", "renewals"))
        )
        self._display.display(f"vault_aws_tokens: {counts}, {revoked} revoked, {seconds:.2f} s")
