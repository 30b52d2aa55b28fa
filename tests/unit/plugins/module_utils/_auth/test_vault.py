# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Vault's calls: what is tried again, what an answer means, and what is never said aloud."""

from __future__ import annotations

import email.utils
import re
import time
import typing as t

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import vault as vault_module
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import Retry, VaultError
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.request import LoginRequest
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.token import Standing, Token
from ansible_collections.vaultfleet.aws.tests.unit.support.vaults import (
    AUTH,
    LOGIN,
    LOOKUP,
    TOKEN,
    Proofs,
    plain_vault_at,
)
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Answers, Reply, Seen, Web, closed_port

WRAPPED = {"wrap_info": {"token": "hvs.wrapping", "accessor": "w", "ttl": 90, "creation_path": "auth/aws/login"}}
BATCH = "batch tokens cannot be revoked"


def errors(*texts: str, status: int = 400, **headers: str) -> Reply:
    """A refusal in Vault's shape."""
    return Reply(status, {"errors": list(texts)}, {name.replace("_", "-"): value for name, value in headers.items()})


def login_error(answers: Answers, **options: t.Any) -> tuple[VaultError, Web, Proofs]:
    """The error of a login, the server that refused it, and the proofs."""
    proofs = Proofs()
    with Web(answers) as web, plain_vault_at(web.url, **options) as vault, pytest.raises(VaultError) as caught:
        vault.login("aws", proofs)
    return caught.value, web, proofs


def test_login() -> None:
    """The answer as it came, and as a token."""
    with Web(Reply(body=LOGIN)) as web, plain_vault_at(web.url) as vault:
        login = vault.login("team/aws", Proofs())
    assert login.answer == LOGIN
    assert login.wrapped is None
    assert login.token
    assert (login.token.client_token, login.token.ttl, login.token.policies) == (TOKEN, 3600, ("default", "app"))
    assert web.seen[0].path == "/v1/auth/team/aws/login"


def test_wrapped_login() -> None:
    """The header says how long; the answer has no token."""
    with Web(Reply(body=WRAPPED)) as web, plain_vault_at(web.url) as vault:
        login = vault.login("aws", Proofs(), wrap_ttl=90)
    assert web.seen[0].headers["x-vault-wrap-ttl"] == "90s"
    assert login.token is None
    assert login.wrapped
    assert login.wrapped.token == "hvs.wrapping"


def test_wrapping_that_was_ignored() -> None:
    """A plain token where a wrapped one was asked for is no success."""
    with (
        Web(Reply(body=LOGIN)) as web,
        plain_vault_at(web.url) as vault,
        pytest.raises(VaultError, match="wrap_info") as caught,
    ):
        vault.login("aws", Proofs(), wrap_ttl=90)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("status", [412, 429, 472, 473, 500, 502, 503, 504, 599])
def test_transient(status: int) -> None:
    """Tried again, each time with a fresh signature."""
    proofs = Proofs()
    with Web([Reply(status), Reply(status), Reply(body=LOGIN)]) as web, plain_vault_at(web.url) as vault:
        assert vault.login("aws", proofs).token
    assert [seen.json["proof"] for seen in web.seen] == ["1", "2", "3"]
    assert proofs.fresh == [False, False, False]


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (errors("x", status=472), "set url to the primary cluster's address"),
        (errors("x", status=501), "the server is not initialised"),
        (errors("x", status=500), "look into Vault's own log"),
        (errors("too many requests", status=429), "rate limit"),
        (Reply(200, b"<html>", {"Content-Type": "text/html"}), "check that url is a Vault server"),
        (Reply(200, b"x" * 2_000_000), "is url a Vault server"),
    ],
)
def test_the_server_is_named_and_what_to_do(answer: Reply, hint: str) -> None:
    """Whatever is wrong with a server, a log of many shows which one."""
    error, web, _proofs = login_error(answer, retries=0)
    assert f" at {web.url}" in error.what
    assert hint in error.hint


def test_what_vault_refuses_for_good_is_known_by_its_role() -> None:
    error, web, _proofs = login_error(errors("entry for role dev not found"))
    assert error.row
    assert web.url not in str(error)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 501])
def test_permanent(status: int) -> None:
    """Not tried again (501 is one of 5xx, which is)."""
    error, web, _proofs = login_error(Reply(status))
    assert error.status == status
    assert len(web.seen) == (4 if status >= 500 else 1)


def test_retries_are_counted() -> None:
    """As many as the option says, and then the last refusal."""
    error, web, _proofs = login_error(errors("internal error", status=500), retries=2)
    assert len(web.seen) == 3
    assert re.search(r"\(3 attempts in \d+ s\): HTTP 500: internal error", str(error))


def test_refused_connection() -> None:
    """Tried again too, each time with a fresh signature."""
    proofs = Proofs()
    with plain_vault_at(f"http://127.0.0.1:{closed_port()}", retries=2) as vault, pytest.raises(VaultError) as caught:
        vault.login("aws", proofs)
    assert len(proofs.fresh) == 3
    assert "refused" in caught.value.server


def test_connection_that_breaks() -> None:
    """A server that hangs up before, or inside, its answer."""
    hang_up = Reply(raw=lambda _sock: None)
    short = Reply(raw=lambda sock: sock.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"auth": {'))
    with Web([hang_up, short, Reply(body=LOGIN)]) as web, plain_vault_at(web.url) as vault:
        assert vault.login("aws", Proofs()).token
    assert len(web.seen) == 3


@pytest.mark.parametrize("date", [False, True])
def test_retry_after(monkeypatch: pytest.MonkeyPatch, date: bool) -> None:
    """A number of seconds or a date; what goes past the deadline is not waited for."""
    value = email.utils.formatdate(time.time() + 500, usegmt=True) if date else "500"
    started = time.monotonic()
    error, web, _proofs = login_error(errors("slow down", status=429, Retry_After=value))
    assert len(web.seen) == 1
    assert time.monotonic() - started < 5
    assert error.retry_after == pytest.approx(500, abs=3)
    assert error.retry is Retry.TRANSIENT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("1.5", 1.5),
        ("99999", 3600),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600),
        ("", None),
        ("-5", None),
        ("soon", None),
        ("1e3", None),
        ("99999999999", None),
        ("Wed, 99 Xxx 2015 99:99:99 GMT", None),
    ],
)  # fmt: skip
def test_retry_after_forms(value: str, seconds: float | None) -> None:
    """Read, bounded, or left alone."""
    error, _web, _proofs = login_error(errors("x", status=429, Retry_After=value), retries=0)
    assert error.retry_after == seconds


def test_resign_once() -> None:
    """An expired signature is made anew once, with credentials read anew, at once."""
    refusal = errors("error making upstream request: received error code 403 from STS: ExpiredToken")
    proofs = Proofs()
    with Web([refusal, Reply(body=LOGIN)]) as web, plain_vault_at(web.url) as vault:
        assert vault.login("aws", proofs).token
    assert proofs.fresh == [False, True]
    error, web, proofs = login_error(refusal)
    assert proofs.fresh == [False, True]
    assert "2 attempts" in str(error)
    assert web.seen[0].json["proof"] != web.seen[1].json["proof"]


def test_errors_of_the_proof_pass() -> None:
    """What cannot be signed is not sent."""

    def proof(_fresh: bool) -> LoginRequest:
        raise VaultError("no proof")

    with Web(Reply(body=LOGIN)) as web, plain_vault_at(web.url) as vault, pytest.raises(VaultError, match="no proof"):
        vault.login("aws", proof)
    assert web.seen == []


NOT_VAULT = [
    Reply(body=b"<html><body>Welcome to the portal canary</body></html>", headers={"Content-Type": "text/html"}),
    Reply(body=b""),
    Reply(204),
    Reply(body=b"null"),
    Reply(body=b"[]"),
    Reply(body=b'"canary"'),
    Reply(body=b"5"),
    Reply(body=b'{"auth": '),
    Reply(body=b"[" * 100000),
    Reply(body=b'{"a":' * 50000),
    Reply(body=b"\xff\xfe\x00"),
    Reply(body=b"NaN"),
    Reply(body=b'{"auth": {"client_token": "canary", "lease_duration": 1e999}}'),
    Reply(body=b'{"auth": {"client_token": "canary", "lease_duration": ' + b"9" * 4000 + b"}}"),
    Reply(body=b'{"auth": {"client_token": "canary", "lease_duration": ' + b"9" * 5000 + b"}}"),
    Reply(body=b"x", headers={"Content-Encoding": "gzip"}),
    Reply(body=b"{}", headers={"Content-Encoding": "gzip, gzip, br"}),
    Reply(body={"auth": {"client_token": "canary" * 20000, "lease_duration": 60}}),
    Reply(raw=lambda sock: sock.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")),
    Reply(raw=lambda sock: sock.sendall(b"HTTP/1.1 abc\r\n\r\n")),
    Reply(raw=lambda sock: sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}")),
    Reply(raw=lambda sock: sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: canary\r\n\r\n{}")),
    Reply(raw=lambda sock: sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n")),
    Reply(raw=lambda sock: sock.sendall(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n{}")),
    Reply(raw=lambda sock: sock.sendall(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000 + b"\r\n\r\n{}")),
]


@pytest.mark.parametrize("reply", NOT_VAULT)
def test_not_vault(reply: Reply) -> None:
    """Whatever answers: one error of ours, which repeats nothing that may be a token."""
    error, _web, _proofs = login_error(reply, retries=0)
    assert error.hint
    assert "canary" not in str(error)


@pytest.mark.parametrize("status", [200, 307, 400, 503])
@pytest.mark.parametrize("header", ["Content-Type", "Content-Encoding", "Location"])
def test_a_header_with_what_was_sent(header: str, status: int) -> None:
    """It may repeat a secret that has no shape of a token."""
    value = "http://canary-secret/" if header == "Location" else "x/canary-secret"
    error, _web, _proofs = login_error(Reply(status, b"no", {header: value}), retries=0)
    assert "canary" not in str(error)


@pytest.mark.parametrize("token", ["\udc80", "\u20ac", "\u00fc", "a\nb"])
def test_a_token_that_no_header_holds(token: str) -> None:
    with Web(Reply(200, LOOKUP)) as web, plain_vault_at(web.url) as vault:
        for call in (vault.lookup_self, vault.revoke_self, vault.renew_self):
            with pytest.raises(VaultError, match="what is given as a token is none") as caught:
                call(token)
            assert caught.value.hint
    assert web.seen == []


def test_html_refusal() -> None:
    """A gateway's page is told as such, shortened, without its markup."""
    page = b"<html><head><title>403 Forbidden</title></head><body>Ask   the\nowner" + b"." * 5000 + b"</body></html>"
    error, _web, _proofs = login_error(Reply(403, page, {"Content-Type": "text/html"}))
    assert "403 Forbidden Ask the owner" in error.server
    assert "(text/html)" in error.server
    assert len(str(error)) < 1000


def test_http_to_https() -> None:
    """Vault's own words for a request without TLS."""
    said = b"Client sent an HTTP request to an HTTPS server.\n"
    error, _web, _proofs = login_error(Reply(400, said))
    assert error.hint == "set url to https://"


@pytest.mark.parametrize("errors_value", [None, "text", 5, {}, [None, 5, ["x"], {"a": "b"}], []])
@pytest.mark.parametrize("status", [400, 403, 500])
def test_wrong_types_in_a_refusal(status: int, errors_value: object) -> None:
    """Refusals may be garbled too."""
    error, _web, _proofs = login_error(Reply(status, {"errors": errors_value}), retries=0)
    assert error.status == status


def test_sts_refusal_is_shortened() -> None:
    """STS's XML is told as its code and message."""
    xml = (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        "<Code>InvalidClientTokenId</Code><Message>The security token included in the request is invalid.</Message>"
        "</Error><RequestId>1</RequestId></ErrorResponse>"
    )
    error, _web, _proofs = login_error(
        errors(f"error making upstream request: received error code 403 from STS: {xml}")
    )
    assert error.server == (
        "HTTP 400: error making upstream request: received error code 403 from STS:"
        " InvalidClientTokenId: The security token included in the request is invalid."
    )
    assert "STS does not know the access key" in error.hint


def test_hostile_refusal_takes_no_time() -> None:
    """Text made to keep regular expressions busy."""
    hostile = "<ErrorResponse" * 9000 + "<Code></Code>" * 9000 + "<Message></Message>" * 9000
    started = time.monotonic()
    login_error(errors(hostile))
    login_error(Reply(400, b"<" * 900000, {"Content-Type": "text/html"}))
    assert time.monotonic() - started < 3


ECHO = "canary-secret"  # as Proofs lists it


@pytest.mark.parametrize("offset", [0, 150, 190, 195, 199, 590, 1990])
@pytest.mark.parametrize("kind", ["text", "html", "json"])
def test_echoed_secrets(kind: str, offset: int) -> None:
    """A secret that an answer repeats is masked, also where the text is cut."""
    text = "a" * offset + ECHO + "b" * 30
    page = {
        "text": Reply(400, text.encode()),
        "html": Reply(400, ("<p>" * 500 + text).encode(), {"Content-Type": "text/html"}),
        "json": errors(text),
    }
    error, _web, _proofs = login_error(page[kind])
    assert "canary" not in str(error)
    assert "cana" not in str(error)


@pytest.mark.parametrize("drift", [-600, 600, 5])
def test_clock_skew(drift: int) -> None:
    """A clock that is far from the server's is told where the signature's time was refused."""

    def refuse(_seen: Seen) -> Reply:
        date = email.utils.formatdate(time.time() + drift, usegmt=True)  # now, not when the test began
        return errors("Signature expired: x is now earlier than y", Date=date)

    error, _web, _proofs = login_error(refuse)
    words = {-600: "ahead of", 600: "behind"}.get(drift)
    assert "set this host's clock" in error.hint
    if words:
        assert re.search(rf"; this host's clock is (599|600|601) s {words} Vault's", error.hint)
    else:
        assert "Vault's" not in error.hint


HEALTHY = {"initialized": True, "sealed": False, "standby": False, "version": "2.7.2"}


def test_health() -> None:
    """One request without a token, to which each state is an answer and no error; the clock is that of the Date."""

    def answer(_seen: Seen) -> Reply:
        date = email.utils.formatdate(time.time() - 600, usegmt=True)
        return Reply(299, {**HEALTHY, "sealed": True}, {"Date": date})

    with Web(answer) as web, plain_vault_at(web.url) as vault:
        found = vault.health()
    assert (found.initialized, found.sealed, found.standby, found.recovery_secondary) == (True, True, False, False)
    assert found.version == "2.7.2"
    assert found.clock_ahead == pytest.approx(600, abs=3)
    (seen,) = web.seen
    assert seen.method == "GET"
    path, _mark, asked = seen.path.partition("?")
    assert path == "/v1/sys/health"
    assert set(asked.split("&")) == {
        "standbyok=true", "perfstandbyok=true", "sealedcode=299", "uninitcode=299", "drsecondarycode=299"
    }  # fmt: skip
    assert "x-vault-token" not in seen.headers


def test_health_of_a_recovery_secondary() -> None:
    """Told by its replication mode; a server without a Date tells nothing of its clock."""
    with Web(Reply(299, {**HEALTHY, "replication_dr_mode": "secondary"})) as web, plain_vault_at(web.url) as vault:
        found = vault.health()
    assert found.recovery_secondary
    assert found.clock_ahead is None


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(body=b"<html>portal</html>", headers={"Content-Type": "text/html"}), r"not a JSON object \(text/html\)"),
        (Reply(body={"status": "UP"}), "has no initialized"),
        (Reply(body={**HEALTHY, "sealed": "no"}), "has no initialized"),
        (Reply(503, b"<h1>Service Unavailable</h1>", {"Content-Type": "text/html"}), "HTTP 503.*what answered is not"),
        (errors("permission denied", status=403), "health cannot be read: HTTP 403: permission denied"),
    ],
)
def test_health_of_something_else(reply: Reply, message: str) -> None:
    """What is not Vault is said to be none."""
    with Web(reply) as web, plain_vault_at(web.url, retries=0) as vault, pytest.raises(VaultError) as caught:
        vault.health()
    assert re.search(message, str(caught.value))


def test_lookup_and_renew() -> None:
    """The token goes in its header, and nowhere else."""
    with Web([Reply(body=LOOKUP), Reply(body=LOGIN), Reply(body=LOGIN)]) as web, plain_vault_at(web.url) as vault:
        assert vault.lookup_self(TOKEN).ttl == 3000
        assert vault.renew_self(TOKEN).ttl == 3600
        vault.renew_self(TOKEN, increment=600)
    assert [(seen.method, seen.path) for seen in web.seen] == [
        ("GET", "/v1/auth/token/lookup-self"),
        ("POST", "/v1/auth/token/renew-self"),
        ("POST", "/v1/auth/token/renew-self"),
    ]
    assert all(seen.headers["x-vault-token"] == TOKEN for seen in web.seen)
    assert web.seen[2].json == {"increment": "600s"}


@pytest.mark.parametrize(
    ("reply", "revoked"),
    [
        (Reply(204), True),
        (Reply(body={}), True),
        (errors("permission denied", status=403), False),
        (errors(BATCH), False),
    ],
)
def test_revoke(reply: Reply, revoked: bool) -> None:
    """204 is what Vault says; 403 and a batch token are no fault."""
    with Web(reply) as web, plain_vault_at(web.url) as vault:
        assert vault.revoke_self(TOKEN) is revoked
    assert web.seen[0].path == "/v1/auth/token/revoke-self"


def test_revoke_fails() -> None:
    """All else is an error, without the token."""
    with (
        Web(errors(f"no {TOKEN}", status=400)) as web,
        plain_vault_at(web.url) as vault,
        pytest.raises(VaultError) as caught,
    ):
        vault.revoke_self(TOKEN)
    assert TOKEN not in str(caught.value)


def a_token(num_uses: int = 0) -> Token:
    """A token just handed out."""
    return Token(TOKEN, "acc-1", 3600, True, num_uses, (), {}, 0)


FORBIDDEN = errors("1 error occurred:\n\t* permission denied\n\n", status=403)
DENIED = errors("permission denied", status=403)  # OpenBao, to a token that it does not know
INVALID = errors("permission denied", "invalid token", status=403)
BAD = errors("bad token", status=403)


@pytest.mark.parametrize(
    ("answers", "fresh", "standing", "requests"),
    [
        ([Reply(body=LOOKUP)], False, Standing.LIVE, 1),
        ([Reply(body=LOOKUP)], True, Standing.LIVE, 1),
        ([DENIED], False, Standing.GONE, 1),
        ([INVALID], False, Standing.GONE, 1),
        ([FORBIDDEN], False, Standing.GONE, 1),
        ([FORBIDDEN], True, Standing.UNKNOWN, 2),
        ([DENIED], True, Standing.GONE, 2),
        ([DENIED, Reply(body=LOOKUP)], True, Standing.LIVE, 2),
        ([INVALID], True, Standing.GONE, 2),
        ([BAD], True, Standing.GONE, 2),
        ([DENIED, FORBIDDEN], True, Standing.UNKNOWN, 2),
        ([Reply(503), Reply(body=LOOKUP)], False, Standing.LIVE, 2),
    ],
)
def test_standing(answers: list[Reply], fresh: bool, standing: Standing, requests: int) -> None:
    """A fresh token that may not look itself up is told from one that is gone already; with an older one it is gone."""
    with Web(answers) as web, plain_vault_at(web.url) as vault:
        found, token = vault.standing(a_token(), fresh=fresh)
    assert found is standing
    assert len(web.seen) == requests
    assert token.ttl == (3000 if standing is Standing.LIVE else 3600)


@pytest.mark.parametrize("fresh", [False, True])
def test_standing_of_limited_use(fresh: bool) -> None:
    """A lookup would use it up."""
    with Web(Reply(body=LOOKUP)) as web, plain_vault_at(web.url) as vault:
        assert vault.standing(a_token(num_uses=5), fresh=fresh)[0] is Standing.UNKNOWN
    assert web.seen == []


def test_standing_waits_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A standby may not know a fresh token yet; the pause is short, and there is one."""
    slept: list[float] = []
    monkeypatch.setattr(vault_module, "_SETTLING", 1.0)
    monkeypatch.setattr(time, "sleep", slept.append)
    with Web(DENIED) as web, plain_vault_at(web.url) as vault:
        vault.standing(a_token(), fresh=True)
    assert slept == [1.0]


@pytest.mark.parametrize("reply", [Reply(500), Reply(400), Reply(body=b"<html>"), Reply(404)])
def test_standing_of_an_unwell_server(reply: Reply) -> None:
    """A server that cannot say is no reason to think a token dead."""
    with Web(reply) as web, plain_vault_at(web.url, retries=0) as vault, pytest.raises(VaultError):
        vault.standing(a_token())


def unwrap_server(path: object) -> t.Callable[[Seen], Reply]:
    """Answers to lookup and unwrap."""

    def answer(seen: Seen) -> Reply:
        if seen.path == "/v1/sys/wrapping/lookup":
            return Reply(body={"data": {"creation_path": path}})
        return Reply(body=LOGIN)

    return answer


def test_unwrap() -> None:
    """First a look at where it was made, which does not use it up; then the answer inside."""
    with Web(unwrap_server("auth/aws/login")) as web, plain_vault_at(web.url) as vault:
        assert vault.unwrap("hvs.wrapping", "auth/aws/login")["auth"] == AUTH
    lookup, unwrap = web.seen
    assert lookup.json == {"token": "hvs.wrapping"}
    assert "x-vault-token" not in lookup.headers
    assert unwrap.path == "/v1/sys/wrapping/unwrap"
    assert unwrap.headers["x-vault-token"] == "hvs.wrapping"


@pytest.mark.parametrize("path", ["sys/wrapping/wrap", "auth/other/login", "", None, 5, "x\r\ny"])
def test_unwrap_of_a_planted_one(path: object) -> None:
    """Made elsewhere: not opened, and the reader is told why that matters."""
    refused = pytest.raises(VaultError, match="not at auth/aws/login")
    with Web(unwrap_server(path)) as web, plain_vault_at(web.url) as vault, refused as caught:
        vault.unwrap("hvs.wrapping", "auth/aws/login")
    assert "stolen" in caught.value.hint
    assert "\n" not in str(caught.value)
    assert len(web.seen) == 1


def test_unwrap_is_not_tried_again() -> None:
    """The first try may have used it up."""

    def answer(seen: Seen) -> Reply:
        return Reply(body={"data": {"creation_path": "p"}}) if seen.path.endswith("lookup") else Reply(503)

    with Web(answer) as web, plain_vault_at(web.url) as vault, pytest.raises(VaultError):
        vault.unwrap("hvs.wrapping", "p")
    assert len(web.seen) == 2


WRAP_INFO = {"token": "hvs.wrapping", "accessor": "a", "ttl": 300, "creation_path": "sys/wrapping/wrap"}


def test_wrap() -> None:
    """By the token's own authority; what is inside is what Vault Agent puts there."""
    with Web(Reply(body={"wrap_info": WRAP_INFO})) as web, plain_vault_at(web.url) as vault:
        assert vault.wrap(TOKEN, 300) == WRAP_INFO
    (seen,) = web.seen
    assert (seen.method, seen.path, seen.json) == ("PUT", "/v1/sys/wrapping/wrap", {"token": TOKEN})
    assert (seen.headers["x-vault-token"], seen.headers["x-vault-wrap-ttl"]) == (TOKEN, "300s")


@pytest.mark.parametrize("answer", [{}, {"wrap_info": None}, {"wrap_info": {"token": TOKEN, "ttl": "x"}}])
def test_a_garbled_wrapping_is_refused(answer: object) -> None:
    with Web(Reply(body=answer)) as web, plain_vault_at(web.url) as vault, pytest.raises(VaultError) as caught:
        vault.wrap(TOKEN, 300)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(("reply", "was_unused"), [(Reply(body={"data": {}}), True), (Reply(400), False)])
def test_discard(reply: Reply, was_unused: bool) -> None:
    """One request, which uses it up."""
    with Web(reply) as web, plain_vault_at(web.url) as vault:
        assert vault.discard("hvs.wrapping") is was_unused
    assert [(seen.path, seen.headers["x-vault-token"]) for seen in web.seen] == [
        ("/v1/sys/wrapping/unwrap", "hvs.wrapping")
    ]


def test_discard_where_nobody_can_tell() -> None:
    with Web(Reply(503)) as web, plain_vault_at(web.url) as vault, pytest.raises(VaultError):
        vault.discard("hvs.wrapping")
    assert len(web.seen) == 1


def test_a_used_wrapping_token_may_have_been_intercepted() -> None:
    """Which its reader is told, whether the lookup finds it or somebody is quicker than the unwrapping."""
    used = Reply(400, {"errors": ["wrapping token is not valid or does not exist"]})
    for answers in ([used], [Reply(body={"data": {"creation_path": "p"}}), used]):
        with Web(answers) as web, plain_vault_at(web.url) as vault, pytest.raises(VaultError) as caught:
            vault.unwrap("hvs.wrapping", "p")
        assert "somebody may have intercepted it" in str(caught.value)
        assert len(web.seen) == len(answers)
