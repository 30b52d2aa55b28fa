# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a sink of the agent is told beside its file: to have the token wrapped, and to encrypt what it writes."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from .._auth.durations import parse_duration
from .._auth.errors import ConfigError, LoginError
from .._auth.sink import Sink
from .keys import Block

SHORTEST_WRAP = 5  # seconds; less is over before a reader comes
_OF_ENCRYPTION = ("derive_key", "aad", "aad_env_var")

Report = t.Callable[[str, str, str], None]  # key, what is wrong with it, what to do


@dataclasses.dataclass(frozen=True)
class Encryption:
    """For whom a sink is encrypted. peer_file: the file with the reader's public key. derive_key: whether the key that
    both sides agree on goes through HKDF. aad: what the reader must name, too.
    """

    peer_file: str
    derive_key: bool = False
    aad: bytes = dataclasses.field(default=b"", repr=False)


@dataclasses.dataclass(frozen=True)
class AgentSink(Sink):
    """A token file of the agent. wrap_ttl: seconds, 0 for the token itself. encryption: None for what all can read."""

    wrap_ttl: int = 0
    encryption: Encryption | None = None


def wraps(block: Block) -> bool:
    """Whether the block asks for wrapping; 0 is Vault Agent's way to say that it does not."""
    return block.values.get("wrap_ttl") not in (None, 0, "0", "0s")


def options_of(
    block: Block, environ: t.Mapping[str, str], report: Report, notices: list[str], *, look: bool
) -> dict[str, t.Any]:
    """Judge the keys of a sink's ``block``; the fields of AgentSink that they give. look: whether the file with the
    reader's key and the environment are those of this host.
    """
    options: dict[str, t.Any] = {}
    if wraps(block):
        try:
            options["wrap_ttl"] = parse_duration("wrap_ttl", block.values["wrap_ttl"], minimum=SHORTEST_WRAP)
        except ConfigError as e:
            report("wrap_ttl", e.what[len("wrap_ttl: ") :], e.hint)
    if _is_encrypted(block, report):
        options["encryption"] = _encryption(block, environ, report, notices, look)
    return options


def _is_encrypted(block: Block, report: Report) -> bool:
    values = block.values
    kind, path = values.get("dh_type", ""), values.get("dh_path", "")
    if not kind and not path:
        for name in _OF_ENCRYPTION:
            if values.get(name):
                hint = "remove it, or give dh_type and dh_path to encrypt the sink"
                report(name, "is for an encrypted sink, and this one is not", hint)
        return False
    if not kind:
        report("dh_type", "is missing, but dh_path is there", "set it to curve25519, or remove dh_path")
    elif kind != "curve25519":
        report("dh_type", f"{kind[:40]!r} is not served", "use curve25519, the one there is")
    if not path:
        report("dh_path", "is missing, but dh_type is there", "give the file with the reader's public key")
    elif not os.path.isabs(path) or not path.isprintable():
        report("dh_path", f"{path[:80]!r} is not an absolute path of a file", "start it with /")
        return False
    return bool(kind and path)


def _encryption(
    block: Block, environ: t.Mapping[str, str], report: Report, notices: list[str], look: bool
) -> Encryption:
    path, aad = block.values["dh_path"], block.values.get("aad", "")
    variable = block.values.get("aad_env_var", "")
    if variable and look:
        if not environ.get(variable):
            hint = "set it where the agent starts, or remove the key: without it nothing would be checked"
            report("aad_env_var", f"{variable[:80]} is not set in the environment, or is empty", hint)
        if aad:
            notices.append(f"{block.at('aad_env_var')} in {block.file} is used; {block.at('aad')} is not")
        aad = environ.get(variable, "")
    if look:
        if os.path.lexists(path):
            from . import peer_keys  # what few sinks need is loaded for them

            try:
                peer_keys.read_public(path)
            except LoginError as e:
                report("dh_path", f"{e.what}: {e.server}" if e.server else e.what, e.hint)
        else:
            notices.append(
                f"{block.at('dh_path')} in {block.file}: there is no {path} yet, and the sink is not written before the"
                " reader put its public key there"
            )
    return Encryption(path, block.values.get("derive_key", False), aad.encode("utf-8", "surrogateescape"))
