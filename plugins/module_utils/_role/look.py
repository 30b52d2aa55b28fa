# Copyright: (c) 2026, vaultfleet.aws contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is on a host before the role changes anything, and why an agent cannot be there."""

from __future__ import annotations

import grp
import hashlib
import json
import os
import pwd
import re
import stat
import sys
import typing as t

from . import places, service
from .service import Run

LEAST_PYTHON = (3, 9)
NEWEST_BUNDLE = (3, 13)  # a newer Python runs it, too
LEAST_SYSTEMD = 247
_ASK = "import sys, ssl, uuid, http.client, zlib; print('%d.%d' % sys.version_info[:2])"
_PRIVATE = ("/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/")  # noqa: S108 (which the unit closes to the agent)

_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFLNK: "symbolic link",
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
}


class Look:
    """Looks at a host.

    problems: why it cannot be done there, one line each. warnings: what is missing, where ``foretold`` is only what
    would be done: what comes before the role may then not have been done either.
    """

    def __init__(self, name: str, run: Run, foretold: bool = False) -> None:
        self.name = name
        self.run = run
        self.foretold = foretold
        self.problems: list[str] = []
        self.warnings: list[str] = []

    def _missing(self, what: str) -> None:
        if self.foretold:
            self.warnings.append(f"{what} yet -- it must be there once the role runs outside check mode")
        else:
            self.problems.append(f"{what} -- create it first")

    def systemd(self) -> dict[str, t.Any]:
        """Its version, and whether it runs here."""
        try:
            _code, output, _errors = self.run(["systemctl", "--version"])
        except OSError:
            output = ""
        found = re.match(r"systemd (\d+)", output)
        version = int(found[1]) if found else 0
        if not found:
            self.problems.append("this host has no systemd, which runs the agent")
        elif version < LEAST_SYSTEMD:
            self.problems.append(
                f"systemd {version} is too old: the agent's service needs {LEAST_SYSTEMD} or newer (Debian 11, RHEL 9,"
                " Amazon Linux 2023, Ubuntu 22.04)"
            )
        return {"version": version, "runs": _runs()}

    def python(self, given: str | None) -> dict[str, str]:
        """The interpreter for the agent, its version, and the line of bundles that it needs."""
        # The distribution's name for its Python outlives an upgrade; what Ansible found may have a version in it.
        candidates = [given] if given else ["/usr/bin/python3", sys.executable]
        reasons = []
        for path in candidates:
            reason, version = self._python(path)
            if not reason:
                line = min(version, NEWEST_BUNDLE)
                return {"path": path, "version": _dotted(version), "line": _dotted(line)}
            if reason not in reasons:
                reasons.append(reason)
        hint = f"install Python {_dotted(LEAST_PYTHON)} or newer, and name it in vault_agent_python if need be"
        self.problems.append(f"{'; '.join(reasons)} -- {hint}")
        return {}

    def _python(self, path: str) -> tuple[str, tuple[int, int]]:
        """Why this one will not do, or "", and its version."""
        try:
            code, output, errors = self.run([path, "-I", "-c", _ASK])
        except OSError as e:
            return f"there is no Python at {path} ({e.strerror})", (0, 0)
        found = re.match(r"(\d+)\.(\d+)", output)
        if code != 0 or not found:
            last = errors.strip().splitlines()[-1:] or ["no answer"]
            return f"{path} is no whole Python: {last[0][:200]}", (0, 0)
        version = (int(found[1]), int(found[2]))
        real = os.path.realpath(path)
        if version < LEAST_PYTHON:
            return f"{path} is Python {_dotted(version)}, which is too old", version
        if real.startswith(_PRIVATE):
            return f"{path} is {real}, which the service cannot see", version
        return "", version

    def libraries(self, python: t.Mapping[str, str], sinks: t.Sequence[t.Mapping[str, t.Any]]) -> None:
        """Look for what no bundle holds, in the place where the agent finds it: see ``_agent.sealing``."""
        if not python or not any("dh_path" in sink["more"] for sink in sinks):
            return
        code, _output, _errors = self.run([python["path"], "-I", "-c", "import cryptography"])
        if code != 0:
            self.problems.append(
                f"vault_agent_sinks: encrypted sinks need the Python package cryptography, which {python['path']} has"
                " not -- install the package python3-cryptography of this system, or cryptography for that Python"
            )

    def sinks(self, sinks: t.Sequence[t.Mapping[str, t.Any]]) -> list[dict[str, t.Any]]:
        """The sinks as the configuration has them: owners by number, as HashiCorp's agent wants them."""
        found = []
        for sink in sinks:
            config = {"path": sink["path"], "mode": sink["mode"]}
            for option, number in (("owner", self._uid), ("group", self._gid)):
                if sink.get(option) is not None:
                    config[option] = number(str(sink[option]), sink["path"])
            found.append({"type": "file", **sink["more"], "config": config})
        return found

    def _uid(self, name: str, path: str) -> int | str:
        return self._id("user", name, path, lambda: pwd.getpwnam(name).pw_uid)

    def _gid(self, name: str, path: str) -> int | str:
        return self._id("group", name, path, lambda: grp.getgrnam(name).gr_gid)

    def _id(self, kind: str, name: str, path: str, of_name: t.Callable[[], int]) -> int | str:
        """The number, or the name itself while there is none."""
        if name.isdecimal():
            return int(name)
        try:
            return of_name()
        except KeyError:
            self._missing(f"vault_agent_sinks: there is no {kind} {name}, who is to have {path}, on this host")
            return name

    def readers(self, readers: t.Sequence[str]) -> bool:
        """Whether the members of the agent's group are the ones wished for."""
        for reader in readers:
            try:
                pwd.getpwnam(reader)
            except KeyError:
                self._missing(f"vault_agent_readers: there is no user {reader} on this host")
        try:
            return sorted(grp.getgrnam(self.name).gr_mem) == sorted(readers)
        except KeyError:
            return False

    def folders(self, folders: t.Sequence[str]) -> None:
        """The folders that the service writes to must be there, or systemd does not start it."""
        for folder in folders:
            if not os.path.isdir(folder):
                self._missing(
                    f"vault_agent_sinks, vault_agent_metrics_file: there is no folder {folder}, which the agent is to"
                    " write to, on this host"
                )

    def setype(self, given: str | None, selinux: bool) -> None:
        """Say where a type of SELinux is without effect."""
        if given and not selinux:
            self.warnings.append(
                f"vault_agent_sink_setype: SELinux is off on this host, so that {given} has no effect here"
            )

    def others(self, login: t.Mapping[str, str]) -> None:
        """Refuse a second agent for what the server keeps one nonce of."""
        if login.get("type") != "ec2":
            return
        for other, config in _configs():
            if other != self.name and _login(config) == dict(login):
                self.problems.append(clash(other))

    def foreign(self) -> None:
        """Refuse to take over what somebody else put there under the agent's name."""
        try:
            user = pwd.getpwnam(self.name)
        except KeyError:
            user = None
        hint = "choose another vault_agent_name"
        if user is not None and places.MARK not in user.pw_gecos:
            self.problems.append(f"the user {self.name} of this host is not of this role -- {hint}")
        unit = service.read(places.unit(self.name))
        if unit is not None and places.MARK not in unit:
            self.problems.append(f"{places.unit(self.name)} is not of this role -- {hint}")
        elif unit is None:
            for folder in ("/usr/lib/systemd/system", "/lib/systemd/system", "/run/systemd/system"):
                if os.path.exists(f"{folder}/{self.name}.service"):
                    self.problems.append(f"this host has a service {self.name} that is not of this role -- {hint}")
                    break

    def occupied(self) -> None:
        """Refuse what is of another kind than what the role writes there: in the way, or written through."""
        for path, kind in places.kinds(self.name).items():
            found = _kind(path)
            if found not in ("", kind):
                self.problems.append(f"{path} is a {found}, where the role has a {kind} -- move it away")

    def there(self) -> dict[str, t.Any]:
        """What of the agent is there."""
        unit, folder = f"{self.name}.service", places.credentials(self.name)
        shown = service.properties(self.run, unit, ("ActiveState", "MainPID")) if _runs() else {}
        pid = int(shown.get("MainPID") or 0)
        seen = service.status(self.name, pid) if pid else None
        config = _config(places.config(self.name))
        sinks = [sink.get("config", {}).get("path") for sink in config.get("auto_auth", {}).get("sink", [])]
        return {
            "group": _knows(lambda: grp.getgrnam(self.name)),
            "user": _knows(lambda: pwd.getpwnam(self.name)),
            "folder": os.path.isdir(places.CONFIGS),
            "config": bool(config),
            "unit": os.path.lexists(places.unit(self.name)),
            "texts": {
                "config": service.read(places.config(self.name)),
                "unit": service.read(places.unit(self.name)),
            },
            "enabled": os.path.lexists(places.wanted(self.name)),
            "credentials": sorted(os.listdir(folder)) if os.path.isdir(folder) else [],
            "current": places.current(self.name),
            "sinks": [path for path in sinks if isinstance(path, str)],
            "rendered": [one["destination"] for one in config.get("jinja_template", ()) if "destination" in one],
            "reloads": places.reloads(self.name),
            "metrics": config.get("auto_auth", {}).get("metrics_file"),
            "revokes": config.get("auto_auth", {}).get("revoke_on_exit") is True,
            "active": shown.get("ActiveState") == "active",
            "restart_due": seen is not None and self._restart_due(seen),
            "reload_due": seen is not None and self._reload_due(seen),
        }

    def _restart_due(self, seen: t.Mapping[str, t.Any]) -> bool:
        """Whether a run was broken off after it changed what only a restart brings into force."""
        current = places.current(self.name)
        if current and not str(seen.get("program")).startswith(f"{places.BUNDLES}/{current}/"):
            return True
        folder, unit = places.credentials(self.name), service.read(places.unit(self.name)) or ""
        names = os.listdir(folder) if os.path.isdir(folder) else []
        names = [name for name in names if f"\nLoadCredential={name}:" in unit]
        loaded = f"/run/credentials/{self.name}.service"
        return any(service.read(f"{folder}/{name}") != service.read(f"{loaded}/{name}") for name in names)

    def _reload_due(self, seen: t.Mapping[str, t.Any]) -> bool:
        text = service.read(places.config(self.name))
        return text is not None and seen.get("config_sha256") != hashlib.sha256(text.encode()).hexdigest()


def clash(other: str) -> str:
    """Why an agent cannot be on a host beside the agent ``other``, which logs in by ec2 to the same place."""
    return (
        f"the agent {other} of this host logs in by ec2 to the same server, namespace and mount, which keeps one nonce"
        " for each instance, so that the two would lock each other out -- let both read the sinks of one agent (see"
        " vault_agent_readers), or give one of them a mount of its own"
    )


def bundles() -> dict[str, str]:
    """What is unpacked: SHA-256 of an archive -> version."""
    found = {}
    for version in sorted(os.listdir(places.BUNDLES)) if os.path.isdir(places.BUNDLES) else []:
        digest = service.read(f"{places.BUNDLES}/{version}/{places.ARCHIVE}")
        if digest and not os.path.islink(f"{places.BUNDLES}/{version}"):
            found[digest.strip()] = version
    return found


def alone(name: str) -> bool:
    """Whether the folder of configurations holds nothing but this agent's."""
    own = {os.path.basename(path) for path in (places.config(name), places.credentials(name))}
    return os.path.isdir(places.CONFIGS) and not set(os.listdir(places.CONFIGS)) - own


def selinux() -> bool:
    """Whether the host has SELinux switched on; an image, whether it will."""
    if _runs():
        return os.path.exists("/sys/fs/selinux/enforce")
    found = re.search(r"^SELINUX=(\w+)", service.read("/etc/selinux/config") or "", re.MULTILINE)
    return found is not None and found[1] != "disabled"


def _configs() -> t.Iterator[tuple[str, dict[str, t.Any]]]:
    """The configurations of the host's agents, by name."""
    for file in sorted(os.listdir(places.CONFIGS)) if os.path.isdir(places.CONFIGS) else []:
        if file.endswith(".json"):
            yield file[: -len(".json")], _config(f"{places.CONFIGS}/{file}")


def _config(path: str) -> dict[str, t.Any]:
    """A configuration that the role wrote; of others nothing is understood."""
    try:
        found = json.loads(service.read(path) or "")
        return found if isinstance(found["auto_auth"]["method"][0]["config"], dict) else {}
    except (ValueError, RecursionError, LookupError, TypeError):
        return {}


def _login(config: t.Mapping[str, t.Any]) -> dict[str, str]:
    if not config:
        return {}
    method = config["auto_auth"]["method"][0]
    mount = str(method.get("mount_path", "aws"))
    return {
        "type": method["config"].get("type"),
        "url": config.get("vault", {}).get("address"),
        "namespace": method.get("namespace", ""),
        "mount_path": mount[len("auth/") :] if mount.startswith("auth/") else mount,
    }


def _kind(path: str) -> str:
    """What is there, "" for nothing."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return ""
    return _KINDS.get(stat.S_IFMT(mode), "device")


def _runs() -> bool:
    """Whether systemd runs this system; in a chroot, even one that shows /run, it runs another."""
    try:
        return os.path.isdir("/run/systemd/system") and os.path.samefile("/", "/proc/1/root")
    except OSError:
        return False


def _knows(look: t.Callable[[], object]) -> bool:
    try:
        look()
    except KeyError:
        return False
    return True


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
