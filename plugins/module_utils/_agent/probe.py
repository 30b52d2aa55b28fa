# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``check --connect``: tries all that the agent needs, short of a login. Vault sees one request, for its health."""

from __future__ import annotations

import os
import pwd
import socket
import sys
import typing as t
from urllib.parse import urlsplit

from .._auth import lib_botocore, lib_hvac
from .._auth.config import DEFAULT_REGION, LoginConfig
from .._auth.credentials import Credentials, find_credentials
from .._auth.endpoints import StsTarget
from .._auth.errors import LoginError, Retry, SinkError
from .._auth.imds import identity_document
from .._auth.login import signing_target
from .._auth.sink import Sink
from .config import AgentConfig
from .findings import Finding, attempt
from .reach import reach
from .sinks import TokenFile

__all__ = ["Finding", "probe"]

_STS_PATIENCE = 3.0  # seconds
_IN_MEMORY = ("tmpfs", "ramfs")
_ROLE_OF_INSTANCE = "iam-role"  # botocore's name of that provider


def probe(config: AgentConfig) -> list[Finding]:
    """Try what the agent of ``config`` needs, as this user: the way to Vault, its AWS identity, its files.

    Each look ends within half a minute, and those after it are made whatever it brought, where they make sense. No
    token is asked for, and none of the files is altered. A finding shows no secret.
    """
    findings = list(_missing())
    if not findings:
        findings += reach(config.connection, signs=config.login.type == "iam")
        findings += _iam(config.login, config.connection.timeout) if config.login.type == "iam" else _ec2(config.login)
    for sink in config.sinks:
        findings += _file("sink", sink)
    for template in config.templates:
        findings += _file("template", template.place)
    for about, path in (("pid_file", config.pid_file), ("metrics_file", config.metrics_file)):
        if path:
            findings += _file(about, Sink(path, 0o644))[:1]  # these may be on a disk
    return findings


def _missing() -> t.Iterator[Finding]:
    """The libraries without which nothing else can be tried."""
    for name, error in (("hvac", lib_hvac.MISSING), ("botocore", lib_botocore.MISSING)):
        if error:
            text = f"the Python package {name} cannot be loaded: {error} -- install it for {sys.executable}"
            yield Finding("wrong", "libraries", text, Retry.PERMANENT)


def _iam(config: LoginConfig, timeout: float) -> t.Iterator[Finding]:
    target = attempt("region", lambda: signing_target(config), hint="set region")
    if isinstance(target, Finding):
        yield target
        if config.assume_role_arn:
            return  # STS of that region would be asked
        region = DEFAULT_REGION
    else:
        region = target.region
        yield Finding("ok", "region", f"logins are signed for {region}, at {target.url}")
        if not config.assume_role_arn:  # else it is asked for the role
            yield _sts(target)
    found = attempt(
        "credentials",
        lambda: find_credentials(config, region, timeout=timeout),
        hint="look at where they come from: a credential_process, a service of AWS's, a file on the network",
    )
    if isinstance(found, Credentials):
        role = f", {config.assume_role_arn}" if config.assume_role_arn else ""
        yield Finding("ok", "credentials", f"{_shortened(found.access_key)} from {found.provider}{role}")
    else:
        yield found
    if _may_be_of_instance(config, found):
        seen = _metadata("identity")
        yield seen if seen.fine else seen.as_note()


def _may_be_of_instance(config: LoginConfig, found: Credentials | Finding) -> bool:
    if isinstance(found, Credentials):
        return found.provider.split(",")[0] == _ROLE_OF_INSTANCE
    # Where there are no credentials, the metadata service's hop limit may be why.
    return found.retry is Retry.TRANSIENT and not config.access_key


def _sts(target: StsTarget) -> Finding:
    url = urlsplit(target.url)
    host, port = str(url.hostname), url.port or (443 if url.scheme == "https" else 80)

    def dial() -> Finding:
        try:
            socket.create_connection((host, port), timeout=_STS_PATIENCE).close()
        except (OSError, UnicodeError) as e:
            reason = getattr(e, "strerror", None) or "no answer"
            raise LoginError(f"{host}:{port} cannot be reached: {reason}") from None
        return Finding("ok", "STS", f"{host}:{port} takes connections (though only Vault must reach it)")

    seen = attempt("STS", dial, 2 * _STS_PATIENCE, hint="DNS is slow")
    if seen.fine:
        return seen
    return Finding("note", "STS", f"{seen.text}; that is no fault: Vault must reach it, this host need not")


def _ec2(config: LoginConfig) -> t.Iterator[Finding]:
    yield _metadata(config.signature_type)
    if not config.nonce:
        yield Finding(
            "note",
            "nonce",
            "none is configured, so each agent makes its own, in memory. Under systemd it outlives restarts, else it"
            " ends with the process, and always at a reboot. Then no login works until an operator deletes"
            f" auth/{config.mount_path}/identity-accesslist/<instance>",
        )


def _metadata(signature_type: str) -> Finding:
    def look() -> Finding:
        found = identity_document(signature_type)
        return Finding(
            "ok", "metadata", f"instance {found.instance_id} of account {found.account_id}, in {found.region}"
        )

    return attempt("metadata", look, hint="check what answers there, and AWS_EC2_METADATA_SERVICE_ENDPOINT")


def _shortened(access_key: str) -> str:
    """Enough of an access key's id to know it again."""
    return f"{access_key[:4]}...{access_key[-4:]}" if len(access_key) >= 12 else f"{access_key[:4]}..."


def _file(about: str, sink: Sink) -> list[Finding]:
    def look() -> list[Finding]:
        TokenFile(sink).check()
        directory = os.path.dirname(sink.path)
        _check_room(directory)
        found = [Finding("ok", about, f"{sink.path} can be written by {_user()}, with mode {sink.mode:04o}")]
        kind = _file_system(directory)
        if kind and kind not in _IN_MEMORY:
            hint = "give a path on a tmpfs, such as below /run"
            found.append(
                Finding("note", about, f"{sink.path} is on a disk ({kind}), where it can be found later -- {hint}")
            )
        return found

    seen = attempt(about, look, hint=f"the file system of {sink.path} hangs: give a path on a tmpfs")
    return [seen] if isinstance(seen, Finding) else seen


def _check_room(directory: str) -> None:
    room = os.statvfs(directory)
    # Without a number of blocks there is no limit to them.
    if room.f_blocks and not (room.f_bavail if os.geteuid() else room.f_bfree):
        raise SinkError(f"the file system of {directory} is full", hint="make room, or give its tmpfs a larger size")


def _user() -> str:
    try:
        return f"user {pwd.getpwuid(os.geteuid()).pw_name}"
    except KeyError:
        return f"user {os.geteuid()}"


def _file_system(directory: str) -> str:
    """The kind of file system, or nothing: proc_pid_mountinfo(5), third field and the first one after the dash."""
    device = os.stat(directory).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                fields, _dash, rest = line.partition(" - ")
                if fields.split()[2] == wanted:
                    return rest.split()[0]
    except (OSError, IndexError):
        pass
    return ""
