# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A token file that is looked after: written as ``_auth.sink`` does it, and known again if somebody altered it."""

from __future__ import annotations

import errno
import math
import os
import time
import typing as t

from .._auth import sink as files
from .._auth.errors import SinkError
from .._auth.sink import Sink

if t.TYPE_CHECKING:
    from .jobs import Held
    from .sink_options import AgentSink
    from .wrapping import WrappedFile, Wrapping

_SETTLED = 1.0  # seconds; far longer than a tick of the clock that files are stamped with
_HINTS = {
    errno.EACCES: "let the agent's user write to that directory (a runtime directory of its unit is best)",
    errno.EDQUOT: "the quota is used up: make room",
    errno.EINVAL: "users and groups that are not the agent's own take PrivateUsers=no in its unit",
    errno.ENOSPC: "the file system is full: make room, or give its tmpfs a larger size",
    errno.EPERM: "the agent's user can give a file to no other user, and only to a group that it is in",
    errno.EROFS: "the file system is read-only to the agent: name the directory in ReadWritePaths= of its unit",
}


class Seen(t.NamedTuple):
    """What a look at a sink brought. wrote: it had to be written. news: what else a person is to be told. again: when
    somebody must look again at the latest, in seconds.
    """

    wrote: bool
    news: str = ""
    again: float = math.inf


class TokenFile:
    """One sink. It remembers how its file looked when it was last found right, so that a look is one system call."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self._text: str | None = None
        self._stamp: tuple[int, ...] = ()
        self._owner: tuple[int, int] | None = None

    def see(self, held: Held) -> Seen:
        """See that the sink holds the token. Raises LoginError."""
        wrote = not self.holds(held.text)
        if wrote:
            self.put(held.text)
        return Seen(wrote)

    def put(self, text: str) -> None:
        """Write exactly ``text``, in one step. Raises SinkError, which says what to do; the old file is whole then."""
        self._stamp = ()
        try:
            files.write(self.sink, text)
        except SinkError as e:
            _explain(e)
            raise
        try:
            found = os.lstat(self.sink.path)
        except OSError:
            return  # somebody was quick; ``holds`` will tell
        self._owner = (found.st_uid, found.st_gid)

    def holds(self, text: str) -> bool:
        """Whether the file is there with exactly ``text``, and with its mode and owner; False also if one cannot look.

        Then ``put`` mends it, or says what is in the way.
        """
        try:
            found = os.lstat(self.sink.path)
        except OSError:
            return False
        # The inode's own time cannot be set back by whoever alters the file.
        stamp = (
            found.st_dev,
            found.st_ino,
            found.st_ctime_ns,
            found.st_size,
            found.st_mode,
            found.st_uid,
            found.st_gid,
        )
        if stamp == self._stamp and text == self._text:
            return True
        self._stamp = ()
        # Without an owner in the configuration it is the one that our own file came to have.
        if self._owner not in (None, (found.st_uid, found.st_gid)):
            return False
        try:
            if files.differs(self.sink) or files.read(self.sink.path, max(files.LARGEST, 4 * len(text))) != text:
                return False
        except SinkError:
            return False
        # A file that changed just now could change again within the same tick, and look the same.
        if time.time() - found.st_ctime > _SETTLED:
            self._stamp, self._text = stamp, text
        return True

    def check(self) -> None:
        """Find out whether ``put`` would work; the file stays as it is. Raises SinkError, which says what to do."""
        try:
            files.check_writable(self.sink)
        except SinkError as e:
            _explain(e)
            raise

    def remove(self) -> bool:
        """Remove the file; False if there was none. Raises SinkError."""
        self._stamp, self._text, self._owner = (), None, None
        try:
            return files.remove(self.sink.path)
        except SinkError as e:
            _explain(e)
            raise


def file_of(sink: AgentSink, wrapping: Wrapping | None = None, *, doubt: bool = False) -> TokenFile | WrappedFile:
    """Return what looks after ``sink``. wrapping, doubt: as ``WrappedFile``. What few sinks need is loaded for them."""
    file = TokenFile(sink)
    if sink.encryption:
        from .encrypted import EncryptedFile

        file = EncryptedFile(sink, sink.encryption)
    if not sink.wrap_ttl:
        return file
    from .wrapping import WrappedFile

    return WrappedFile(file, sink, wrapping, doubt)


def _explain(error: SinkError) -> None:
    if not error.hint:
        error.hint = next((hint for code, hint in _HINTS.items() if error.server == os.strerror(code)), "")
