# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jinja2 as templates see it: a sandbox with a few functions and filters, with the settings of Ansible's ``template``.

What goes wrong is told by its kind and line: Jinja2's own messages may carry what was read.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import json
import re
import shlex
import typing as t

from .lib_jinja import MISSING, jinja2
from .plan import Ask

FUNCTIONS = ("secret", "secret_write", "pki")
_NAME = "<template>"  # Jinja2's own, for what is no file


@dataclasses.dataclass(frozen=True)
class Secret:
    """What a template gets. data: the secret itself; of KV version 2 without the layer that has the metadata."""

    data: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict, repr=False)
    metadata: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict, repr=False)
    lease_id: str = dataclasses.field(default="", repr=False)
    lease_duration: int = 0
    renewable: bool = False


class RenderError(Exception):
    """A template cannot be rendered; ``str()`` is one line without secrets. line: of the template, 0 if unknown."""

    def __init__(self, text: str, line: int = 0) -> None:
        self.line = line
        super().__init__(f"line {line}: {text}" if line else text)


class AskError(RenderError):
    """What a template asks for cannot be asked for."""


def missing() -> str:
    """Return why there is no Jinja2, or nothing."""
    return str(MISSING) if MISSING else ""


@functools.lru_cache(maxsize=2)
def _environment(*, strict: bool) -> t.Any:
    """The environment of templates. strict: what is not defined is an error, else it is empty text."""
    made = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
        cache_size=0,
        undefined=jinja2.StrictUndefined if strict else jinja2.ChainableUndefined,
    )
    made.globals.pop("lipsum", None)
    made.filters.update(_FILTERS)
    return made


def compiled(text: str, *, strict: bool) -> t.Any:
    """Return the template ``text``, ready for ``render``. strict: what is not defined is an error, else it is empty.

    Raises RenderError for what can never be rendered.
    """
    made = _environment(strict=strict)
    try:
        tree = made.parse(text)
        if next(jinja2.meta.find_referenced_templates(tree), "nothing") != "nothing":
            raise RenderError("include, import and extends are not served: each template stands for itself")
        unknown = sorted(jinja2.meta.find_undeclared_variables(tree) - set(FUNCTIONS) - set(made.globals))
        if unknown and strict:
            known = ", ".join(f"{name}()" for name in FUNCTIONS)
            raise RenderError(f"there is no {', '.join(unknown)[:200]}: all that the agent's templates know is {known}")
        return made.from_string(tree)
    except jinja2.TemplateSyntaxError as e:
        raise RenderError(str(e.message)[:300], e.lineno or 0) from None
    except RecursionError:
        raise RenderError("it is nested too deeply") from None


def render(template: t.Any, text: str, fetch: t.Callable[[Ask], Secret]) -> str:
    """Return what ``template`` (of ``text``) becomes. Raises RenderError, and what ``fetch`` raises for an ask."""

    def secret(path: t.Any, version: t.Any = None) -> Secret:
        if version is not None and (isinstance(version, bool) or not isinstance(version, int) or version < 0):
            raise AskError("secret(): version is not a number")
        return fetch(Ask(_path("secret", path), version or None))

    def write(name: str, path: t.Any, values: t.Mapping[str, t.Any]) -> Secret:
        try:
            body = json.dumps(values, sort_keys=True)
        except (TypeError, ValueError):
            raise AskError(f"{name}(): a value is not of a kind that JSON has") from None
        return fetch(Ask(_path(name, path), None, body))

    # A parameter of the server may have any name, so ours can be given by its place alone.
    def secret_write(path: t.Any, /, **values: t.Any) -> Secret:
        return write("secret_write", path, values)

    def pki(path: t.Any, /, **values: t.Any) -> Secret:
        if not values.get("common_name"):
            raise AskError("pki(): common_name is missing")
        return write("pki", path, values)

    try:
        return str(template.render(secret=secret, secret_write=secret_write, pki=pki))
    except AskError as e:
        raise RenderError(str(e), _line(e)) from None
    except jinja2.UndefinedError as e:
        raise RenderError(_undefined(str(e), text), _line(e)) from None
    except jinja2.exceptions.SecurityError as e:
        raise RenderError("the sandbox forbids what is done here", _line(e)) from None
    except (jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as e:
        raise RenderError(f"{type(e).__name__} (its message is not shown, as it may hold a secret)", _line(e)) from None
    except (RecursionError, MemoryError) as e:
        raise RenderError(type(e).__name__) from None


def _path(function: str, path: t.Any) -> str:
    """The path of an ask, without what may stand around it. Raises AskError."""
    text = path.strip("/") if isinstance(path, str) else ""
    text = text[3:] if text.startswith("v1/") else text
    if not text or not text.isprintable() or re.search(r"[?#%]", text) or {"", ".", ".."} & set(text.split("/")):
        raise AskError(f"{function}(): the path is none of Vault's API, like kv/data/app")
    return text


def _undefined(message: str, text: str) -> str:
    """Jinja2 names what is not defined; that is shown if the template says it itself, as it could also be a value."""
    names = [name for name in re.findall(r"'([^']{1,100})'", message) if re.search(rf"\b{re.escape(name)}\b", text)]
    return f"{names[-1]!r} is not defined" if names else "something is not defined"


def _line(error: BaseException) -> int:
    """The line of the template in which an error was raised."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _NAME:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


# Those of Ansible's filters that files with secrets want.
_FILTERS: dict[str, t.Callable[..., t.Any]] = {
    "b64decode": lambda text: base64.b64decode(str(text), validate=True).decode(),
    "b64encode": lambda text: base64.b64encode(str(text).encode()).decode("ascii"),
    "quote": lambda text: shlex.quote(str(text)),
    "to_json": json.dumps,
    "to_nice_json": lambda value: json.dumps(value, indent=4, sort_keys=True),
}
