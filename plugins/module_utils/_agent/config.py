# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The agent's configuration: Vault Agent's JSON, judged strictly, all mistakes at once. ``load`` is the way in.

No requests are made; the files and directories that the configuration names are looked at. ``foretell`` judges what is
for another host.
"""

from __future__ import annotations

import dataclasses
import os
import typing as t

from .._auth.config import LoginConfig, VaultConnection
from .._auth.durations import parse_duration
from .._auth.environment import warning
from .._auth.errors import ConfigError, SinkError
from .._auth.sink import Sink, current_mode
from . import environment, handed, keys, shapes, sink_options
from .files import Document, from_text, read_all
from .keys import Block
from .problems import ConfigErrors, Problem, judge
from .sink_options import AgentSink
from .templates import options as template_options
from .templates.settings import Template

__all__ = ["AgentConfig", "ConfigErrors", "Problem", "foretell", "load"]

_DEFAULT_URL = "https://127.0.0.1:8200"  # Vault Agent's
_OF_METHOD = ("mount_path", "wrap_ttl")  # options of the login that stand in the method, not in its config
_SECRETS = ("secret_key", "session_token", "nonce")
_LEVELS = {
    **{name: name for name in ("trace", "debug", "info", "warn", "error")},
    "notice": "info",
    "warning": "warn",
    "err": "error",  # Vault's other names
}
_FORMATS = ("standard", "json")


@dataclasses.dataclass(frozen=True)
class AgentConfig:
    """All that the agent is told, by Vault Agent's names; ``load`` makes it.

    min_backoff, max_backoff, lookup_interval, credential_poll_interval, render_interval: seconds; a lookup_interval of
    0 means never.
    connection: without retries of its own, since the lifecycle decides when to try again. notices: what the user should
    be told, one line each. sha256: of the files that it was read from, separated by blanks.
    """

    login: LoginConfig
    connection: VaultConnection
    sinks: tuple[AgentSink, ...]
    min_backoff: int = 1
    max_backoff: int = 300
    exit_on_err: bool = False
    exit_after_auth: bool = False
    lookup_interval: int = 300
    credential_poll_interval: int = 60
    revoke_on_exit: bool = False
    revoke_previous: bool = False
    pid_file: str | None = None
    metrics_file: str | None = None
    log_level: str = "info"
    log_format: str = "standard"
    templates: tuple[Template, ...] = ()
    render_interval: int = 300
    notices: tuple[str, ...] = ()
    sha256: str = ""


@dataclasses.dataclass
class _Findings:
    """What is gathered on the way through the files. look: whether what they name is on this host; places: whether
    the sinks can be where they are to be.
    """

    look: bool = True
    places: bool = True
    problems: list[Problem] = dataclasses.field(default_factory=list)
    notices: list[str] = dataclasses.field(default_factory=list)

    def problem(self, block: Block, name: str, text: str, hint: str) -> None:
        self.problems.append(Problem(block.file, block.at(name), text, hint))


def load(paths: t.Sequence[str], environ: t.Mapping[str, str], *, some: bool = False) -> AgentConfig:
    """Read and judge the configuration in ``paths`` (files, or directories of ``*.json``), the later over the earlier.

    ``environ`` fills what the files leave open of the connection. some: it is enough if one sink or template can be
    where it is to be, since an agent that runs tries the others again. Raises ConfigErrors, which has all problems.
    """
    if some:
        found = _load(paths, environ, _Findings(places=False))
        if any(_has_place(one) for one in (*found.sinks, *(template.place for template in found.templates))):
            return found
    return _load(paths, environ, _Findings())


def _load(paths: t.Sequence[str], environ: t.Mapping[str, str], findings: _Findings) -> AgentConfig:
    if not paths:
        findings.problems.append(Problem("", "", "no configuration is given", "name a file with --config"))
    return _judged(read_all(paths, findings.problems), environ, findings)


def foretell(text: str) -> AgentConfig:
    """Judge the configuration ``text`` of another host as ``load`` would there, without what takes a look at that host.

    Files need only have absolute paths, and owners that are names become None. Raises ConfigErrors.
    """
    findings = _Findings(look=False)
    return _judged(from_text(text, findings.problems), {}, findings)


def _judged(documents: t.Sequence[Document], environ: t.Mapping[str, str], findings: _Findings) -> AgentConfig:
    whole = not findings.problems  # else a block that seems missing may stand in what could not be read
    top, tops = _merge(documents, findings)
    settings = _top_settings(top, findings)
    vault = shapes.only(top["vault"], "vault", findings.problems) if "vault" in top else None
    auto_auth = shapes.only(top["auto_auth"], "auto_auth", findings.problems) if "auto_auth" in top else None
    if auto_auth is None and whole and not any(problem.key == "auto_auth" for problem in findings.problems):
        files = ", ".join(document.file for document in documents)
        hint = "give it a method and a sink"
        findings.problems.append(Problem(files, "auto_auth", "is missing", hint))
    sinks: tuple[AgentSink, ...] = ()
    login = method = None
    if auto_auth:
        auto_auth = keys.served(auto_auth, keys.AUTO_AUTH, findings.problems)
        method = _method(auto_auth, findings)
        if method:
            login = _login(method, settings, environ, findings)
    connection = _connection(vault, method, environ, findings)
    if auto_auth:
        settings.update(_auto_auth_settings(auto_auth, findings))
        others = [settings.get("pid_file"), settings.get("metrics_file")]
        later = handed.runtime_directories(environ)
        rendered = any(one.values.get("jinja_template") for one in tops)
        sinks = _sinks(auto_auth, method, others, environ, findings, needed=not rendered)
        settings.update(_template_settings(top, tops, [*others, *(sink.path for sink in sinks)], later, findings))
        if rendered and login and login.wrap_ttl:
            hint = "remove wrap_ttl: a wrapped token is for somebody else, and templates need one of the agent's own"
            findings.problem(t.cast(Block, method), "wrap_ttl", "is given together with jinja_template", hint)
        _tell_of_shared_secrets(documents, method, findings)
    if findings.problems or login is None or connection is None:
        raise ConfigErrors(findings.problems)
    return AgentConfig(
        login=login,
        connection=connection,
        sinks=sinks,
        notices=tuple(findings.notices),
        sha256=" ".join(document.sha256 for document in documents),
        **settings,
    )


def _merge(documents: t.Sequence[Document], findings: _Findings) -> tuple[dict[str, Block], list[Block]]:
    """Key -> the top of the file that it is taken from: the last one, but a true exit_after_auth stays, and templates
    of all files count. And the tops of all files.
    """
    merged: dict[str, Block] = {}
    tops = []
    for document in documents:
        top = keys.served(Block(document.file, "", document.values), keys.TOP, findings.problems)
        tops.append(top)
        for name in top.values:
            earlier = merged.get(name)
            if name == "jinja_template":
                continue
            if earlier and name == "exit_after_auth":
                if earlier.values[name]:
                    continue
            elif earlier:
                findings.notices.append(f"{name} in {top.file} replaces the whole of {name} in {earlier.file}")
            merged[name] = top
    return merged, tops


def _top_settings(top: t.Mapping[str, Block], findings: _Findings) -> dict[str, t.Any]:
    settings: dict[str, t.Any] = {}
    if "exit_after_auth" in top:
        settings["exit_after_auth"] = top["exit_after_auth"].values["exit_after_auth"]
    if "pid_file" in top:
        settings["pid_file"] = _file(top["pid_file"], "pid_file", findings)
    if "log_level" in top:
        level = top["log_level"].values["log_level"]
        if level.lower() not in _LEVELS:
            hint = "use trace, debug, info, warn or error"
            findings.problem(top["log_level"], "log_level", f"{level[:40]!r} is not a level", hint)
        settings["log_level"] = _LEVELS.get(level.lower())
    if "log_format" in top:
        name = top["log_format"].values["log_format"]
        if name.lower() not in _FORMATS:
            hint = "use standard or json"
            findings.problem(top["log_format"], "log_format", f"{name[:40]!r} is not a format", hint)
        settings["log_format"] = name.lower()
    return settings


def _auto_auth_settings(auto_auth: Block, findings: _Findings) -> dict[str, t.Any]:
    settings = {
        name: auto_auth.values[name] for name in ("revoke_on_exit", "revoke_previous") if name in auto_auth.values
    }
    if "lookup_interval" in auto_auth.values:
        settings["lookup_interval"] = _duration(auto_auth, "lookup_interval", 0, findings)
    if "metrics_file" in auto_auth.values:
        settings["metrics_file"] = _file(auto_auth, "metrics_file", findings)
    return settings


def _template_settings(
    top: t.Mapping[str, Block],
    tops: t.Sequence[Block],
    others: t.Iterable[str | None],
    later: t.Collection[str],
    findings: _Findings,
) -> dict[str, t.Any]:
    """others: paths that are taken. later: directories that the service manager makes when it starts the agent."""
    taken = [path for path in others if path]
    where = template_options.Where(findings.look, findings.places, later, taken)
    settings: dict[str, t.Any] = {"templates": template_options.templates(tops, where, findings.problems)}
    block = (
        shapes.only(top["template_config"], "template_config", findings.problems) if "template_config" in top else None
    )
    seconds = template_options.interval(block, findings.problems) if block else None
    return {**settings, "render_interval": seconds} if seconds else settings


def _method(auto_auth: Block, findings: _Findings) -> Block | None:
    """The one method, if it is ours."""
    found = shapes.typed(auto_auth, "method", keys.METHOD, findings.problems)
    if not found and not _blamed(auto_auth, "method", findings):
        findings.problem(auto_auth, "method", "is missing", "give one method, of type aws")
    if len(found) > 1:
        findings.problem(auto_auth, "method", "is given more than once", "keep one method")
    if len(found) != 1:
        return None
    kind = found[0].values.get("type")
    if isinstance(kind, str) and kind.lower() != "aws":
        findings.problem(found[0], "type", f"{kind[:40]!r} is not served by this agent", "use aws, the one it serves")
        return None
    method = keys.served(found[0], keys.METHOD, findings.problems)
    if kind is None and not _blamed(method, "type", findings):
        findings.problem(method, "type", "is missing", "set it to aws")
    return method


def _login(
    method: Block, settings: dict[str, t.Any], environ: t.Mapping[str, str], findings: _Findings
) -> LoginConfig | None:
    """Judge the method; its timing goes into ``settings``."""
    for name in ("min_backoff", "max_backoff"):
        if name in method.values:
            settings[name] = _duration(method, name, 1, findings)
    _judge_backoff(method, settings, findings)
    if "exit_on_err" in method.values:
        settings["exit_on_err"] = method.values["exit_on_err"]
    options = {name: method.values[name] for name in _OF_METHOD if name in method.values}
    if options.get("wrap_ttl") in (0, "0", "0s"):
        del options["wrap_ttl"]  # Vault Agent's way to say that nothing is wrapped
    config = shapes.only(method, "config", findings.problems)
    if config is None:
        if not _blamed(method, "config", findings):
            findings.problem(method, "config", "is missing", "give it type and role")
        return None
    blamed = len(findings.problems)
    config = keys.served(config, keys.AWS, findings.problems)
    options.update(config.values)
    if "credential_poll_interval" in options:
        settings["credential_poll_interval"] = _duration(config, "credential_poll_interval", 1, findings)
        if options.pop("credential_poll_interval") and options.get("type") == "ec2":
            hint = "remove it, or set type to iam"
            findings.problem(config, "credential_poll_interval", "is for type iam, but type is ec2", hint)
    if options.get("type") == "ec2" and "nonce" not in options:
        try:
            options["nonce"] = handed.nonce(environ)
        except ConfigError as e:
            findings.problem(config, "nonce", e.what[len("nonce: ") :], e.hint)
    if options.get("region") == "":
        options["region"] = "auto"  # what Vault Agent takes it for
    # What was taken out as ill-typed is not missing.
    taken_out = {problem.key for problem in findings.problems[blamed:]}
    left_out = [name for name in keys.AWS.kinds if config.at(name) in taken_out and name not in options]

    def report(option: str, text: str, hint: str) -> None:
        findings.problem(method if option in _OF_METHOD else config, option, text, hint)

    return judge(LoginConfig.from_options, options, report, stand_ins={"role": "any"}, left_out=left_out)


def _judge_backoff(method: Block, settings: t.Mapping[str, t.Any], findings: _Findings) -> None:
    least, most = settings.get("min_backoff", 1), settings.get("max_backoff", 300)
    if least is None or most is None or least <= most:
        return
    default = "" if "max_backoff" in settings else ", the default"
    findings.problem(
        method,
        "min_backoff",
        f"{least} s is more than max_backoff, {most} s{default}",
        "raise max_backoff to at least it",
    )


def _connection(
    vault: Block | None, method: Block | None, environ: t.Mapping[str, str], findings: _Findings
) -> VaultConnection | None:
    options: dict[str, t.Any] = {"url": _DEFAULT_URL}
    places: dict[str, tuple[str, str]] = {}  # option -> file and key
    blamed = len(findings.problems)
    for option, (variable, value) in environment.connection(environ).items():
        options[option], places[option] = value, ("environment", variable)
    for option, block, name, value in _connection_of_files(vault, method, findings):
        if option in places and options[option] != value and places[option][0] == "environment":
            ignored = places[option][1]
            findings.notices.append(f"{block.at(name)} in {block.file} is used; {ignored} of the environment is not")
        options[option], places[option] = value, (block.file, block.at(name))

    def report(option: str, text: str, hint: str) -> None:
        file, key = places[option]
        findings.problems.append(Problem(file, key, text, hint))

    options["retries"] = 0
    if not findings.look:
        _foretell_files(options, places, findings)
    taken_out = {problem.key for problem in findings.problems[blamed:]}
    left_out = [name for name in keys.VAULT.kinds if vault and vault.at(name) in taken_out and name not in options]
    stand_ins = {"url": _DEFAULT_URL}
    connection = judge(VaultConnection.from_options, options, report, stand_ins=stand_ins, left_out=left_out)
    if connection and not connection.validate_certs and places["validate_certs"][0] == "environment":
        findings.notices.append(warning(connection.url))
    return connection


def _foretell_files(options: dict[str, t.Any], places: t.Mapping[str, tuple[str, str]], findings: _Findings) -> None:
    """Take the files of the connection out of ``options``, with what can be said of them from afar."""
    names = ["ca_cert", "ca_path", "client_key", "client_cert"]
    if "client_cert" not in options:
        names.remove("client_key")  # the core refuses it before it looks
    for name in names:
        if name in options and not os.path.isabs(options.pop(name)):
            findings.problems.append(Problem(*places[name], "is not an absolute path", "start it with /"))


def _connection_of_files(
    vault: Block | None, method: Block | None, findings: _Findings
) -> t.Iterator[tuple[str, Block, str, t.Any]]:
    """Each option of the connection that the files set, with the block and the key where it stands."""
    namespace = ""
    if vault:
        vault = keys.served(vault, keys.VAULT, findings.problems)
        _judge_retry(vault, findings)
        renamed = {"address": "url", "tls_skip_verify": "validate_certs"}
        for name, value in vault.values.items():
            if name == "namespace":
                namespace = value.strip("/")
            if name == "tls_skip_verify":
                skip = _flag(vault, name, findings)
                if skip is not None:
                    yield "validate_certs", vault, name, not skip
            elif name != "retry":
                yield renamed.get(name, name), vault, name, value
    if method and "namespace" in method.values:
        own = method.values["namespace"].strip("/")
        if namespace and own != namespace:
            hint = "give one of them, or both the same: one login serves one namespace"
            findings.problem(method, "namespace", "is not that of vault.namespace", hint)
        yield "namespace", method, "namespace", method.values["namespace"]


def _judge_retry(vault: Block, findings: _Findings) -> None:
    retry = shapes.only(vault, "retry", findings.problems)
    if retry is None:
        return
    retry = keys.served(retry, keys.RETRY, findings.problems)
    number = retry.values.get("num_retries", 0)
    if not -1 <= number <= 1000:
        findings.problem(retry, "num_retries", f"{number} is not a number of retries"[:80], "give -1 (none) or more")
    place = f"{vault.at('retry')} in {vault.file}"
    findings.notices.append(f"{place} has no effect on logins and renewals: min_backoff and max_backoff time them")


def _sinks(
    auto_auth: Block,
    method: Block | None,
    others: t.Sequence[str | None],
    environ: t.Mapping[str, str],
    findings: _Findings,
    *,
    needed: bool,
) -> tuple[AgentSink, ...]:
    """others: paths that are taken. needed: the token has no other use."""
    blocks = shapes.sinks(auto_auth, findings.problems)
    if not blocks and needed and not _blamed(auto_auth, "sink", findings):
        findings.problem(auto_auth, "sink", "is missing", "give at least one, of type file, or a jinja_template")
    wrapped = method is not None and sink_options.wraps(method)
    if method and wrapped and len(blocks) > 1:
        hint = "keep one sink, or remove wrap_ttl: a wrapped token can be unwrapped once"
        findings.problem(method, "wrap_ttl", f"is given with {len(blocks)} sinks", hint)
    taken = {path for path in others if path}
    sinks = []
    for block in blocks:
        sink = _sink(block, wrapped, environ, findings)
        if sink and sink.path in taken:
            findings.problem(
                block, "config.path", f"{sink.path} is written for another purpose", "give each its own file"
            )
        if sink:
            taken.add(sink.path)
            sinks.append(sink)
    return tuple(sinks)


def _sink(block: Block, wrapped: bool, environ: t.Mapping[str, str], findings: _Findings) -> AgentSink | None:
    """wrapped: whether the login is."""
    kind = block.values.get("type")
    if isinstance(kind, str) and kind.lower() != "file":
        findings.problem(block, "type", f"{kind[:40]!r} is not served by this agent", "use file, the one it serves")
        return None
    blamed = len(findings.problems)
    block = keys.served(block, keys.SINK, findings.problems)
    if kind is None and len(findings.problems) == blamed:
        findings.problem(block, "type", "is missing", "set it to file")
    if wrapped and sink_options.wraps(block):
        hint = "keep it in one of them: a wrapped token is not wrapped again"
        findings.problem(block, "wrap_ttl", "is given in the method and in the sink", hint)
    more = sink_options.options_of(
        block, environ, lambda *what: findings.problem(block, *what), findings.notices, look=findings.look
    )
    config = shapes.only(block, "config", findings.problems)
    if config is None:
        if not _blamed(block, "config", findings):
            findings.problem(block, "config", "is missing", "give it the path of the token file")
        return None
    blamed = len(findings.problems)
    config = keys.served(config, keys.FILE, findings.problems)
    options = {name: config.values[name] for name in ("path", "mode") if name in config.values}
    names = {"path": "path", "mode": "mode"}  # option -> key
    for option, alias in (("owner", "uid"), ("group", "gid")):
        if option in config.values and alias in config.values:
            findings.problem(config, alias, f"is given together with {option}", "keep one of them")
        for name in (option, alias):
            if config.values.get(name) not in (None, -1, "-1"):  # OpenBao's word for "leave it"
                options[option], names[option] = config.values[name], name
    if not findings.look:
        options = {name: value for name, value in options.items() if name in ("path", "mode") or _is_id(value)}
    if len(findings.problems) > blamed and "path" not in options:
        return None

    def report(option: str, text: str, hint: str) -> None:
        if option == "mode" and isinstance(options["mode"], int):
            hint = _decimal_hint(options["mode"])
        findings.problem(config, names[option], text, hint)

    place = os.path.dirname(os.path.normpath(str(options.get("path"))))
    # These directories the service manager makes when it starts the agent.
    later = handed.runtime_directories(environ)
    look = findings.look and findings.places and (place not in later or os.path.lexists(place))
    # A path that is always right, so that what else is wrong is found beside a wrong one.
    stand_ins = {"path": "/token"}
    sink = judge(lambda given: Sink.from_options("sink", given, look=look), options, report, stand_ins=stand_ins)
    return AgentSink(sink.path, sink.mode, sink.uid, sink.gid, **more) if sink else None


def _has_place(sink: Sink) -> bool:
    try:
        current_mode(sink.path)
    except SinkError:
        return False
    return True


def _is_id(value: object) -> bool:
    return isinstance(value, int) or str(value).isdecimal()


def _decimal_hint(mode: int) -> str:
    """People write 640 for 0640, but a number in JSON is decimal, and 640 is 01200."""
    digits = str(mode)[:20]
    if len(digits) == 3 and not set(digits) - set("01234567"):
        return f'numbers in JSON are decimal: write {int(digits, 8)} or "0{digits}"'
    return 'numbers in JSON are decimal: write 416 or "0640", 384 or "0600"'


def _file(block: Block, name: str, findings: _Findings) -> str | None:
    """A file that the agent will write."""
    path: str = block.values[name]
    if not os.path.isabs(path) or path.endswith("/") or not path.isprintable():
        findings.problem(block, name, f"{path[:80]!r} is not an absolute path of a file", "start it with /")
        return None
    path = os.path.normpath(path)
    if not findings.look:
        return path
    if not os.path.isdir(os.path.dirname(path)):
        findings.problem(block, name, f"there is no directory {os.path.dirname(path)[:200]}", "create it first")
        return None
    if os.path.isdir(path):
        findings.problem(block, name, f"{path[:200]} is a directory", "give the path of a file")
        return None
    return path


def _duration(block: Block, name: str, minimum: int, findings: _Findings) -> int | None:
    try:
        return parse_duration(name, block.values[name], minimum=minimum)
    except ConfigError as e:
        findings.problem(block, name, e.what[len(name) + 2 :], e.hint)
        return None


def _flag(block: Block, name: str, findings: _Findings) -> bool | None:
    """A boolean, or a string as Vault Agent takes it (Go's strconv.ParseBool)."""
    value = block.values[name]
    if isinstance(value, bool):
        return value
    if value in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if value in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    findings.problem(block, name, f"{value[:40]!r} is not a boolean", "use true or false")
    return None


def _blamed(block: Block, name: str, findings: _Findings) -> bool:
    """Whether something below a key is known to be wrong, so that it is not missing as well."""
    key = block.at(name)
    return any(problem.file == block.file and problem.key.startswith(key) for problem in findings.problems)


def _tell_of_shared_secrets(documents: t.Sequence[Document], method: Block | None, findings: _Findings) -> None:
    config = shapes.only(method, "config", []) if method else None
    for document in documents:
        if config and document.file == config.file and document.shared:
            for name in _SECRETS:
                if name in config.values:
                    findings.notices.append(
                        f"{config.file} holds {name}, and others can read the file (mode {document.mode:04o}):"
                        " take their access away with chmod 0600"
                    )
