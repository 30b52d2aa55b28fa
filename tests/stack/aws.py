# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The AWS emulation: moto's STS, IAM and EC2 behind AWS's own checks of a signed request.

Starts open, so that it can be provisioned; from POST /control/enforce on, signatures and policies count and moto's own
administration is closed. Further control, all POST with JSON: /control/fault and /control/expire.
"""

from __future__ import annotations

import argparse
import datetime
import io
import json
import os
import threading
import typing as t
from collections import Counter
from pathlib import Path
from urllib.parse import parse_qs

# Thousands of public images that nobody here asks for; the stack registers its own.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"

import moto.settings
from moto.iam.policy_conditions import TrustCondition
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.sts.models import AssumedRole, sts_backends
from werkzeug.serving import make_server

from .aws_rules import Refusal, Signature, judge, parse_authorization
from .layout import write_private

Environ = dict[str, t.Any]
Start = t.Callable[..., t.Any]

ACCOUNT_ID = "123456789012"
NO_FAULT: dict[str, t.Any] = {"mode": "none", "seconds": 0.0, "service": "", "count": None}
FAULT_MODES = ("none", "error", "throttle", "hang")


class Emulation:
    """The WSGI application; holds the switches that tests set."""

    def __init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._lock = threading.Lock()
        self._released = threading.Event()
        self._enforcing = False
        self._fault = dict(NO_FAULT)
        self._calls: Counter[str] = Counter()

    def __call__(self, environ: Environ, start: Start) -> t.Iterable[bytes]:
        """One request: control, a fault that is switched on, AWS's own refusal, or moto."""
        path = environ.get("PATH_INFO", "")
        if path.startswith("/control/"):
            return self._control(path, environ, start)
        if not self._enforcing:
            return t.cast("t.Iterable[bytes]", self._moto(environ, start))
        if path.startswith("/moto-api"):
            return _send(start, 404, "text/plain", b"closed")
        body = _body(environ)
        action = parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]
        signature = parse_authorization(environ.get("HTTP_AUTHORIZATION", ""))
        service = signature.service if signature else "sts"
        with self._lock:
            self._calls[f"{service}:{action}"] += 1
        refusal = self._faulty(service) or self._refused(signature, environ)
        if refusal is not None:
            return _send(start, refusal.status, "text/xml", refusal.xml(service))
        return self._answer(environ, start, action)

    def _answer(self, environ: Environ, start: Start, action: str) -> t.Iterable[bytes]:
        # STS speaks JSON to those who ask for it; the AWS auth method does not understand that.
        as_json = action == "GetCallerIdentity" and "application/json" in environ.get("HTTP_ACCEPT", "")

        def typed(status: str, headers: list[tuple[str, str]], exc_info: t.Any = None) -> t.Any:
            # moto answers refusals as text/html, STS as text/xml, and the AWS auth method looks at that first.
            if not status.startswith("2") or as_json:
                headers = [(name, value) for name, value in headers if name.lower() != "content-type"]
                headers.append(
                    ("Content-Type", "application/json" if as_json and status.startswith("2") else "text/xml")
                )
            return start(status, headers, exc_info)

        return t.cast("t.Iterable[bytes]", self._moto(environ, typed))

    def _refused(self, signature: Signature | None, environ: Environ) -> Refusal | None:
        if "HTTP_AUTHORIZATION" not in environ:
            return Refusal(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
        date = environ.get("HTTP_X_AMZ_DATE")
        if signature is None or date is None:
            message = "Authorization header requires 'Credential', 'Signature', 'SignedHeaders' and X-Amz-Date."
            return Refusal(400, "IncompleteSignature", message)
        session = _session(signature.access_key_id)
        expires = None if session is None else session.expiration.replace(tzinfo=datetime.UTC)
        now = datetime.datetime.now(datetime.UTC)
        return judge(signature, environ.get("HTTP_HOST", ""), date, expires, now)

    def _faulty(self, service: str) -> Refusal | None:
        with self._lock:
            fault = dict(self._fault)
            if fault["mode"] == "none" or fault["service"] not in ("", service):
                return None
            if self._fault["count"] is not None:
                self._fault["count"] -= 1
                if self._fault["count"] <= 0:
                    self._fault = dict(NO_FAULT)
            released = self._released
        if fault["mode"] == "hang":
            released.wait(float(fault["seconds"]))
            return None
        if fault["mode"] == "throttle":
            if service == "ec2":
                return Refusal(503, "RequestLimitExceeded", "Request limit exceeded.")
            return Refusal(400, "Throttling", "Rate exceeded")
        if service == "ec2":
            return Refusal(500, "InternalError", "An internal error has occurred")
        return Refusal(500, "InternalFailure", "The request processing has failed because of an unknown error")

    def _control(self, path: str, environ: Environ, start: Start) -> t.Iterable[bytes]:
        try:
            wish = json.loads(_body(environ) or b"{}")
            answer = self._set(path, wish)
        except (ValueError, TypeError, KeyError) as exc:
            return _send(start, 400, "application/json", json.dumps({"error": str(exc)}).encode())
        return _send(start, 200, "application/json", json.dumps(answer).encode())

    def _set(self, path: str, wish: dict[str, t.Any]) -> dict[str, t.Any]:
        with self._lock:
            if path == "/control/enforce":
                moto.settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
                self._enforcing = True
            elif path == "/control/fault":
                fault = {**NO_FAULT, **wish}
                if fault.keys() != NO_FAULT.keys() or fault["mode"] not in FAULT_MODES:
                    raise ValueError(f"a fault has {sorted(NO_FAULT)}, with mode one of {FAULT_MODES}")
                self._fault = fault
                self._released.set()
                self._released = threading.Event()
            elif path == "/control/expire":
                session = _session(str(wish["access_key_id"]))
                if session is None:
                    raise ValueError("no session has that access key")
                session.expiration -= datetime.timedelta(days=365)
            elif path != "/control/state":
                raise ValueError(f"no such control: {path}")
            return {"enforcing": self._enforcing, "fault": self._fault, "calls": dict(self._calls)}


def demand_conditions() -> None:
    """Make moto refuse an AssumeRole that leaves out what the trust policy asks for, such as the external id.

    IAM reference, condition operators: a key that is not in the request does not match. moto compares what is there.
    """
    compare = TrustCondition.verify_condition

    def verify(self: TrustCondition, actual_values: list[str]) -> bool:
        return len(actual_values) == len(self.context_keys) and compare(self, actual_values)

    TrustCondition.verify_condition = verify


def _session(access_key_id: str) -> AssumedRole | None:
    return sts_backends[ACCOUNT_ID]["aws"].get_assumed_role_from_access_key(access_key_id)


def _body(environ: Environ) -> bytes:
    size = int(environ.get("CONTENT_LENGTH") or 0)
    body: bytes = environ["wsgi.input"].read(size) if size else b""
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _send(start: Start, status: int, kind: str, body: bytes) -> t.Iterable[bytes]:
    start(
        f"{status} {'OK' if status == 200 else 'Refused'}", [("Content-Type", kind), ("Content-Length", str(len(body)))]
    )
    return [body]


class QuietHandler(MotoRequestHandler):
    """moto's request handler without a log line for each request, and with kept-alive connections."""

    protocol_version = "HTTP/1.1"

    def log_request(self, *_args: t.Any) -> None:
        """Say nothing."""


def main() -> None:
    """Serve on a free port of 127.0.0.1, and write that port into the file named by --ready."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--ready", type=Path, required=True)
    ready = parser.parse_args().ready
    demand_conditions()
    server = make_server("127.0.0.1", 0, Emulation(), threaded=True, request_handler=QuietHandler)
    server.daemon_threads = True
    write_private(ready, str(server.port))
    server.serve_forever()


if __name__ == "__main__":
    main()
