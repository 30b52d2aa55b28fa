# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes over the wire to Vault, and what does not: headers, redirects, proxies, sizes, the environment."""

from __future__ import annotations

import gc
import gzip
import os
import tracemalloc
import typing as t
from pathlib import Path

import pytest
import requests
import urllib3
import urllib3.connection

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth import transport
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.cutoff import Cutoff
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import Retry, VaultError
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.vault import Login
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.version import VERSION
from ansible_collections.vaultfleet.aws.tests.unit.support import certificates
from ansible_collections.vaultfleet.aws.tests.unit.support.vaults import LOGIN, TOKEN, Proofs, connection, vault_at
from ansible_collections.vaultfleet.aws.tests.unit.support.web import Answers, Reply, Web, closed_port

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
GOOD = Reply(body=LOGIN)


def log_in(url: str, wrap_ttl: int = 0, **options: t.Any) -> Login:
    """One login at ``url``."""
    with vault_at(url, **options) as vault:
        return vault.login("aws", Proofs(), wrap_ttl=wrap_ttl)


def refused(url: str, match: str | None, **options: t.Any) -> VaultError:
    """The error of a login at ``url``."""
    with pytest.raises(VaultError, match=match) as caught:
        log_in(url, **options)
    return caught.value


def tls(answers: Answers) -> Web:
    """A server with the tests' certificate."""
    return Web(answers, certificates.server_side())


def test_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks is told; a stale token of the user is not; an empty namespace sends no header."""
    monkeypatch.setenv("VAULT_TOKEN", "hvs.stale-canary")
    monkeypatch.setenv("VAULT_NAMESPACE", "stale-canary")
    monkeypatch.setenv("VAULT_ADDR", "https://stale-canary.test")
    (Path(os.environ["HOME"]) / ".vault-token").write_text("hvs.stale-canary", encoding="utf-8")
    with Web(GOOD) as web:
        log_in(web.url)
    (seen,) = web.seen
    assert (seen.method, seen.path) == ("POST", "/v1/auth/aws/login")
    assert seen.headers["user-agent"] == f"vaultfleet.aws/{VERSION} (unit tests)"
    assert seen.headers["x-vault-request"] == "true"
    assert seen.json == {"role": "web", "proof": "1"}
    assert not {"x-vault-token", "x-vault-namespace", "x-vault-wrap-ttl", "authorization", "cookie"} & set(seen.headers)
    assert "canary" not in str(seen)


def test_namespace() -> None:
    """Sent when it is set."""
    with Web(GOOD) as web:
        log_in(web.url, namespace="/team/app/")
    assert web.seen[0].headers["x-vault-namespace"] == "team/app"


def test_netrc_is_not_read() -> None:
    """requests would send what it says."""
    (Path(os.environ["HOME"]) / ".netrc").write_text("machine 127.0.0.1 login u password p\n", encoding="utf-8")
    (Path(os.environ["HOME"]) / ".netrc").chmod(0o600)
    with Web(GOOD) as web:
        assert requests.utils.get_netrc_auth(web.url) == ("u", "p")
        log_in(web.url)
    assert "authorization" not in web.seen[0].headers


def test_base_path() -> None:
    """A Vault behind a path of a gateway."""
    with Web(GOOD) as web:
        log_in(web.url + "/vault/")
    assert web.seen[0].path == "/vault/v1/auth/aws/login"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirect_of_the_same_host(status: int) -> None:
    """Followed once, with the same method, body and headers."""
    with Web(GOOD) as target, Web(Reply(status, headers={"Location": f"{target.url}/v1/other"})) as web:
        log_in(web.url, namespace="team")
    (first,), (second,) = web.seen, target.seen
    assert (second.method, second.body, second.path) == ("POST", first.body, "/v1/other")
    assert second.headers["x-vault-namespace"] == "team"


def test_relative_redirect() -> None:
    """A path alone."""
    with Web([Reply(307, headers={"Location": "/v1/other?x=1"}), GOOD]) as web:
        log_in(web.url)
    assert [seen.path for seen in web.seen] == ["/v1/auth/aws/login", "/v1/other?x=1"]


def test_see_other_is_no_answer() -> None:
    """303 would turn a login into a GET."""
    with Web(GOOD) as target, Web(Reply(303, headers={"Location": target.url})) as web:
        assert refused(web.url, "HTTP 303").retry is Retry.PERMANENT
    assert target.seen == []


def test_second_redirect() -> None:
    """One is enough; the cure is the address."""
    with Web(Reply(307, headers={"Location": "/again"})) as web:
        assert "set url" in refused(web.url, "redirects once more").hint
    assert len(web.seen) == 2


@pytest.mark.parametrize(
    "location",
    ["", "http://", "https://", "http://[", "http://[::1", "ftp://x/", "javascript:alert(1)", "http://h:99999/", "http://h:0/",
     "//", "http://h\x01/", "file:///etc/passwd", "http://:80", "http://a b/", "https://" + "v" * 70 + ".test/",
     "http://u:pw-canary@127.0.0.1/", "/v1\\..\\x"],
)  # fmt: skip
@pytest.mark.parametrize("ca", [False, True])
def test_garbage_redirect(location: str, ca: bool) -> None:
    """Whatever it leads to: an error of ours."""
    with tls(Reply(307, headers={"Location": location})) as web:
        error = refused(web.url, None, ca_cert=certificates.CA) if ca else refused(web.url, None, validate_certs=False)
    assert error.hint
    assert "canary" not in str(error)


@pytest.mark.parametrize(
    ("to_tls", "options", "followed"),
    [
        (True, {"ca_cert": certificates.CA}, True),
        (True, {"ca_path": str(Path(certificates.CA).parent)}, False),  # not hashed, so it verifies nobody
        (True, {"validate_certs": False}, False),
        (True, {"ca_cert": certificates.CA, "validate_certs": False}, False),
        (False, {"ca_cert": certificates.CA}, False),
    ],
)
def test_redirect_to_another_host(to_tls: bool, options: dict[str, t.Any], followed: bool) -> None:
    """Only over https, to a host that the user's own CA vouches for."""
    with Web(GOOD, certificates.server_side() if to_tls else None) as target:
        there = target.url.replace("127.0.0.1", "localhost")
        with Web(Reply(307, headers={"Location": f"{there}/v1/auth/aws/login"})) as web:
            if followed:
                assert log_in(web.url, **options).answer == LOGIN
            else:
                error = refused(web.url, None, **options)
                assert "localhost" in str(error) or error.retry is not Retry.TRANSIENT
    assert len(target.seen) == (1 if followed else 0)


def test_redirect_to_a_host_in_disguise() -> None:
    """urllib3 ends a host at a backslash, Python's own parser does not: what it takes for a user name is the host."""
    with Web(GOOD) as target, Web(lambda _seen: Reply(307, headers={"Location": location})) as web:
        location = f"http://localhost:{target.port}\\@127.0.0.1/v1/auth/aws/login"
        refused(web.url, "no URL")
    assert not target.seen


def test_redirect_to_another_host_is_named() -> None:
    """The error names the host and the cure."""
    with Web(Reply(307, headers={"Location": "https://other.test:8200/v1/x?canary"})) as web:
        error = refused(web.url, "redirects to another host, https://other.test:8200: not followed")
    assert "set url" in error.hint
    assert "canary" not in str(error)


def test_redirect_from_https_to_http() -> None:
    """Never, even on the same host."""
    with Web(GOOD) as target, tls(Reply(307, headers={"Location": target.url})) as web:
        error = refused(web.url, "from https to http", ca_cert=certificates.CA)
        refused(web.url, "from https to http", validate_certs=False)
    assert "https" in error.hint
    assert target.seen == []


def test_redirect_from_http_to_https() -> None:
    """The other way is fine, and checks the certificate."""
    with tls(GOOD) as target, Web(Reply(308, headers={"Location": target.url + "/v1/x"})) as web:
        assert log_in(web.url, ca_cert=certificates.CA).answer == LOGIN
        refused(web.url, "certificate verify failed", ca_cert=certificates.OTHER_CA)
    assert len(target.seen) == 1


def proxied(web: Web, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set a proxy in the environment, in both spellings."""
    monkeypatch.setenv(name, web.url)
    monkeypatch.setenv(name.lower(), web.url)


def test_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY and NO_PROXY count without the option."""
    with Web(GOOD) as proxy, Web(GOOD) as web:
        proxied(proxy, "HTTP_PROXY", monkeypatch)
        log_in("http://vault.test:8200")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        log_in(web.url)
    assert proxy.seen[0].path == "http://vault.test:8200/v1/auth/aws/login"
    assert (len(proxy.seen), len(web.seen)) == (1, 1)


def test_proxy_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """The option replaces the environment's; its password goes to the proxy only."""
    with Web(GOOD) as proxy, Web(GOOD) as other:
        proxied(other, "HTTP_PROXY", monkeypatch)
        log_in("http://vault.test:8200", proxies=proxy.url.replace("//", "//user:pw@"))
    assert proxy.seen[0].headers["proxy-authorization"] == "Basic dXNlcjpwdw=="
    assert other.seen == []


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]"])
def test_link_local_never_through_a_proxy(host: str) -> None:
    """Whatever the option says."""
    given = connection(f"http://{host}:8200", proxies="http://127.0.0.1:9")
    assert transport.proxies_for(given, f"http://{host}:8200/v1/x") == {}
    assert transport.proxies_for(given, "http://vault.test/v1/x")["http"] == "http://127.0.0.1:9"


@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket.socket .closed.")
def test_https_through_a_proxy() -> None:
    """A proxy that refuses to connect, or is not there, is named as the trouble."""
    with Web(Reply(407)) as proxy:
        error = refused(
            "https://vault.test:8200", "cannot be reached", proxies=proxy.url.replace("//", "//u:canary@"), retries=0
        )
    assert "proxies" in error.hint
    assert "canary" not in str(error)
    assert proxy.seen[0].method == "CONNECT"
    error = refused("https://vault.test", "cannot be reached", proxies=f"http://127.0.0.1:{closed_port()}", retries=0)
    assert "proxies" in error.hint
    gc.collect()  # urllib3 before 2.0 drops the socket to such a proxy, unclosed


@pytest.mark.parametrize(
    "url", ["http://user:canary#@proxy:1", "http://user:canary@proxy:canary", "http://[canary", "canary", "://canary"]
)
def test_malformed_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """An error of ours, without its password."""
    monkeypatch.setenv("HTTP_PROXY", url)
    monkeypatch.setenv("http_proxy", url)
    error = refused("http://vault.test:8200", "cannot be reached", retries=0)
    assert error.hint
    if "@" in url:
        assert "canary" not in str(error)


def test_size() -> None:
    """A body without end is not read to its end."""
    huge = b"x" * 65536 * 20
    with Web(Reply(body=huge)) as web:
        error = refused(web.url, f"the answer is over {transport.LARGEST_ANSWER} bytes")
        assert error.retry is Retry.PERMANENT
        with vault_at(web.url) as vault, pytest.raises(VaultError, match="bytes"):
            vault.lookup_self(TOKEN)
    assert len(web.seen) == 2


def test_packed() -> None:
    """A body that unpacks to far more than its size is not unpacked."""
    bomb = gzip.compress(b" " * 50_000_000)
    tracemalloc.start()
    try:
        with Web(Reply(body=bomb, headers={"Content-Encoding": "gzip"})) as web:
            error = refused(web.url, r"the answer is packed \(gzip\) at http")
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
    assert error.retry is Retry.PERMANENT
    assert len(web.seen) == 1


def test_tls_server_name_with_plain_http() -> None:
    """VAULT_TLS_SERVER_NAME may be set for another server."""
    with Web(GOOD) as web:
        assert log_in(web.url, tls_server_name="vault.test").answer == LOGIN


def test_socks_proxy() -> None:
    """Connections are of the proxy's kind, so that none goes past it; without PySocks that is said."""

    class Pool(urllib3.HTTPConnectionPool):
        class ConnectionCls(urllib3.connection.HTTPConnection):
            pass

    manager = urllib3.PoolManager()
    manager.pool_classes_by_scheme = {"http": Pool}
    Cutoff().watch(manager)
    assert issubclass(manager.pool_classes_by_scheme["http"], Pool)
    assert issubclass(manager.pool_classes_by_scheme["http"].ConnectionCls, Pool.ConnectionCls)
    port = closed_port()
    assert refused("http://vault.test", "cannot be reached", proxies=f"socks5h://127.0.0.1:{port}", retries=0).hint
