# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that carry secrets, with their aliases; apart, so that the action plugin need not load all the others."""

from __future__ import annotations

ALIASES = {
    "secret_key": ("aws_secret_access_key", "aws_secret_key", "ec2_secret_key"),
    "session_token": ("aws_session_token", "aws_security_token", "security_token", "access_token"),
    "nonce": (),
    "wrapping_token": (),
}
