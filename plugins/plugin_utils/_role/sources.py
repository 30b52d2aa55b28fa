# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a bundle comes from, as far as that is on the controller: looked at before any host is."""

from __future__ import annotations

import os
import re
import typing as t

from .._bundle.files import sha256_of
from .plan import PREFIX, PlanError


def found(
    bundle: t.Mapping[str, str | None], file: t.Callable[[str], str | None], folder: t.Callable[[str], str]
) -> dict[str, str | None]:
    """Return a plan's ``bundle`` with the paths of files that are there. Raises PlanError.

    file: finds a file by what the user calls it. folder: the path of a folder by what the user calls it.
    """
    src, wheelhouse = bundle.get("src"), bundle.get("wheelhouse")
    if src and not re.match("https?://", src):
        return {**bundle, "src": _checked(src, file(src), str(bundle["sha256"]))}
    if wheelhouse and not os.path.isdir(folder(wheelhouse)):
        raise PlanError(
            [f"{PREFIX}wheelhouse: there is no folder {wheelhouse[:200]} on the controller -- fill one by pip download"]
        )
    return dict(bundle)


def _checked(src: str, path: str | None, sha256: str) -> str:
    if path is None or not os.path.isfile(path):
        hint = "give the path of a file on the controller, or an https:// URL for the host to fetch"
        raise PlanError([f"{PREFIX}bundle_src: there is no file {src[:200]} on the controller -- {hint}"])
    try:
        digest = sha256_of(path)
    except OSError as e:
        raise PlanError([f"{PREFIX}bundle_src: cannot read {path}: {e.strerror} -- make it readable"]) from None
    if digest != sha256:
        hint = "give that, if it is the file that you want"
        raise PlanError([f"{PREFIX}bundle_sha256: {path} has another SHA-256, {digest} -- {hint}"])
    return path
