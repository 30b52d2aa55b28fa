# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of a login, its connection, a sink and what is unwrapped, as the auth core judges them."""

from __future__ import annotations

import dataclasses
import tempfile
import typing as t
from pathlib import Path

import hypothesis.strategies as st

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.config import LoginConfig, VaultConnection
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.durations import parse_duration
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.endpoints import sts_target
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import ConfigError, SinkError
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.sink import Sink
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.unwrapped import Wrapping
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.target import CANARY, Target, ended
from ansible_collections.vaultfleet.aws.tests.unit.support.fuzz.values import Strategy, anything, near

TEXTS = [
    "iam", "ec2", "web", "aws", "auth/aws", "auto", "regional", "global", "us-east-1", "eu-central-1",
    "cn-north-1", "5m", "0", "https://sts.amazonaws.com", "https://sts.eu-west-1.amazonaws.com:443/",
    "http://[::1]:80", "http://[", "https://x:y@z", "https://vault.test:8200", "//",
    "arn:aws:iam::123456789012:role/x", "pkcs7", "a\r\nb", "\udc80", "\0", "/", "~", "~root",
]  # fmt: skip
value: Strategy = st.sampled_from(TEXTS) | anything
SECRETS: dict[str, list[t.Any]] = {
    **{name: [CANARY, CANARY + "\n", f"{CANARY} x", [CANARY]] for name in ("secret_key", "session_token", "nonce")},
    "wrapping_token": [CANARY, f"{CANARY} x", f'{{"token": "{CANARY}"}}', f'{{"token": "{CANARY}\\n"}}', f"{{{CANARY}"],
    "proxies": [f"http://user:{CANARY}@[", {"http": f"http://u:{CANARY}@proxy:x"}, {"https": f"ftp://{CANARY}"}],
}


def options_of(names: t.Iterable[str]) -> Strategy:
    """Options with the right names, mostly; secrets are the canary, well-formed and not."""
    wrong = {name: st.sampled_from(SECRETS[name]) if name in SECRETS else value for name in names}
    known = {name: near(name, others) for name, others in wrong.items()}
    name = st.sampled_from([*known, "other"])
    some = st.one_of(st.sets(name, max_size=1), st.sets(name, max_size=2), st.sets(name, max_size=8))
    return some.flatmap(lambda names: st.fixed_dictionaries({name: known.get(name, value) for name in sorted(names)}))


LOGIN = [field.name for field in dataclasses.fields(LoginConfig)]
CONNECTION = [field.name for field in dataclasses.fields(VaultConnection)]
_WRAPPING = ("wrapping_token", "wrapping_path", "mount_path")


def _login(example: dict[str, t.Any]) -> str:
    def work() -> None:
        config = LoginConfig.from_options(example)
        assert CANARY not in repr(config)
        if config.region != "auto":
            assert sts_target(config.region, config.sts_endpoint).url.endswith("/")

    return ended(work, ConfigError, options=LOGIN, given=example)


def _connection(example: dict[str, t.Any]) -> str:
    def work() -> None:
        made = VaultConnection.from_options(example)
        assert made.timeout >= 1
        assert CANARY not in repr(made)

    return ended(work, ConfigError, options=CONNECTION, given=example)


def _sink(example: dict[str, t.Any]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        given = dict(example)
        if given.get("path") == "good":
            given["path"] = str(Path(folder) / "token")

        def work() -> None:
            assert Sink.from_options("sink", given).mode & 0o400

        return ended(work, ConfigError, SinkError, options=("sink",))


def _wrapping(example: dict[str, t.Any]) -> str:
    def work() -> None:
        made = Wrapping.from_options(example)
        assert made.token.isprintable()
        assert CANARY not in repr(made)

    return ended(work, ConfigError, options=_WRAPPING)


def _duration(example: object) -> str:
    def work() -> None:
        assert parse_duration("x", example) >= 0

    return ended(work, ConfigError, options=("x",))


_good_login = st.sampled_from([{}, {"type": "iam", "role": "web"}, {"type": "ec2", "role": "web"}])
login_options = Target(
    "login options",
    "the options of a login",
    st.tuples(options_of(LOGIN), _good_login).map(lambda two: {**two[0], **two[1]}),
    _login,
    share=4,
)
connection_options = Target(
    "connection options",
    "the options of a connection",
    st.tuples(options_of(CONNECTION), st.sampled_from([{}, {"url": "https://vault.test"}])).map(
        lambda two: {**two[0], **two[1]}
    ),
    _connection,
    share=4,
)
sink_options = Target(
    "sink options",
    "a sink's path, mode, owner and group",
    st.fixed_dictionaries(
        {"path": st.just("good") | value},
        optional={"other": value, **{name: near(name, value) for name in ("mode", "owner", "group")}},
    ),
    _sink,
    share=2,
)
wrapping_options = Target(
    "wrapping options", "a wrapping token, and where it was made", options_of(_WRAPPING), _wrapping, share=2
)
durations = Target("durations", "durations", st.text(alphabet="0123456789.smhd- +e", max_size=12) | anything, _duration)
TARGETS = (login_options, connection_options, sink_options, wrapping_options, durations)
