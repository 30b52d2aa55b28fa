# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The instance metadata service, as an instance sees it, with switches for everything that goes wrong there.

``http://HOST:PORT/latest/...`` is the metadata service of the selected instance (the first one at the start),
``http://HOST:PORT/INSTANCE-ID/latest/...`` that of any instance. Each of these views has tokens and switches of its
own, so tests that use different instances do not meet. ``/container/credentials`` is the credentials endpoint of a
container. POST /control/set, reset, rotate and forget-tokens switch; "view" in their JSON names the view. POST
/control/listen gives a view a port of its own, where its address needs no instance id.

Sources: EC2 user guide (instance metadata, identity documents), SDK reference guide (container credential provider).
"""

from __future__ import annotations

import argparse
import datetime
import hmac
import json
import re
import secrets
import select
import threading
import time
import typing as t
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from .imds_credentials import assume_role
from .imds_identity import Signer, document, lines, signers
from .layout import Layout, layout, write_private

Answer = tuple[int, bytes]

TOKEN_PATH = "/latest/api/token"
IDENTITY = "/latest/dynamic/instance-identity/"
META = "/latest/meta-data/"
ROLE = "app"
LONGEST_TOKEN = 21600
# How long a dropped answer is held back at most; clients give up long before.
DROP_SECONDS = 120.0

# The switches of a view. overrides: path -> {"status": int, "body": str}, for answers of any kind. role: that of the
# instance's profile, if it has one.
DEFAULTS: dict[str, t.Any] = {
    "instance": None,
    "v1": False,
    "hop_limit": False,
    "disabled": False,
    "role": ROLE,
    "pending_time": None,
    "tamper": None,
    "overrides": {},
}
TAMPERS = (None, "document", "signature")


@dataclass
class View:
    """One instance's metadata service: its switches, its session tokens with the time they end, its credentials."""

    switches: dict[str, t.Any] = field(default_factory=lambda: dict(DEFAULTS))
    tokens: dict[str, float] = field(default_factory=dict)
    credentials: dict[str, str] | None = None


class Service:
    """All views; the part of the server that knows no HTTP connection."""

    def __init__(self, lay: Layout) -> None:
        settings = json.loads((lay.aws / "imds.json").read_text(encoding="utf-8"))
        self.lock = threading.RLock()
        self._settings: dict[str, t.Any] = settings
        self._instances: dict[str, dict[str, t.Any]] = {one["instanceId"]: one for one in settings["instances"]}
        self._signers: dict[str, Signer] = signers(lay.pki)
        self._views: dict[str, View] = {}
        self._container = View()

    def view(self, name: str) -> View | None:
        """The view called ``name`` (an instance id, or "" for the selected one), None if there is no such instance."""
        if name and name not in self._instances:
            return None
        with self.lock:
            return self._views.setdefault(name, View())

    def new_token(self, view: View, ttl: str) -> Answer:
        """A session token that really ends after ``ttl`` seconds."""
        if not ttl.isdigit() or not 1 <= int(ttl) <= LONGEST_TOKEN:
            return 400, b"Bad Request"
        token = secrets.token_urlsafe(42)
        with self.lock:
            view.tokens[token] = time.monotonic() + int(ttl)
        return 200, token.encode()

    def allowed(self, view: View, token: str | None) -> bool:
        """Whether a GET with this session token (None: without one) may be answered."""
        if token is None:
            return bool(view.switches["v1"])
        with self.lock:
            return view.tokens.get(token, 0.0) > time.monotonic()

    def read(self, name: str, view: View, path: str) -> Answer:
        """The answer to a GET that may be answered."""
        override = view.switches["overrides"].get(path)
        if override is not None:
            return int(override.get("status", 200)), str(override.get("body", "")).encode()
        instance = self._instances[name or view.switches["instance"] or self._settings["instances"][0]["instanceId"]]
        if path.startswith(IDENTITY):
            return self._identity(view, instance, path[len(IDENTITY) :])
        if path.startswith(f"{META}iam/"):
            return self._iam(view, instance, path[len(f"{META}iam/") :])
        zone = instance["availabilityZone"]
        facts = {
            "ami-id": instance["imageId"],
            "instance-id": instance["instanceId"],
            "instance-type": instance["instanceType"],
            "local-ipv4": instance["privateIp"],
            "placement/availability-zone": zone,
            "placement/region": zone.rstrip("abcdef"),
        }
        fact = facts.get(path[len(META) :]) if path.startswith(META) else None
        return (404, b"Not Found") if fact is None else (200, str(fact).encode())

    def container(self, authorization: str | None) -> Answer:
        """The container credentials endpoint: the token is required, and must be right."""
        if authorization is None:
            return 401, b'{"message":"authorization token is missing"}'
        if not hmac.compare_digest(authorization.encode(), self._settings["container_token"].encode()):
            return 403, b'{"message":"authorization token is wrong"}'
        override = self._container.switches["overrides"].get("/container/credentials")
        if override is not None:
            return int(override.get("status", 200)), str(override.get("body", "")).encode()
        keys = self._role_credentials(self._container, "container")
        return 200, json.dumps({"RoleArn": self._role_arn(self._container), **keys}).encode()

    def control(self, path: str, wish: dict[str, t.Any]) -> dict[str, t.Any]:
        """Set switches of a view, or reset it. Raises ValueError for a wish that makes no sense."""
        name = str(wish.pop("view", ""))
        view = self._container if name == "container" else self.view(name)
        if view is None:
            raise ValueError(f"no such view: {name}")
        with self.lock:
            if path == "/control/rotate":
                view.credentials = None
            elif path == "/control/reset":
                view.switches, view.credentials = dict(DEFAULTS), None
                view.tokens.clear()
            elif path == "/control/forget-tokens":
                view.tokens.clear()
            elif path == "/control/set":
                before, view.switches = view.switches, self._checked({**view.switches, **wish})
                if view.switches["role"] != before["role"]:
                    view.credentials = None
            else:
                raise ValueError(f"no such control: {path}")
            return dict(view.switches)

    def _checked(self, switches: dict[str, t.Any]) -> dict[str, t.Any]:
        unknown = switches.keys() - DEFAULTS.keys()
        if unknown:
            raise ValueError(f"no such switches: {sorted(unknown)}; there are {sorted(DEFAULTS)}")
        if switches["instance"] is not None and switches["instance"] not in self._instances:
            raise ValueError(f"no such instance: {switches['instance']}")
        if switches["tamper"] not in TAMPERS:
            raise ValueError(f"tamper is one of {TAMPERS}")
        return switches

    def _identity(self, view: View, instance: dict[str, t.Any], name: str) -> Answer:
        account, region = self._settings["account"], self._settings["region"]
        pending = view.switches["pending_time"] or self._settings["pending_time"]
        honest = document(instance, account, region, pending)
        tamper = view.switches["tamper"]
        if name == "document":
            return 200, _altered(honest) if tamper == "document" else honest
        signer = self._signers.get(name)
        if signer is None:
            return 404, b"Not Found"
        signed = signer(honest)
        if tamper == "document":
            # The PKCS#7 forms carry the document; a bare signature has nothing to alter.
            signed = _altered(signed)
        elif tamper == "signature":
            # In every form the signature's own bytes come last.
            signed = signed[:-1] + bytes([signed[-1] ^ 1])
        return 200, lines(signed)

    def _iam(self, view: View, instance: dict[str, t.Any], rest: str) -> Answer:
        role = view.switches["role"]
        if not role:
            return 404, b"Not Found"
        if rest == "info":
            account = self._settings["account"]
            info = {
                "Code": "Success",
                "LastUpdated": _now(),
                "InstanceProfileArn": f"arn:aws:iam::{account}:instance-profile/{role}",
                "InstanceProfileId": "AIPASTACKEXAMPLE00000",
            }
            return 200, json.dumps(info, indent=2).encode()
        if rest.rstrip("/") == "security-credentials":
            return 200, str(role).encode()
        if rest != f"security-credentials/{role}":
            return 404, b"Not Found"
        keys = self._role_credentials(view, instance["instanceId"])
        head = {"Code": "Success", "LastUpdated": _now(), "Type": "AWS-HMAC"}
        return 200, json.dumps({**head, **keys}, indent=2).encode()

    def _role_credentials(self, view: View, session_name: str) -> dict[str, str]:
        with self.lock:
            if view.credentials is None:
                endpoint, keys = self._settings["sts_endpoint"], self._settings["operator"]
                view.credentials = assume_role(endpoint, keys, self._role_arn(view), session_name)
            return view.credentials

    def _role_arn(self, view: View) -> str:
        return f"arn:aws:iam::{self._settings['account']}:role/{view.switches['role']}"


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body go out in two pieces
    server_version = "EC2ws"
    sys_version = ""
    service: t.ClassVar[Service]

    def do_PUT(self) -> None:
        """A session token."""
        _name, path, view = self._target()
        if view is None or path != TOKEN_PATH:
            self._send((404, b"Not Found"))
        elif view.switches["disabled"]:
            self._send((403, b"Forbidden"))
        elif view.switches["hop_limit"]:
            self._drop(view)
        elif "X-Forwarded-For" in self.headers:
            # The service refuses to hand out tokens through a proxy.
            self._send((403, b"Forbidden"))
        else:
            override = view.switches["overrides"].get(TOKEN_PATH)
            if override is not None:
                self._send((int(override.get("status", 200)), str(override.get("body", "")).encode()))
            else:
                self._send(self.service.new_token(view, self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")))

    def do_GET(self) -> None:
        """Metadata, or container credentials."""
        if self.path == "/container/credentials":
            self._guarded(lambda: self.service.container(self.headers.get("Authorization")), "application/json")
            return
        name, path, view = self._target()
        if view is None:
            self._send((404, b"Not Found"))
        elif view.switches["disabled"]:
            self._send((403, b"Forbidden"))
        elif not self.service.allowed(view, self.headers.get("X-aws-ec2-metadata-token")):
            self._send((401, b"Unauthorized"))
        else:
            known = view
            self._guarded(lambda: self.service.read(name, known, path), "text/plain")

    def do_POST(self) -> None:
        """Control."""
        try:
            wish = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
            control = _listen if self.path == "/control/listen" else self.service.control
            self._send((200, json.dumps(control(self.path, wish)).encode()), "application/json")
        except (ValueError, TypeError, AttributeError) as exc:
            self._send((400, json.dumps({"error": str(exc)}).encode()), "application/json")

    def log_message(self, *_args: t.Any) -> None:
        """Say nothing."""

    def _target(self) -> tuple[str, str, View | None]:
        found = re.match(r"/(i-[0-9a-f]+)(/.*)", self.path)
        name, path = (found[1], found[2]) if found else (t.cast("Server", self.server).view, self.path)
        return name, path, self.service.view(name)

    def _guarded(self, answer: t.Callable[[], Answer], kind: str) -> None:
        try:
            self._send(answer(), kind)
        except OSError:
            # The emulated STS is down or made to fail: so is the metadata service's store of credentials.
            self._send((500, b"Internal Server Error"))

    def _drop(self, view: View) -> None:
        # With a hop limit that is too low the connection stands, but the packet with the answer never arrives.
        deadline = time.monotonic() + DROP_SECONDS
        while view.switches["hop_limit"] and time.monotonic() < deadline:
            readable, _writable, _failed = select.select([self.connection], [], [], 0.2)
            if readable:
                break
        self.close_connection = True

    def _send(self, answer: Answer, kind: str = "text/plain") -> None:
        status, body = answer
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Does not wait for connections that are held open. ``view``: whose a path without an instance id is."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, view: str = "") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.view = view


# Of the views that have a port of their own; guarded by the service's lock.
_ports: dict[str, int] = {}


def _listen(_path: str, wish: dict[str, t.Any]) -> dict[str, t.Any]:
    """Open a port for a view, or name the one that it has. Raises ValueError if there is no such instance."""
    name = str(wish.get("view", ""))
    if Handler.service.view(name) is None:
        raise ValueError(f"no such view: {name}")
    with Handler.service.lock:
        if name not in _ports:
            server = Server(name)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            _ports[name] = server.server_port
        return {"port": _ports[name]}


def _altered(data: bytes) -> bytes:
    # Of the same length, so that the PKCS#7 forms stay readable.
    return data.replace(b"t3.micro", b"t3.large")


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def main() -> None:
    """Serve on a free port of 127.0.0.1, and write that port into the file named by --ready."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--dir", required=True)
    parser.add_argument("--ready", type=Path, required=True)
    options = parser.parse_args()
    Handler.service = Service(layout(options.dir))
    server = Server()
    write_private(options.ready, str(server.server_port))
    server.serve_forever()


if __name__ == "__main__":
    main()
