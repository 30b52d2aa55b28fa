# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server that is sealed, stopped, restarted, hanging or another; TLS and proxies that do not fit; a failing AWS."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.errors import ConfigError, Retry, VaultError
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.login import log_in
from ansible_collections.vaultfleet.aws.plugins.module_utils._auth.token import Standing
from tests.live.core import client, connection, ec2, log, static, token_of
from tests.stack.handle import Stack
from tests.stack.processes import recorded

SLOW_START = 60  # seconds; a server needs one or two until it is active, on a busy machine many more


def later(seconds: float, action: Callable[[], None]) -> threading.Thread:
    """Do something while a login is being tried."""

    def wait() -> None:
        time.sleep(seconds)
        action()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def failed(stack: Stack, **options: object) -> VaultError:
    """The error of a login that never reached the AWS method."""
    before = stack.requests()
    with pytest.raises(VaultError) as caught:
        log(stack, static(stack), **options)
    assert stack.requests() == before
    assert "Traceback" not in str(caught.value)
    return caught.value


def test_unsealed_during_retries(breakable: Stack) -> None:
    """A sealed server is asked again, with pauses, until an operator has unsealed it."""
    breakable.seal()
    operator = later(1, breakable.unseal)
    try:
        assert log(breakable, static(breakable), retries=50, timeout=SLOW_START).login.token
    finally:
        operator.join()


def test_restarted_during_retries(breakable: Stack) -> None:
    """A stopped server refuses connections; the login goes through once it is back, within the deadline."""
    token = token_of(log(breakable, static(breakable)))
    breakable.stop_vault()
    error = failed(breakable)
    assert (error.status, error.retry) == (None, Retry.TRANSIENT)
    assert breakable.env["VAULT_ADDR"] in str(error)
    assert "that the server runs" in error.hint
    operator = later(0.5, breakable.start_vault)
    try:
        start = time.monotonic()
        assert log(breakable, static(breakable), retries=50, timeout=SLOW_START).login.token
        assert time.monotonic() - start < SLOW_START
    finally:
        operator.join()
    with client(breakable) as vault:
        assert vault.standing(token)[0] is Standing.LIVE


def test_client_survives_a_restart(breakable: Stack) -> None:
    """The connection that a client keeps open is made anew after a restart."""
    with client(breakable, retries=3) as vault:
        assert log_in(static(breakable), vault).login.token
        breakable.stop_vault()
        breakable.start_vault()
        assert log_in(static(breakable), vault).login.token


def test_deadline(breakable: Stack) -> None:
    """A server that takes the connection and then says nothing holds nobody longer than the deadline."""
    [server] = [one for one in recorded(breakable.lay.run) if one.name == "vault"]
    os.kill(server.pid, signal.SIGSTOP)
    try:
        start = time.monotonic()
        error = failed(breakable, timeout=2, retries=10)
        assert 1.9 < time.monotonic() - start < 10  # each of ten retries would take as long
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert "no answer within 2 s" in error.server
    assert "raise timeout" in error.hint
    assert error.retry is Retry.TRANSIENT


def test_slow_aws(stack: Stack) -> None:
    """An AWS that hangs behind Vault holds nobody longer either."""
    stack.aws_fault("hang", seconds=60, service="sts")
    start = time.monotonic()
    with pytest.raises(VaultError, match="no answer within 1 s"):
        log(stack, static(stack), timeout=1)
    assert time.monotonic() - start < 10


def test_failing_aws_is_tried_again(stack: Stack) -> None:
    """Throttling by AWS passes: the login is made again after a pause, each time with a new signature."""
    before = stack.logins("aws")
    stack.aws_fault("throttle", service="sts", count=2)
    assert log(stack, static(stack), retries=5).login.token
    assert stack.logins("aws") > before + 1
    stack.aws_fault("error", service="sts")
    with pytest.raises(VaultError, match=r"\(3 attempts in \d+ s\)") as caught:
        log(stack, static(stack), retries=2)
    assert caught.value.retry is Retry.TRANSIENT


def test_permanent_errors_are_not_tried_again(stack: Stack) -> None:
    """What only a person can change is asked once, whatever ``retries`` says."""
    before = stack.logins("aws")
    with pytest.raises(VaultError, match="no role nobody"):
        log(stack, static(stack, role="nobody"), retries=10)
    assert stack.logins("aws") == before + 1


def log_in_until_refused(stack: Stack) -> None:
    """The second login is, unless the machine is so busy that it comes after the quota's interval."""
    for _turn in range(10):
        log(stack, static(stack, mount_path="aws-open"))


def test_quota(stack: Stack) -> None:
    """The server's own quota says how long to wait, and that is how long is waited."""
    quota = {"rate": 1, "interval": "3s", "path": "auth/aws-open/login"}
    stack.root("PUT", "sys/quotas/config", {"enable_rate_limit_response_headers": True})
    stack.root("PUT", "sys/quotas/rate-limit/live", quota)
    start = time.monotonic()
    try:
        with pytest.raises(VaultError) as caught:
            log_in_until_refused(stack)
        asked = caught.value.retry_after
        assert asked is not None
        assert 0 < asked <= 3
        assert log(stack, static(stack, mount_path="aws-open"), retries=10).login.token
        assert time.monotonic() - start > asked - 1
    finally:
        stack.root("DELETE", "sys/quotas/rate-limit/live")
        stack.root("PUT", "sys/quotas/config", {"enable_rate_limit_response_headers": False})


# ---- TLS


def test_wrong_ca(stack: Stack) -> None:
    """Another CA, or the system's, does not know the server: the option that helps is named."""
    other = str(stack.lay.pki / "identity.pem")
    for options in ({"ca_cert": other}, {"ca_cert": None}):
        error = failed(stack, retries=3, **options)
        assert error.retry is Retry.PERMANENT
        assert "ca_cert" in error.hint
        assert "VAULT_CACERT" in error.hint


def test_system_store(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ca_cert the system's store counts, and no other library's idea of one."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", stack.env["VAULT_CACERT"])
    monkeypatch.setenv("CURL_CA_BUNDLE", stack.env["VAULT_CACERT"])
    assert "ca_cert" in failed(stack, ca_cert=None).hint
    monkeypatch.setenv("SSL_CERT_FILE", stack.env["VAULT_CACERT"])
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    assert log(stack, static(stack), ca_cert=None).login.token


def test_server_name(stack: Stack) -> None:
    """The certificate's name is checked, against the one that the user says it has."""
    error = failed(stack, tls_server_name="vault.example.org")
    assert error.retry is Retry.PERMANENT
    assert "tls_server_name" in error.hint
    assert log(stack, static(stack), tls_server_name="localhost").login.token


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_checks_switched_off(stack: Stack) -> None:
    """Without checks any server will do, by any name."""
    options = {"ca_cert": None, "validate_certs": False, "tls_server_name": "vault.example.org"}
    assert log(stack, static(stack), **options).login.token


def test_replaced_ca(stack: Stack, tmp_path: Path) -> None:
    """A CA file that was replaced is read again by a client that lives on."""
    file = tmp_path / "ca.pem"
    shutil.copy(stack.lay.pki / "identity.pem", file)
    with client(stack, ca_cert=str(file)) as vault:
        with pytest.raises(VaultError, match="ca_cert"):
            log_in(static(stack), vault)
        shutil.copy(stack.env["VAULT_CACERT"], file)
        assert log_in(static(stack), vault).login.token


def test_files_that_are_none(stack: Stack, tmp_path: Path) -> None:
    """A CA file without a certificate, and a client certificate without its key, are errors of those options."""
    empty = tmp_path / "empty.pem"
    empty.touch()
    with pytest.raises(ConfigError, match="ca_cert: cannot be loaded"):
        log(stack, static(stack), ca_cert=str(empty))
    with pytest.raises(ConfigError, match="client_cert: cannot be loaded"):
        log(stack, static(stack), client_cert=stack.env["VAULT_CACERT"])


def test_http_to_the_https_port(stack: Stack) -> None:
    """The server says what is wrong, if it is not cut short by its own closing of the connection; the hint is there."""
    error = failed(stack, url=stack.env["VAULT_ADDR"].replace("https://", "http://"))
    assert "https://" in error.hint
    assert error.retry is (Retry.TRANSIENT if error.status is None else Retry.PERMANENT)


def test_https_to_an_http_port(stack: Stack) -> None:
    """A port that speaks no TLS is told."""
    error = failed(stack, url=stack.env["STACK_AWS_ENDPOINT"].replace("http://", "https://"))
    assert "does not speak TLS" in error.hint
    assert error.retry is Retry.PERMANENT


# ---- another server, no server, a proxy


def test_not_vault(stack: Stack) -> None:
    """Something else that answers: its answer is not taken for Vault's."""
    for url in (stack.imds_endpoint(), stack.env["STACK_AWS_ENDPOINT"]):
        error = failed(stack, url=url, ca_cert=None)
        assert len(str(error)) < 900


def test_unreachable(stack: Stack, closed_port: int) -> None:
    """Nobody listens, or no such host: url is named."""
    for url in (f"https://127.0.0.1:{closed_port}", "https://vault.invalid:8200"):
        error = failed(stack, url=url)
        assert url in str(error)
        assert "check url" in error.hint
        assert error.retry is Retry.TRANSIENT


def test_proxies(stack: Stack, monkeypatch: pytest.MonkeyPatch, closed_port: int, instance: str) -> None:
    """The environment's proxy counts, NO_PROXY too, the option beats both; the metadata is never asked through one."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:proxy-password@127.0.0.1:{closed_port}")
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port}")
    error = failed(stack)
    assert "HTTPS_PROXY" in error.hint
    assert "proxy-password" not in str(error)
    with pytest.raises(VaultError, match="HTTPS_PROXY"):
        log(stack, ec2())  # it has the document, and fails on the way to Vault
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert log(stack, ec2()).identity.instance_id == instance
    assert "proxies" in failed(stack, proxies=f"http://127.0.0.1:{closed_port}").hint


def test_netrc_is_not_read(stack: Stack) -> None:
    """requests would send what ``~/.netrc`` has for the host; Vault would log it."""
    netrc = Path(os.environ["HOME"]) / ".netrc"
    netrc.write_text("machine 127.0.0.1 login me password of-mine\n", encoding="utf-8")
    netrc.chmod(0o600)
    stack.root("PUT", "sys/config/auditing/request-headers/authorization", {"hmac": False})
    try:
        log(stack, static(stack))
        assert "authorization" not in stack.login_requests("aws")[-1]["request"].get("headers", {})
    finally:
        stack.root("DELETE", "sys/config/auditing/request-headers/authorization")


def test_connection_repr_hides_proxies(stack: Stack) -> None:
    """A proxy's URL may hold a password."""
    assert "pass-word" not in repr(connection(stack, proxies="http://me:pass-word@127.0.0.1:1"))
