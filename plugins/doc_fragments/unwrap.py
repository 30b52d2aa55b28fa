# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options for a token that is handed over in a wrapping token."""

from __future__ import annotations


class ModuleDocFragment:
    """Ansible finds the fragment by this name."""

    DOCUMENTATION = r"""
options:
  wrapping_token:
    description:
      - Unwrap this response-wrapping token, and return the token in it, instead of a login. Of the options of a login,
        O(mount_path) counts alone, and no AWS identity is needed.
      - It is the C(wrap_info.token) of a login with O(wrap_ttl), or what a wrapped sink of the agent holds, all of it
        or its C(token) alone.
      - It is for one use. If it was used before, this fails, and says that somebody may have intercepted it.
    type: str
  wrapping_path:
    description:
      - Where O(wrapping_token) must have been made. One that was made elsewhere is not unwrapped, because somebody may
        have put it in the place of the real one.
      - Without it, C(auth/MOUNT/login) by O(mount_path). A wrapped sink of the agent takes V(sys/wrapping/wrap), where
        everybody with a token can make one, so that this proves less than a login that was wrapped.
    type: str
"""

    # Where a lookup finds the options, beside its keywords.
    PLUGINS = r"""
options:
  wrapping_token:
    vars:
      - name: vaultfleet_aws_wrapping_token
    ini:
      - section: vaultfleet_aws
        key: wrapping_token
    env:
      - name: VAULTFLEET_AWS_WRAPPING_TOKEN
  wrapping_path:
    vars:
      - name: vaultfleet_aws_wrapping_path
    ini:
      - section: vaultfleet_aws
        key: wrapping_path
    env:
      - name: VAULTFLEET_AWS_WRAPPING_PATH
"""
