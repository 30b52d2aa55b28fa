# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Jinja2 lets templates do, and what is told of their mistakes."""

from __future__ import annotations

import json

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.templates import render
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.templates.plan import Ask
from ansible_collections.vaultfleet.aws.plugins.module_utils._agent.templates.render import RenderError, Secret

CANARY = "canary-value"
SECRET = Secret({"word": CANARY, "list": [1, 2], "text": CANARY}, {"version": 3}, "lease", 60, True)


def rendered(text: str, *, strict: bool = True, asked: list[Ask] | None = None) -> str:
    """What a template becomes; all that it asks for is the same."""

    def fetch(ask: Ask) -> Secret:
        if asked is not None:
            asked.append(ask)
        return SECRET

    return render.render(render.compiled(text, strict=strict), text, fetch)


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("{{ secret('kv/data/app').data.word }}\n", f"{CANARY}\n"),
        ("{% if true %}\nyes\n{% endif %}\nend", "yes\nend"),
        ("  {% if true %}\n  yes\n  {% endif %}\n", "    yes\n  "),  # as Ansible: lstrip_blocks is off
        (
            "{% with s = secret('x') %}{{ s.lease_duration }} {{ s.renewable }} {{ s.metadata.version }}{% endwith %}",
            "60 True 3",
        ),
        ("{{ secret('x').data.list | to_json }}", "[1, 2]"),
        ("{{ {'b': 1, 'a': 2} | to_nice_json }}", json.dumps({"a": 2, "b": 1}, indent=4)),
        ("{{ 'a b' | quote }} {{ 'a' | b64encode }} {{ 'YQ==' | b64decode }}", "'a b' YQ== a"),
        (
            "{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(1) }}{% for i in range(2) %}{{ loop.index }}{% endfor %}",
            "<1>12",
        ),
        ("<&>", "<&>"),
        ("{{ secret('x').data.none | default('d') }}", "d"),
    ],
)
def test_renderings(text: str, becomes: str) -> None:
    assert rendered(text) == becomes


def test_what_is_not_there_is_empty_if_wished() -> None:
    assert rendered("{{ secret('x').data.a.b.c }}-{{ nobody.knows }}-", strict=False) == "--"


def test_what_is_asked_for() -> None:
    asked: list[Ask] = []
    rendered(
        "{{ secret('/v1/kv/data/a/') }}{{ secret('kv/data/a', version=2) }}{{ secret('kv/data/a', 0) }}"
        "{{ secret_write('transit/x', path='p', b=[1]) }}{{ pki('pki/issue/r', common_name='n', alt_names='m') }}",
        asked=asked,
    )
    assert asked == [
        Ask("kv/data/a"),
        Ask("kv/data/a", 2),
        Ask("kv/data/a"),
        Ask("transit/x", None, '{"b": [1], "path": "p"}'),
        Ask("pki/issue/r", None, '{"alt_names": "m", "common_name": "n"}'),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a\n{% if x %}", "line 2: Unexpected end of template"),
        ("{{ 1 | nothing }}", "line 1: No filter named 'nothing'"),
        ("{{ ansible_hostname }}{{ item }}", "there is no ansible_hostname, item: all that"),
        ("{% include 'x' %}", "include, import and extends are not served"),
        ("{% include secret('x').data.word %}", "include, import and extends are not served"),
        ("{% extends 'x' %}", "include, import and extends are not served"),
        ("{% import 'x' as y %}", "include, import and extends are not served"),
    ],
)
def test_what_can_never_be_rendered(text: str, told: str) -> None:
    with pytest.raises(RenderError, match=f"^{told}"):
        render.compiled(text, strict=True)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\n{{ secret('x').data.passwort }}", "line 2: 'passwort' is not defined"),
        ("{{ secret('x').data[secret('x').data.word] }}", "line 1: something is not defined"),
        ("{{ secret('x').data.word.y.z }}", "line 1: 'y' is not defined"),
        ("{{ secret('x').data.word + 1 }}", "line 1: TypeError"),
        ("{{ 1 / 0 }}", "line 1: ZeroDivisionError"),
        ("{{ secret('x').data.word | b64decode }}", "line 1: Error"),
        ("{{ range(secret('x').data.word) }}", "line 1: TypeError"),
        ("{{ secret('x').data.update({}) }}", "line 1: the sandbox forbids"),
        ("{{ secret('x').__class__.__mro__ }}", "line 1: the sandbox forbids"),
        ("{{ ''.__class__ }}", "line 1: the sandbox forbids"),
        ("{{ range(10 ** 9) | list }}", "line 1: OverflowError"),
        ("{{ secret('../x') }}", r"line 1: secret\(\): the path is none"),
        ("{{ secret('a?b') }}", r"line 1: secret\(\): the path is none"),
        ("{{ secret('') }}", r"line 1: secret\(\): the path is none"),
        ("{{ secret(7) }}", r"line 1: secret\(\): the path is none"),
        ("{{ secret('x', version='new') }}", r"line 1: secret\(\): version is not a number"),
        ("{{ secret() }}", "line 1: TypeError"),
        ("{{ pki('pki/issue/x') }}", r"line 1: pki\(\): common_name is missing"),
        ("{{ secret_write('x', a=secret) }}", r"line 1: secret_write\(\): a value is not of a kind"),
    ],
)
def test_what_goes_wrong(text: str, told: str) -> None:
    with pytest.raises(RenderError, match=f"^{told}") as caught:
        rendered(text)
    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_secret_is_not_shown_whole() -> None:
    assert CANARY not in repr(SECRET)
    assert "lease'" not in repr(SECRET)
