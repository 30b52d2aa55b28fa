# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The keys of the configuration: what each block may hold, and why other keys of Vault Agent are refused."""

from __future__ import annotations

import dataclasses
import typing as t

from .files import Object, below
from .problems import Problem


@dataclasses.dataclass(frozen=True)
class Kind:
    """What a value may be: its exact types in Python (a boolean is no integer here)."""

    types: tuple[type, ...]
    hint: str


TEXT = Kind((str,), "give a string")
BOOLEAN = Kind((bool,), "use true or false, without quotes")
FLAG = Kind((bool, str), "use true or false")
INTEGER = Kind((int,), "give an integer")
DURATION = Kind((int, str), "give seconds as an integer, or a string such as 90s, 5m or 1h30m")
MODE = Kind((int, str), 'give it as a string, such as "0640"')
OWNER = Kind((int, str), "give a name, or an id")
BLOCK = Kind((Object, list), "give an object")
LIST = Kind((list,), "give a list, [...]")


@dataclasses.dataclass(frozen=True)
class Table:
    """A block's keys. place: where it stands. refused: keys that Vault Agent has and this agent has not, with why."""

    place: str
    kinds: t.Mapping[str, Kind]
    refused: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Block:
    """An object in a file."""

    file: str
    key: str
    values: t.Mapping[str, t.Any] = dataclasses.field(repr=False)

    def at(self, name: str) -> str:
        """The path of one of its keys."""
        return below(self.key, name)


_NO_API = "this agent serves no API: applications read the token from a sink; where they cannot, keep Vault Agent"
_NO_TEMPLATE = (
    'this agent renders Jinja2, in jinja_template: {{ with secret "kv/data/app" }}{{ .Data.data.password }}{{ end }}'
    " is {{ secret('kv/data/app').data.password }} there"
)
_NO_CHILD = (
    "this agent starts no child with secrets in its environment: render a file with jinja_template, which the child's"
    " unit reads as EnvironmentFile="
)
_NO_LOG_FILE = "events go to stderr, where the journal keeps and rotates them; remove it"
_NO_SWITCH = "this agent has no such switch; remove it"

TOP = Table(
    "",
    {
        "pid_file": TEXT,
        "exit_after_auth": BOOLEAN,
        "log_level": TEXT,
        "log_format": TEXT,
        "vault": BLOCK,
        "auto_auth": BLOCK,
        "jinja_template": BLOCK,
        "template_config": BLOCK,
    },
    {
        **dict.fromkeys(("listener", "api_proxy", "cache"), _NO_API),
        "template": _NO_TEMPLATE,
        **dict.fromkeys(("env_template", "exec"), _NO_CHILD),
        **dict.fromkeys(("log_file", "log_rotate_duration", "log_rotate_bytes", "log_rotate_max_files"), _NO_LOG_FILE),
        **dict.fromkeys(("disable_idle_connections", "disable_keep_alives", "disable_mlock"), _NO_SWITCH),
        "telemetry": "counters are in the agent's status, and in a file for Prometheus: set auto_auth.metrics_file",
    },
)
VAULT = Table(
    "vault",
    {
        "address": TEXT,
        "namespace": TEXT,
        "ca_cert": TEXT,
        "ca_path": TEXT,
        "client_cert": TEXT,
        "client_key": TEXT,
        "tls_skip_verify": FLAG,
        "tls_server_name": TEXT,
        "retry": BLOCK,
    },
)
RETRY = Table("vault.retry", {"num_retries": INTEGER})
AUTO_AUTH = Table(
    "auto_auth",
    {
        "method": BLOCK,
        "sink": BLOCK,
        "sinks": BLOCK,
        "lookup_interval": DURATION,
        "revoke_on_exit": BOOLEAN,
        "revoke_previous": BOOLEAN,
        "metrics_file": TEXT,
    },
    {
        "enable_reauth_on_new_credentials": "rotated AWS keys sign the next login and never force one, which would be"
        " a storm of logins; remove it"
    },
)
METHOD = Table(
    "auto_auth.method",
    {
        "type": TEXT,
        "mount_path": TEXT,
        "namespace": TEXT,
        "wrap_ttl": DURATION,
        "min_backoff": DURATION,
        "max_backoff": DURATION,
        "exit_on_err": BOOLEAN,
        "config": BLOCK,
    },
)
AWS = Table(
    "auto_auth.method.config",
    {
        "type": TEXT,
        "role": TEXT,
        "region": TEXT,
        "header_value": TEXT,
        "nonce": TEXT,
        "access_key": TEXT,
        "secret_key": TEXT,
        "session_token": TEXT,
        "credential_poll_interval": DURATION,
        "sts_endpoint": TEXT,
        "signature_type": TEXT,
        "profile": TEXT,
        "assume_role_arn": TEXT,
        "assume_role_external_id": TEXT,
        "assume_role_session_name": TEXT,
    },
)
SINK = Table(
    "auto_auth.sink",
    {
        "type": TEXT,
        "wrap_ttl": DURATION,
        "dh_type": TEXT,
        "dh_path": TEXT,
        "derive_key": BOOLEAN,
        "aad": TEXT,
        "aad_env_var": TEXT,
        "config": BLOCK,
    },
)
FILE = Table(
    "auto_auth.sink.config",
    {"path": TEXT, "mode": MODE, "owner": OWNER, "group": OWNER, "uid": OWNER, "gid": OWNER},
)
TEMPLATE = Table(
    "jinja_template",
    {
        "source": TEXT,
        "contents": TEXT,
        "destination": TEXT,
        "perms": MODE,
        "user": OWNER,
        "group": OWNER,
        "create_dest_dirs": BOOLEAN,
        "error_on_missing_key": BOOLEAN,
        "wait": BLOCK,
        "exec": BLOCK,
        "on_change_units": LIST,
    },
    {
        "command": "what runs after a change is in exec, as a list of words: exec.command",
        "backup": "what was there before is not kept, as it may hold secrets; remove it",
        **dict.fromkeys(("left_delimiter", "right_delimiter"), "Jinja2's delimiters stay; remove it"),
        "sandbox_path": "a template reads no files; remove it",
        "path": "it is destination here",
        "mode": "it is perms here",
        "owner": "it is user here",
    },
)
TEMPLATE_WAIT = Table("jinja_template.wait", {"min": DURATION, "max": DURATION})
TEMPLATE_EXEC = Table("jinja_template.exec", {"command": LIST, "timeout": DURATION})
TEMPLATE_CONFIG = Table(
    "template_config",
    {"static_secret_render_interval": DURATION},
    {
        "exit_on_retry_failure": "a template that fails is tried again, and never ends the agent; remove it",
        "max_connections_per_host": "all templates share one connection; remove it",
        "lease_renewal_threshold": "leases are renewed at two thirds, or replaced at 85 to 90 %; remove it",
    },
)
_ALL = (TOP, VAULT, AUTO_AUTH, METHOD, AWS, SINK, FILE)


def served(block: Block, table: Table, problems: list[Problem]) -> Block:
    """Return ``block`` with what ``table`` has and what is of its kind; ``problems`` gets the rest."""
    good = {}
    for name, value in block.values.items():
        kind = table.kinds.get(name)
        if name in table.refused:
            text, hint = "is not served by this agent", table.refused[name]
        elif kind is None:
            text, hint = "is not a known key", _instead(name, table)
        elif type(value) not in kind.types:
            text, hint = f"is {_NAMES[type(value)]}", kind.hint
        else:
            good[name] = value
            continue
        problems.append(Problem(block.file, block.at(name), text, hint))
    return Block(block.file, block.key, good)


_NAMES: t.Mapping[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a number with a fraction",
    list: "an array",
    Object: "an object",
    type(None): "null",
}


def _instead(name: str, table: Table) -> str:
    import difflib  # only for those who mistype

    for other in _ALL:
        if name in other.kinds or name in other.refused:
            return f"it belongs in {other.place}" if other.place else "it belongs at the top"
    near = difflib.get_close_matches(name.lower()[:80], table.kinds, n=1)
    return f"did you mean {near[0]}?" if near else "use one of " + ", ".join(sorted(table.kinds))
