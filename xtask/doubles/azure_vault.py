"""The keys of the double: versions, states, and the answers that Azure Key Vault gives about them.

    created -> (new version by rotate or create) -> deleted, all versions at once -> purged
                                                 \\-> recovered

Only what tutela and its tests need: RSA keys in software, wrapping with RSA-OAEP-256. What Azure allows
and would surprise is kept: a disabled version still wraps, and only unwrapping is refused.
"""

from __future__ import annotations

import base64
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

OAEP_256 = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
OPERATIONS = ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"]
RECOVERY = {"recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90}
DAY_S = 86_400
PAGE = 25


class Problem(Exception):
    """An error as Azure writes it."""

    def __init__(self, status: int, code: str, message: str, inner: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.inner = status, code, inner

    def document(self) -> dict[str, Any]:
        error: dict[str, Any] = {"code": self.code, "message": str(self)}
        return {"error": error | ({"innererror": {"code": self.inner}} if self.inner else {})}


@dataclass
class Version:
    """One version of a key."""

    private: rsa.RSAPrivateKey
    operations: list[str]
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    enabled: bool = True
    created: int = field(default_factory=lambda: int(time.time()))
    tags: dict[str, str] = field(default_factory=dict)


class Vault:
    """All keys. Not locked: one call at a time."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.keys: dict[str, list[Version]] = {}
        self.deleted: dict[str, tuple[list[Version], int]] = {}
        self.policies: dict[str, dict[str, Any]] = {}

    def handle(self, method: str, parts: list[str], query: dict[str, str], body: dict[str, Any]) -> Any:
        """The answer to one call, None for an empty one. Raises `Problem`."""
        match (method, *parts):
            case ("GET", "keys"):
                rows = [(name, versions[-1]) for name, versions in sorted(self.keys.items())]
                return self.page("keys", rows, query, "")
            case ("POST", "keys", name, "create"):
                return self.create(name, body)
            case ("POST", "keys", name, "rotate"):
                old = self.version(name)
                return self.bundle(name, self.add(name, old.private.key_size, old.operations, old.tags))
            case ("GET", "keys", name, "versions"):
                return self.page(f"keys/{name}/versions", [(name, v) for v in self.all(name)], query, "/")
            case ("GET", "keys", name, "rotationpolicy"):
                return self.policy(name)
            case ("PUT", "keys", name, "rotationpolicy"):
                return self.set_policy(name, body)
            case ("GET", "keys", name):
                return self.bundle(name, self.version(name))
            case ("GET", "keys", name, version):
                return self.bundle(name, self.version(name, version))
            case ("PATCH", "keys", name, version):
                return self.update(name, version, body)
            case ("POST", "keys", name, version, "wrapkey" | "unwrapkey" as verb):
                return self.wrap(verb, name, version, body)
            case ("DELETE", "keys", name):
                return self.delete(name)
            case ("GET", "deletedkeys", name):
                return self.deleted_bundle(name)
            case ("POST", "deletedkeys", name, "recover"):
                self.deleted_bundle(name)
                self.keys[name] = self.deleted.pop(name)[0]
                return self.bundle(name, self.version(name))
            case ("DELETE", "deletedkeys", name):
                self.deleted_bundle(name)
                del self.deleted[name]
                return None
        raise Problem(404, "NotFound", "There is no such call.")

    # === Reading ===

    def all(self, name: str) -> list[Version]:
        if name not in self.keys:
            message = f"A key with (name/id) {name} was not found in this key vault."
            raise Problem(404, "KeyNotFound", message)
        return self.keys[name]

    def version(self, name: str, version: str | None = None) -> Version:
        """One version, the newest where none is named."""
        found = [v for v in self.all(name) if version in (None, v.id)]
        if not found:
            message = f"A key with (name/id) {name}/{version} was not found in this key vault."
            raise Problem(404, "KeyNotFound", message)
        return found[-1]

    def attributes(self, version: Version) -> dict[str, Any]:
        times = {"created": version.created, "updated": version.created}
        return {"enabled": version.enabled, **times, **RECOVERY, "exportable": False}

    def bundle(self, name: str, version: Version) -> dict[str, Any]:
        public = version.private.public_key().public_numbers()
        key = {"kid": f"{self.url}/keys/{name}/{version.id}", "kty": "RSA", "key_ops": version.operations}
        key |= {"n": number(public.n), "e": number(public.e)}
        return {"key": key, "attributes": self.attributes(version), "tags": version.tags}

    def page(self, path: str, rows: list[tuple[str, Version]], query: dict[str, str], sep: str) -> Any:
        size, start = int(query.get("maxresults", PAGE)), int(query.get("$skiptoken", 0))
        items = []
        for name, version in rows[start : start + size]:
            kid = f"{self.url}/keys/{name}" + (f"/{version.id}" if sep else "")
            items.append({"kid": kid, "attributes": self.attributes(version), "tags": version.tags})
        following = None
        if start + size < len(rows):
            following = f"{self.url}/{path}?api-version={query['api-version']}&maxresults={size}"
            following += f"&$skiptoken={start + size}"
        return {"value": items, "nextLink": following}

    # === Changing ===

    def create(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        if not re.fullmatch("[0-9a-zA-Z-]{1,127}", name):
            raise Problem(400, "BadParameter", f"The key name {name} is not valid.")
        if body.get("kty") != "RSA":
            raise Problem(400, "BadParameter", f"Property  has invalid value {body.get('kty')}: kty")
        if name in self.deleted:
            message = (
                f"Key {name} is currently in a deleted but recoverable state, and its name cannot be reused"
            )
            raise Problem(409, "Conflict", message, "ObjectIsDeletedButRecoverable")
        size = body.get("key_size", 2048)
        if size not in (2048, 3072, 4096):
            raise Problem(400, "BadParameter", f"The key size {size} is not valid.")
        made = self.add(name, size, body.get("key_ops") or OPERATIONS, body.get("tags") or {})
        made.enabled = (body.get("attributes") or {}).get("enabled", True)
        return self.bundle(name, made)

    def add(self, name: str, size: int, operations: list[str], tags: dict[str, str]) -> Version:
        private = rsa.generate_private_key(public_exponent=65537, key_size=size)
        made = Version(private, list(operations), tags=dict(tags))
        self.keys.setdefault(name, []).append(made)
        return made

    def update(self, name: str, version: str, body: dict[str, Any]) -> dict[str, Any]:
        found = self.version(name, version)
        found.enabled = (body.get("attributes") or {}).get("enabled", found.enabled)
        found.tags = body.get("tags") or found.tags
        found.operations = body.get("key_ops") or found.operations
        return self.bundle(name, found)

    def wrap(self, verb: str, name: str, version: str, body: dict[str, Any]) -> dict[str, Any]:
        operation = {"wrapkey": "wrapKey", "unwrapkey": "unwrapKey"}[verb]
        found = self.version(name, version)
        if not found.enabled and operation == "unwrapKey":
            message = f"Operation {operation} is not allowed on a disabled key."
            raise Problem(403, "Forbidden", message, "KeyDisabled")
        if operation not in found.operations:
            message = f"Operation {operation} is not permitted on this key."
            raise Problem(403, "Forbidden", message, "KeyOperationForbidden")
        if body.get("alg") != "RSA-OAEP-256":
            raise Problem(400, "BadParameter", f"Property  has invalid value {body.get('alg')}: alg")
        try:
            value = base64.urlsafe_b64decode(body["value"] + "=" * (-len(body["value"]) % 4))
            if operation == "wrapKey":
                out = found.private.public_key().encrypt(value, OAEP_256)
            else:
                out = found.private.decrypt(value, OAEP_256)
        except (KeyError, TypeError, ValueError):
            raise Problem(400, "BadParameter", "The parameter is incorrect.") from None
        return {"kid": f"{self.url}/keys/{name}/{found.id}", "value": base64url(out)}

    def delete(self, name: str) -> dict[str, Any]:
        self.deleted[name] = (self.all(name), int(time.time()))
        del self.keys[name]
        self.policies.pop(name, None)
        return self.deleted_bundle(name)

    def deleted_bundle(self, name: str) -> dict[str, Any]:
        if name not in self.deleted:
            raise Problem(404, "KeyNotFound", f"Deleted Key not found: {name}")
        versions, at = self.deleted[name]
        dates = {"deletedDate": at, "scheduledPurgeDate": at + RECOVERY["recoverableDays"] * DAY_S}
        return {"recoveryId": f"{self.url}/deletedkeys/{name}", **dates, **self.bundle(name, versions[-1])}

    # === Rotation policies: kept, never acted upon ===

    def policy(self, name: str) -> dict[str, Any]:
        created = self.all(name)[0].created
        notify = {"trigger": {"timeBeforeExpiry": "P30D"}, "action": {"type": "Notify"}}
        stored = self.policies.get(name) or {"lifetimeActions": [notify], "attributes": {}}
        times = {"created": created, "updated": created}
        found = {"id": f"{self.url}/keys/{name}/rotationpolicy", **stored}
        return found | {"attributes": {**stored["attributes"], **times}}

    def set_policy(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        self.all(name)
        actions = body.get("lifetimeActions") or []
        for action in actions:
            trigger = {key: value for key, value in action["trigger"].items() if value is not None}
            if len(trigger) != 1 or action["action"]["type"].lower() not in ("rotate", "notify"):
                raise Problem(400, "BadParameter", "The key rotation policy is not valid.")
        expiry = (body.get("attributes") or {}).get("expiryTime")
        attributes = {"expiryTime": expiry} if expiry else {}
        self.policies[name] = {"lifetimeActions": actions, "attributes": attributes}
        return self.policy(name)


def number(value: int) -> str:
    return base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
