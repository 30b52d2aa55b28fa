# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The auth core: from options to a Vault token, with an AWS identity as the proof.

Private to this collection. It imports botocore and hvac, never ansible, so that the same files run inside a module,
in a lookup, as a service and as a plain library (``_auth.login.log_in`` is the entry).

The line, one function an arrow, one frozen dataclass a box::

    options -> LoginConfig -> (Credentials | IdentityDocument) -> LoginRequest -> Vault -> Token | Wrapped
"""
