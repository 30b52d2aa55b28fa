# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role's variables of one host, judged all at once, become what the role does there. No I/O.

What goes into the agent's configuration is judged by the agent's own code, so that both are always of one mind.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import typing as t

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent import config
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.config import AgentConfig, ConfigErrors
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.problems import printable
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.sink_options import AgentSink
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.durations import parse_duration
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import ConfigError
from ansible_collections.vaultfleet.aws.plugins.plugin_utils._role import templates

PREFIX = "vault_agent_"
_VAULT = {
    "url": "address",
    "ca_cert": "ca_cert",
    "ca_path": "ca_path",
    "client_cert": "client_cert",
    "client_key": "client_key",
    "tls_server_name": "tls_server_name",
}
_METHOD = ("mount_path", "namespace", "wrap_ttl", "min_backoff", "max_backoff")
_AWS = (
    "type",
    "role",
    "region",
    "sts_endpoint",
    "header_value",
    "profile",
    "signature_type",
    "credential_poll_interval",
    "assume_role_arn",
    "assume_role_external_id",
    "assume_role_session_name",
)
_KEYS = ("access_key", "secret_key", "session_token")
_SECRETS = (*_KEYS, "nonce")
_AUTO_AUTH = ("lookup_interval", "metrics_file")
_TOP = ("log_level", "log_format")
_SWITCHES = ("validate_certs", "revoke_on_exit")
_ROLES_OWN = (
    "name",
    "state",
    "service_state",
    "sinks",
    "readers",
    "python",
    "wheelhouse",
    "bundle_src",
    "bundle_sha256",
    "wait_timeout",
    "sink_setype",
    "templates",
    "static_secret_render_interval",
)
KNOWN = frozenset((*_VAULT, *_METHOD, *_AWS, *_SECRETS, *_AUTO_AUTH, *_TOP, *_SWITCHES, *_ROLES_OWN))
_FILE = ("path", "mode", "owner", "group")
_SINK = (*_FILE, "wrap_ttl", "dh_type", "dh_path", "derive_key", "aad", "aad_env_var")
# A name of a user, a group, a unit and a directory; 31 characters are the most that all of them take.
_NAME = r"[a-z](?:[a-z0-9_-]{0,29}[a-z0-9])?"
_MODE = "0640"  # the group is the agent's own, and has the readers
_USER = r"[A-Za-z_][A-Za-z0-9_.-]{0,30}\$?|\d{1,9}"
_HOMES = ("/home", "/root", "/run/user")
_OF_KEY = {"address": "url", "tls_skip_verify": "validate_certs"}


class PlanError(Exception):
    """The variables cannot be used; ``problems`` has a line for each mistake, which starts with the variable's name."""

    def __init__(self, problems: t.Sequence[str]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(self.problems))


@dataclasses.dataclass(frozen=True)
class Plan:
    """What the role does on one host.

    config: the agent's, but for its sinks, whose owners only the host knows. sinks: path, mode (a number), owner and
    group (names or ids, None for the agent's own), more (what the agent is told of a sink beside its file). rendered:
    of each template path, owner and group. reloads: of each whose change reloads units number, path and units. login:
    whose nonce it is, for logins of type ec2. write: directories outside of its own that the service writes to.
    wait_timeout: seconds. aws_credentials: a file's text. nonce, aws_credentials: None if there are none. bundle: src,
    sha256, wheelhouse.
    """

    name: str
    state: str
    service_state: str = "started"
    config: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    sinks: t.Sequence[t.Mapping[str, t.Any]] = ()
    rendered: t.Sequence[t.Mapping[str, t.Any]] = ()
    reloads: t.Sequence[t.Mapping[str, t.Any]] = ()
    login: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    write: t.Sequence[str] = ()
    in_homes: bool = False
    readers: t.Sequence[str] = ()
    python: str | None = None
    bundle: t.Mapping[str, str | None] = dataclasses.field(default_factory=dict)
    wait_timeout: int = 60
    sink_setype: str | None = None
    profile: bool = False
    revoke: bool = False
    nonce: str | None = dataclasses.field(default=None, repr=False)
    aws_credentials: str | None = dataclasses.field(default=None, repr=False)

    @property
    def secret(self) -> bool:
        """Whether it holds anything that must not be shown."""
        return bool(self.nonce or self.aws_credentials)


def plan(variables: t.Mapping[str, t.Any]) -> Plan:
    """Judge ``variables`` (with their prefix; None is not given). Raises PlanError."""
    given = {name[len(PREFIX) :]: value for name, value in variables.items() if value is not None}
    problems = [_unknown(name) for name in given if name not in KNOWN]
    problems += [problem(needed, "is missing", "set it") for needed in ("name", "state") if needed not in given]
    name, state = given.get("name"), given.get("state")
    if "name" in given and not (isinstance(name, str) and re.fullmatch(_NAME, name)):
        hint = "use lower-case letters, digits, '-' and '_', at most 31, and a letter first"
        problems.append(problem("name", f"{_show(name)} is not a name for a user, a group and a unit", hint))
    if "state" in given and state not in ("present", "absent"):
        problems.append(problem("state", f"{_show(state)} is unknown", "use present or absent"))
    if state == "absent" and not problems:
        return Plan(str(name), "absent", revoke=_switch(given, "revoke_on_exit", problems) is True)
    switches = {switch: _switch(given, switch, problems) for switch in _SWITCHES}
    sinks = _sinks(given, problems)
    wishes = templates.wished(given.get("templates"), _USER, problems, problem)
    judged = _judge_config(given, switches, sinks, wishes, problems)
    problems += _judge_own(given)
    wait_timeout = _wait_timeout(given, problems)
    if problems or judged is None:
        raise PlanError(problems)
    directories = [os.path.dirname(sink.path) for sink in judged.sinks]
    directories += [os.path.dirname(template.place.path) for template in judged.templates]
    if judged.metrics_file:
        directories.append(os.path.dirname(judged.metrics_file))
    own = f"/run/{name}"
    write = sorted({place for place in directories if place != own and not place.startswith(f"{own}/")})
    login = judged.login
    return Plan(
        name=str(name),
        state="present",
        service_state=given["service_state"],
        config=_config(given, judged, wishes),
        sinks=[
            {
                "path": found.path,
                "mode": found.mode,
                "owner": sink.get("owner"),
                "group": sink.get("group"),
                "more": _more(found, sink),
            }
            for sink, found in zip(sinks, judged.sinks)
        ],
        rendered=templates.rendered(wishes, judged.templates),
        reloads=templates.reloads(judged.templates),
        login={
            "type": login.type,
            "url": judged.connection.url,
            "namespace": judged.connection.namespace,
            "mount_path": login.mount_path,
        },
        write=write,
        in_homes=any(_below(place, homes) for place in (*write, *_keys(judged)) for homes in _HOMES),
        readers=list(dict.fromkeys(given.get("readers", ()))),
        python=given.get("python"),
        bundle={
            "src": given.get("bundle_src"),
            "sha256": given.get("bundle_sha256"),
            "wheelhouse": given.get("wheelhouse"),
        },
        wait_timeout=wait_timeout,
        sink_setype=given.get("sink_setype"),
        profile=login.profile is not None,
        revoke=judged.revoke_on_exit,
        nonce=login.nonce,
        aws_credentials=_aws_credentials(judged),
    )


def _judge_config(
    given: t.Mapping[str, t.Any],
    switches: t.Mapping[str, bool | None],
    sinks: t.Sequence[t.Mapping[str, t.Any]],
    wishes: t.Sequence[t.Mapping[str, t.Any]],
    problems: list[str],
) -> AgentConfig | None:
    """What the agent makes of it, with the secrets, which never stand in its file."""
    if "url" not in given:
        problems.append(problem("url", "is missing", "give the server's address, like https://vault.example.org:8200"))
    aws = {name: given[name] for name in (*_AWS, *_SECRETS) if name in given}
    vault = {key: given[name] for name, key in _VAULT.items() if name in given}
    if switches["validate_certs"] is not None:
        vault["tls_skip_verify"] = not switches["validate_certs"]
    auto_auth = {name: given[name] for name in _AUTO_AUTH if name in given}
    if switches["revoke_on_exit"] is not None:
        auto_auth["revoke_on_exit"] = switches["revoke_on_exit"]
    method = {name: given[name] for name in _METHOD if name in given}
    auto_auth["method"] = [{"type": "aws", **method, "config": aws}]
    # Without any it would be said twice.
    stand_in = [] if wishes else [{"path": "/run/any"}]
    auto_auth["sink"] = [
        {
            "type": "file",
            "config": {name: value for name, value in sink.items() if name in _FILE},
            **{name: value for name, value in sink.items() if name not in _FILE},
        }
        for sink in sinks or stand_in
    ]
    top = {name: given[name] for name in _TOP if name in given}
    if wishes:
        top["jinja_template"] = wishes
    if "static_secret_render_interval" in given:
        top["template_config"] = {"static_secret_render_interval": given["static_secret_render_interval"]}
    try:
        return config.foretell(json.dumps({**top, "vault": vault, "auto_auth": auto_auth}, default=str))
    except ConfigErrors as e:
        for one in e.problems:
            option = templates.variable(one.key, given.get("templates")) or _variable(one.key)
            problems.append(problem(option, one.text, one.hint))
    return None


def _config(
    given: t.Mapping[str, t.Any], judged: AgentConfig, wishes: t.Sequence[t.Mapping[str, t.Any]]
) -> dict[str, t.Any]:
    """The agent's configuration without secrets and sinks, in a form that HashiCorp's agent takes as well."""
    login, connection = judged.login, judged.connection
    vault: dict[str, t.Any] = {"address": connection.url}
    vault.update({key: given[name] for name, key in _VAULT.items() if name in given and name != "url"})
    if not connection.validate_certs:
        vault["tls_skip_verify"] = True
    method: dict[str, t.Any] = {"type": "aws", "mount_path": f"auth/{login.mount_path}"}
    if connection.namespace:
        method["namespace"] = connection.namespace
    for name, seconds in (
        ("wrap_ttl", login.wrap_ttl),
        ("min_backoff", judged.min_backoff),
        ("max_backoff", judged.max_backoff),
    ):
        if name in given and seconds:
            method[name] = f"{seconds}s"
    aws = {name: given[name] for name in _AWS if name in given}
    aws["role"] = login.role
    if login.region == "auto":
        aws["region"] = ""  # the one spelling that both agents know
    if "credential_poll_interval" in aws:
        aws["credential_poll_interval"] = judged.credential_poll_interval  # HashiCorp's takes no text here
    auto_auth: dict[str, t.Any] = {"method": [{**method, "config": aws}]}
    if "lookup_interval" in given:
        auto_auth["lookup_interval"] = f"{judged.lookup_interval}s"
    if judged.revoke_on_exit:
        auto_auth["revoke_on_exit"] = True
    if judged.metrics_file:
        auto_auth["metrics_file"] = judged.metrics_file
    top: dict[str, t.Any] = {name: given[name] for name in _TOP if name in given}
    if "static_secret_render_interval" in given:
        top["template_config"] = {"static_secret_render_interval": f"{judged.render_interval}s"}
    if judged.templates:
        top["jinja_template"] = templates.configured(wishes, judged.templates)
    return {**top, "vault": vault, "auto_auth": auto_auth}


def _more(sink: AgentSink, given: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """What stands in the agent's configuration of a sink beside its file."""
    more: dict[str, t.Any] = {"wrap_ttl": f"{sink.wrap_ttl}s"} if sink.wrap_ttl else {}
    if sink.encryption:
        more.update(dh_type="curve25519", dh_path=sink.encryption.peer_file)
        if sink.encryption.derive_key:
            more["derive_key"] = True
        if sink.encryption.aad:
            more["aad"] = sink.encryption.aad.decode("utf-8", "surrogateescape")
        if given.get("aad_env_var"):
            more["aad_env_var"] = given["aad_env_var"]  # of an environment that only the host knows
    return more


def _keys(judged: AgentConfig) -> list[str]:
    """The files with the keys of readers, which the service has to see."""
    return [sink.encryption.peer_file for sink in judged.sinks if sink.encryption]


def _aws_credentials(judged: AgentConfig) -> str | None:
    login = judged.login
    if login.access_key is None:
        return None
    lines = ["[default]", f"aws_access_key_id = {login.access_key}", f"aws_secret_access_key = {login.secret_key}"]
    if login.session_token:
        lines.append(f"aws_session_token = {login.session_token}")
    return "\n".join(lines) + "\n"


def _sinks(given: t.Mapping[str, t.Any], problems: list[str]) -> list[dict[str, t.Any]]:
    sinks = given.get("sinks", [])
    if sinks == [] and given.get("templates"):
        return []
    if not isinstance(sinks, list) or not sinks:
        problems.append(problem("sinks", "is not a list with a sink in it", "give a list of path, mode, owner, group"))
        return []
    found = []
    for number, sink in enumerate(sinks):
        place = f"sinks[{number}]" if len(sinks) > 1 else "sinks"
        if not isinstance(sink, dict):
            problems.append(problem(place, "is not a mapping", "give path, and mode, owner and group if need be"))
            continue
        for name in sink:
            if name not in _SINK:
                problems.append(problem(f"{place}.{name}"[:100], "is not known", "use " + ", ".join(_SINK)))
        for name in ("owner", "group"):
            if sink.get(name) is not None and not re.fullmatch(_USER, str(sink[name]), re.ASCII):
                problems.append(problem(f"{place}.{name}", f"{_show(sink[name])} is neither name nor id", "give one"))
        good = {name: value for name, value in sink.items() if name in _SINK and value is not None}
        found.append({"mode": _MODE, **good})
    return found


def _judge_own(given: t.Mapping[str, t.Any]) -> list[str]:
    """What the agent knows nothing of."""
    problems = []
    if given.get("service_state") not in ("started", "stopped"):
        shown = _show(given["service_state"]) if "service_state" in given else "nothing"
        problems.append(problem("service_state", f"{shown} is unknown", "use started or stopped"))
    readers = given.get("readers", [])
    if not isinstance(readers, list):
        problems.append(problem("readers", "is not a list", "give a list of names of users"))
    else:
        for reader in readers:
            if not isinstance(reader, str) or not re.fullmatch(_USER, reader, re.ASCII) or reader.isdecimal():
                problems.append(problem("readers", f"{_show(reader)} is not the name of a user", "give names"))
    python = given.get("python")
    if python is not None and not (isinstance(python, str) and re.fullmatch(r"/[\w./+-]+", python, re.ASCII)):
        hint = "give it like /usr/bin/python3.11"
        problems.append(problem("python", f"{_show(python)} is not an absolute path of a program", hint))
    source, digest = given.get("bundle_src"), given.get("bundle_sha256")
    if source is not None and not _is_path(source):
        problems.append(
            problem("bundle_src", "is not the name of a file", "give the path of a file, or an https:// URL")
        )
    if (source is None) != (digest is None):
        missing, other = ("bundle_sha256", "bundle_src") if digest is None else ("bundle_src", "bundle_sha256")
        problems.append(problem(missing, f"is missing, but {PREFIX}{other} is given", "give both, or neither"))
    if digest is not None and not re.fullmatch(r"[0-9a-f]{64}", str(digest)):
        problems.append(problem("bundle_sha256", "is not a SHA-256 in hex", "give what sha256sum prints"))
    if source is not None and "wheelhouse" in given:
        problems.append(problem("wheelhouse", f"is given together with {PREFIX}bundle_src", "give one of them"))
    if "wheelhouse" in given and not _is_path(given["wheelhouse"]):
        problems.append(problem("wheelhouse", "is not the name of a folder", "give a folder on the controller"))
    kind = given.get("sink_setype")
    if kind is not None and not (isinstance(kind, str) and re.fullmatch(r"\w{1,100}", kind, re.ASCII)):
        problems.append(problem("sink_setype", f"{_show(kind)} is not an SELinux type", "give it like vault_token_t"))
    return problems


def _wait_timeout(given: t.Mapping[str, t.Any], problems: list[str]) -> int:
    try:
        return parse_duration("wait_timeout", given.get("wait_timeout", 60))
    except ConfigError as e:
        problems.append(f"{PREFIX}{e}")
        return 0


def _switch(given: t.Mapping[str, t.Any], name: str, problems: list[str]) -> bool | None:
    value = given.get(name)
    if value is None or isinstance(value, bool):
        return value
    known = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    found = known.get(str(value).lower())
    if found is None:
        problems.append(problem(name, f"{_show(value)} is not a boolean", "use true or false"))
    return found


def _variable(key: str) -> str:
    """The option that stands at ``key`` of the agent's configuration."""
    found = re.fullmatch(r"auto_auth\.sink(\[\d+\])?(?:\.config)?(?:\.(\w+))?", key)
    if found:
        return "sinks" + (found[1] or "") + (f".{found[2]}" if found[2] else "")
    last = key.rpartition(".")[2]
    return _OF_KEY.get(last, last)


def _unknown(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, sorted(KNOWN), n=1)
    hint = f"did you mean {PREFIX}{near[0]}?" if near else "remove it, or rename it: the prefix is this role's own"
    return problem(name[:80], "is not a variable of this role", hint)


def problem(name: str, text: str, hint: str) -> str:
    """Return what is said of the variable ``name``, which stands here without its prefix."""
    return printable(f"{PREFIX}{name}: {text} -- {hint}")


def _is_path(value: object) -> bool:
    return isinstance(value, str) and value != "" and value.isprintable()


def _show(value: object) -> str:
    return repr(value)[:80]


def _below(place: str, folder: str) -> bool:
    return place == folder or place.startswith(f"{folder}/")
