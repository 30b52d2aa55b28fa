# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a bundle keeps of a wheel: the code, and of its data what signing and finding credentials read.

Every kept file is what the wheel has, byte for byte.
"""

from __future__ import annotations

import re
import stat
import zipfile

from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle.errors import BundleError, explained
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._bundle.pins import Pin

_LARGEST = 64 * 1024 * 1024  # bytes of all that is kept of one wheel
_CLEANUP = "see whether the lock was changed, and install the collection again"

# The services that botocore's providers of credentials call: roles (also by a web identity), and single sign-on.
# Signing in as a person ("aws login") is left out, as it cannot do without a compiled library.
_SERVICES = "sts|sso|sso-oidc"
_BOTOCORE_DATA = re.compile(
    r"botocore/data/((endpoints|partitions|_retry|sdk-default-configuration)\.json"
    rf"|({_SERVICES})/[0-9-]+/(service-2|endpoint-rule-set-1)\.json)(\.gz)?"
)
_LEFT_OUT = re.compile(
    r".*\.pyc|.*\.pyi|(.*/)?py\.typed|(.*/)?__pycache__/.*|[^/]+/tests?/.*"
    r"|botocore/data/.*"
    r"|botocore/cacert\.pem"  # it reads certifi's
    r"|dateutil/zoneinfo/.*\.tar\.gz"  # for systems without time zones
    r"|[^/]+\.data/scripts/.*"
    r"|markupsafe/_speedups\.[^/]+"  # compiled for one machine; it does the same in Python without
)
_ABOUT = re.compile(r"[^/]+\.dist-info/((.*/)?(LICEN[CS]E|NOTICE|COPYING|AUTHORS)[^/]*|METADATA)", re.IGNORECASE)


def read_wheel(path: str, pin: Pin) -> dict[str, bytes]:
    """Return the files of a wheel that a bundle keeps, by their path. Raises BundleError for what is no good wheel."""
    try:
        with explained(f"the wheel of {pin} cannot be read", _CLEANUP), zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            for member in members:
                _judge(member, pin)
            kept = [member for member in members if not member.is_dir() and is_kept(member.filename)]
            if sum(member.file_size for member in kept) > _LARGEST:
                raise _bad(pin, "is too large")
            if len({member.filename for member in members}) != len(members):
                raise _bad(pin, "has two files of one name")
            return {member.filename: archive.read(member) for member in kept}
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError) as e:
        raise _bad(pin, f"is not a wheel ({type(e).__name__})") from None


def is_kept(path: str) -> bool:
    """Whether a bundle keeps this file of a wheel."""
    if ".dist-info/" in path:
        return _ABOUT.fullmatch(path) is not None
    return _BOTOCORE_DATA.fullmatch(path) is not None or _LEFT_OUT.fullmatch(path) is None


def _judge(member: zipfile.ZipInfo, pin: Pin) -> None:
    """Refuse what would not land below the folder, or not as a plain file. Raises BundleError."""
    name = member.filename
    parts = name.removesuffix("/").split("/")
    shown = repr(name[:80])
    if not name.isprintable() or "\\" in name or ":" in name or any(part in ("", ".", "..") for part in parts):
        raise _bad(pin, f"has a file of the name {shown}")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _bad(pin, f"has {shown}, which is neither a file nor a folder")
    if member.flag_bits & 1:
        raise _bad(pin, f"has {shown} encrypted")
    if parts[0].endswith(".data") and parts[1:2] not in ([], ["scripts"]):
        raise _bad(pin, f"installs {shown} in a place of its own")
    if name.endswith((".so", ".pyd", ".pth")) and is_kept(name):
        raise _bad(pin, f"has {shown}, so that it is not pure Python")


def _bad(pin: Pin, problem: str) -> BundleError:
    return BundleError(f"the wheel of {pin} {problem}", _CLEANUP)
