# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The templates of a configuration, judged: keys, places, commands and the syntax of each. No requests are made."""

from __future__ import annotations

import dataclasses
import os
import re
import stat
import typing as t

from ..._auth.durations import parse_duration
from ..._auth.errors import ConfigError
from ..._auth.sink import Sink
from .. import keys, shapes
from ..keys import Block
from ..problems import Problem, judge
from .settings import Template

_LARGEST = 1024 * 1024  # bytes of a template
_UNIT = r"[A-Za-z0-9:_.\\@-]{1,200}\.(?:service|socket|target|timer|path|mount)"
_OF_SINK = {"path": "destination", "mode": "perms", "owner": "user", "group": "group"}


@dataclasses.dataclass(frozen=True)
class Where:
    """How far one may look. look: what is named is on this host; places: files can be written where they are to be.

    later: directories that are made when the agent starts. taken: paths of files that are written for another purpose.
    """

    look: bool
    places: bool
    later: t.Collection[str] = ()
    taken: t.Collection[str] = ()


def templates(tops: t.Iterable[Block], where: Where, problems: list[Problem]) -> tuple[Template, ...]:
    """Return the templates of all files, in order; ``problems`` gets what is wrong with others."""
    found: list[Template] = []
    taken = set(where.taken)
    for top in tops:
        for block in shapes.several(top, "jinja_template", problems):
            template = _template(block, where, problems)
            if template is None:
                continue
            if template.place.path in taken:
                text = f"{template.place.path} is written for another purpose"
                problems.append(Problem(block.file, block.at("destination"), text, "give each its own file"))
            taken.add(template.place.path)
            found.append(template)
    return tuple(found)


def interval(block: Block, problems: list[Problem]) -> int | None:
    """Return the seconds of template_config's static_secret_render_interval, or None."""
    block = keys.served(block, keys.TEMPLATE_CONFIG, problems)
    return _duration(block, "static_secret_render_interval", 1, problems)


def _template(block: Block, where: Where, problems: list[Problem]) -> Template | None:
    before = len(problems)
    block = keys.served(block, keys.TEMPLATE, problems)
    given = block.values
    strict = given.get("error_on_missing_key", True)
    text = _text(block, where, problems)
    compiled = None if text is None else _compiled(block, text, strict, problems)
    create = given.get("create_dest_dirs", False)
    place = _place(block, create, where, problems)
    words, timeout = _exec(block, where, problems)
    wait = _wait(block, problems)
    units = _units(block, problems)
    if len(problems) > before or text is None or place is None:
        return None
    return Template(text, place, block.key, create, strict, wait, words, timeout, units, compiled)


def _text(block: Block, where: Where, problems: list[Problem]) -> str | None:
    """The template itself."""
    given = [name for name in ("source", "contents") if name in block.values]
    if len(given) != 1:
        if not any(problem.key in (block.at("source"), block.at("contents")) for problem in problems):
            text = "is given together with source" if given else "is missing"
            hint = "give source, a file, or contents, the template itself"
            problems.append(Problem(block.file, block.at("contents"), text, hint))
        return None
    (name,) = given
    value: str = block.values[name]
    if name == "contents":
        return value
    problem = _unfit(value)
    if not problem and where.look:
        try:
            return _read(value)
        except UnicodeDecodeError:
            problem = f"{value[:200]} is not UTF-8"
        except OSError as e:
            problem = f"{value[:200]} cannot be read: {e.strerror}"
    if problem:
        problems.append(Problem(block.file, block.at(name), problem, "give the path of the template"))
        return None
    return ""


def _unfit(path: str) -> str:
    """Why a path cannot be that of a file, or nothing."""
    if os.path.isabs(path) and path.isprintable() and not path.endswith("/"):
        return ""
    return f"{path[:80]!r} is not an absolute path of a file"


def _read(path: str) -> str:
    """The text of a file. Raises OSError, UnicodeDecodeError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO is refused, not waited for
    with open(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is not a regular file")
        content = stream.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise OSError(0, "it is larger than 1 MiB")
    return content.decode("utf-8")


def _compiled(block: Block, text: str, strict: bool, problems: list[Problem]) -> t.Any:
    from . import render  # only for those who have templates

    if render.missing():
        return None  # of which the command line tells
    try:
        return render.compiled(text, strict=strict)
    except render.RenderError as e:
        name = "contents" if "contents" in block.values else "source"
        file = f"{block.values['source']}: " if name == "source" else ""
        hint = "templates are Jinja2: secret('kv/data/app').data.password in double curly brackets"
        problems.append(Problem(block.file, block.at(name), f"{file}{e}", hint))
        return None


def _place(block: Block, create: bool, where: Where, problems: list[Problem]) -> Sink | None:
    options = {option: block.values[name] for option, name in _OF_SINK.items() if name in block.values}
    if not where.look:
        # Users and groups that are names are known to the host alone.
        options = {
            option: value
            for option, value in options.items()
            if option in ("path", "mode") or isinstance(value, int) or value.isdecimal()
        }
    if "path" not in options and any(problem.key == block.at("destination") for problem in problems):
        return None

    def report(option: str, text: str, hint: str) -> None:
        if option == "mode" and isinstance(options["mode"], int):
            hint = 'numbers in JSON are decimal: give it as a string, such as "0640"'
        problems.append(Problem(block.file, block.at(_OF_SINK[option]), text, hint))

    folder = os.path.dirname(os.path.normpath(str(options.get("path"))))
    there = folder not in where.later or os.path.lexists(folder)
    look = where.look and where.places and there and not (create and not os.path.lexists(folder))
    place = judge(
        lambda given: Sink.from_options("jinja_template", given, look=look), options, report, stand_ins={"path": "/any"}
    )
    if place and look and not os.access(folder, os.W_OK | os.X_OK):
        hint = "let the agent's user write there, and name it in ReadWritePaths= of its unit"
        problems.append(Problem(block.file, block.at("destination"), f"the folder {folder} cannot be written to", hint))
        return None
    return place


def _exec(block: Block, where: Where, problems: list[Problem]) -> tuple[tuple[str, ...], int]:
    """The words of the command, and its timeout."""
    inner = shapes.only(block, "exec", problems)
    if inner is None:
        return (), 30
    inner = keys.served(inner, keys.TEMPLATE_EXEC, problems)
    timeout = _duration(inner, "timeout", 1, problems) or 30
    words = inner.values.get("command")
    if not isinstance(words, list) or not words or not all(isinstance(word, str) and word for word in words):
        if not any(problem.key == inner.at("command") for problem in problems):
            text = "is missing" if words is None else "is not a list of words"
            problems.append(Problem(inner.file, inner.at("command"), text, 'give it like ["/usr/bin/program", "word"]'))
        return (), timeout
    if where.look and os.path.isabs(words[0]) and not os.access(words[0], os.X_OK):
        text = f"there is no program {words[0][:200]}"
        problems.append(Problem(inner.file, inner.at("command"), text, "install it, or correct the path"))
    return tuple(words), timeout


def _wait(block: Block, problems: list[Problem]) -> tuple[int, int]:
    inner = shapes.only(block, "wait", problems)
    if inner is None:
        return (0, 0)
    inner = keys.served(inner, keys.TEMPLATE_WAIT, problems)
    least = _duration(inner, "min", 0, problems) or 0
    most = _duration(inner, "max", 0, problems)
    if most is None:
        return least, 4 * least  # as in Vault Agent
    if most < least:
        problems.append(Problem(inner.file, inner.at("max"), f"{most} s is less than min", "raise it"))
    return least, most


def _units(block: Block, problems: list[Problem]) -> tuple[str, ...]:
    units = block.values.get("on_change_units", [])
    for unit in units:
        if not isinstance(unit, str) or not re.fullmatch(_UNIT, unit, re.ASCII):
            text = f"{str(unit)[:80]!r} is not the name of a unit"
            problems.append(Problem(block.file, block.at("on_change_units"), text, "give it like nginx.service"))
            return ()
    return tuple(units)


def _duration(block: Block, name: str, minimum: int, problems: list[Problem]) -> int | None:
    if name not in block.values:
        return None
    try:
        return parse_duration(name, block.values[name], minimum=minimum)
    except ConfigError as e:
        problems.append(Problem(block.file, block.at(name), e.what[len(name) + 2 :], e.hint))
        return None
