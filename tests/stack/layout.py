# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the stack keeps its files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """The files of one stack, all below its directory."""

    root: Path

    @property
    def env(self) -> Path:
        """What users and tests read; written last, so that it is only there when the stack was ready."""
        return self.root / "env"

    @property
    def lock(self) -> Path:
        """Held while the stack is brought up or taken down."""
        return self.root / "lock"

    @property
    def log(self) -> Path:
        """The servers' own output, and the audit log."""
        return self.root / "log"

    @property
    def audit(self) -> Path:
        """Vault's file audit device."""
        return self.log / "audit.log"

    @property
    def run(self) -> Path:
        """One record for each process of the stack."""
        return self.root / "run"

    @property
    def pki(self) -> Path:
        """Test CA, server certificate, and the certificate that signs identity documents."""
        return self.root / "pki"

    @property
    def vault(self) -> Path:
        """Configuration, raft storage, plugin, keys."""
        return self.root / "vault"

    @property
    def aws(self) -> Path:
        """Credentials files and the settings of the metadata service."""
        return self.root / "aws"

    def folders(self) -> tuple[Path, ...]:
        """All folders, the outermost first."""
        return (
            self.root,
            self.log,
            self.run,
            self.pki,
            self.vault,
            self.vault / "raft",
            self.vault / "plugins",
            self.aws,
        )


def layout(directory: str) -> Layout:
    """The layout below ``directory``, made absolute so that a change of directory does no harm."""
    return Layout(Path(directory).resolve())


def write_private(path: Path, content: str | bytes) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
    temporary.replace(path)
