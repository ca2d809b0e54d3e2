"""The part of the fake server under `/v1/crypto`. It really seals: with the second implementation.

So a test here proves two things at once: what the package sends is what the format needs, and what it
shows is what was sealed. Unknown fields are refused as the server does.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field

from fake_problems import b64, document, refusal
from fake_records import FakeRecords
from fake_streams import FakeStreams
from starlette.responses import JSONResponse
from starlette.routing import Route
from tutela_forms import from_parts, from_text, key_text, open_parts, to_parts, to_text, unbase64
from tutela_message import BY_NAME, Bound, Head, Refused, parse
from tutela_message import context_key as key_of_context
from tutela_message import open_binary as open_message
from tutela_message import seal as seal_message

FIELDS = {
    "encrypt": {"key", "context", "algorithm", "plaintext", "text", "value", "form", "subject"},
    "decrypt": {"message", "context", "as"},
    "rewrap": {"message", "context", "to_key", "form"},
    "data-keys": {"key", "context", "with_plaintext"},
    "derive": {"context", "version"},
}


@dataclass
class FakeKey:
    name: str
    export: bool = False
    id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    versions: list = field(default_factory=lambda: [secrets.token_bytes(32)])

    def wire(self):
        return {
            "id": key_text(self.id),
            "name": self.name,
            "purposes": ["encrypt", "data-key"],
            "algorithm": "aes-256-gcm",
            "state": "active",
            "version": len(self.versions),
            "min_decryption_version": 1,
            "rotation_schedule": "30 days",
            "export": self.export,
            "created_at": "2026-01-01T00:00:00Z",
            "versions": [],
        }

    def rotate(self):
        self.versions.append(secrets.token_bytes(32))


class FakeCrypto(FakeRecords, FakeStreams):
    def __init__(self):
        self.keys = {name: FakeKey(name, export=name == "exported") for name in ("default", "exported")}
        self.asked = []  # (path after /v1/crypto/, parsed body)
        self.derived = 0
        verbs = {
            "encrypt": self.encrypt,
            "decrypt": self.decrypt,
            "rewrap": self.rewrap,
            "data-keys": self.data_key,
            "records/seal": self.seal_record,
            "records/open": self.open_record,
            "index": self.index,
        }
        self.routes = [
            *(
                Route(f"/v1/crypto/{path}", self.posted(path, do), methods=["POST"])
                for path, do in verbs.items()
            ),
            Route("/v1/crypto/keys", self.list_keys),
            Route("/v1/crypto/keys/{key}", self.read_key),
            Route("/v1/crypto/keys/{key}/derive", self.derive_key, methods=["POST"]),
            Route("/v1/crypto/streams/encrypt", self.stream(self.sealed_stream)),
            Route("/v1/crypto/streams/decrypt", self.stream(self.opened_stream)),
        ]

    def posted(self, path, do):
        """One item or a batch of them; each item of a batch is answered for itself."""

        async def handle(request):
            body = await request.json()
            self.asked.append((path, body))
            if isinstance(body, list):
                return JSONResponse({"results": [self.item(do, one) for one in body]})
            try:
                return JSONResponse(do(body), 201 if path == "data-keys" else 200)
            except Refused as error:
                return refusal(error)

        return handle

    def item(self, do, body):
        try:
            return {"status": 200, **do(body)}
        except Refused as error:
            return {"status": 422, "problem": document(error)}

    # === Keys ===

    def key(self, name):
        for key in self.keys.values():
            if name in (key.name, key_text(key.id)):
                return key
        raise Refused(f"there is no key `{name}`")

    def find(self, key_id, version):
        versions = self.key(key_text(key_id)).versions
        if not 1 <= version <= len(versions):
            raise Refused("no such version")
        return versions[version - 1]

    async def read_key(self, request):
        try:
            return JSONResponse(self.key(request.path_params["key"]).wire())
        except Refused as error:
            return refusal(error, 404, "not-found")

    async def list_keys(self, request):
        first = int(request.query_params.get("cursor", 0))
        items = [key.wire() for key in self.keys.values()]
        more = {"next": str(first + 1)} if first + 1 < len(items) else {}
        return JSONResponse({"items": items[first : first + 1], **more})

    async def derive_key(self, request):
        key, body = self.key(request.path_params["key"]), known("derive", await request.json())
        if not key.export:
            return refusal(Refused("this key does not leave the instance"), 403, "forbidden")
        self.derived += 1
        version = body.get("version", len(key.versions))
        derived = key_of_context(self.find(key.id, version), Bound(body["context"]))
        found = {"key": b64(derived), "key_id": key_text(key.id), "key_version": version}
        return JSONResponse(found)

    # === Messages ===

    def encrypt(self, body):
        known("encrypt", body)
        if sum(name in body for name in ("plaintext", "text", "value")) != 1:
            raise Refused("give one of plaintext, text and value")
        plaintext = body["text"].encode() if "text" in body else unbase64(body["plaintext"])
        key = self.key(body.get("key", "default"))
        return self.sealed(key, plaintext, body.get("context"), body.get("algorithm"), body.get("form"))

    def sealed(self, key, plaintext, context, algorithm=None, form=None):
        suite = BY_NAME.get(algorithm or "aes-256-gcm")
        if suite is None:
            raise Refused("no such algorithm")
        head, bound = Head(suite, key.id, len(key.versions)), Bound(context)
        fresh = secrets.token_bytes(12 if suite.aead is None else 32)
        message = seal_message(head, key.versions[-1], plaintext, bound, fresh)
        forms = {None: to_text, "text": to_text, "binary": b64}
        written = to_parts(message, self.find, bound) if form == "json" else forms[form](message)
        return {"message": written, "key_id": key_text(key.id), "key_version": head.version}

    def opened(self, body):
        message, bound = body["message"], Bound(body.get("context"))
        if isinstance(message, dict):
            return parse(from_parts(message))[0], open_parts(message, self.find, bound)
        binary = from_text(message) if message.startswith("tut1.") else unbase64(message)
        return parse(binary)[0], open_message(binary, self.find, bound)

    def decrypt(self, body):
        head, plaintext = self.opened(known("decrypt", body))
        return {"plaintext": b64(plaintext), "key_id": key_text(head.key_id), "key_version": head.version}

    def rewrap(self, body):
        head, plaintext = self.opened(known("rewrap", body))
        key = self.key(body.get("to_key") or key_text(head.key_id))
        if (key.id, len(key.versions)) == (head.key_id, head.version):
            return {"message": body["message"], "changed": False} | ids(key)
        sealed = self.sealed(key, plaintext, body.get("context"), head.suite.name, body.get("form"))
        return sealed | {"changed": True}

    def data_key(self, body):
        known("data-keys", body)
        made = secrets.token_bytes(32)
        found = self.sealed(self.key(body.get("key", "default")), made, body.get("context"))
        found["wrapped"] = found.pop("message")
        return found | ({"plaintext": b64(made)} if body.get("with_plaintext") else {})


def known(path, body):
    if set(body) - FIELDS[path]:
        raise Refused(f"unknown fields: {sorted(set(body) - FIELDS[path])}")
    context = body.get("context")
    if isinstance(context, str) and re.match("tky_", context):
        raise Refused("a context may not begin with `tky_`")
    return body


def ids(key):
    return {"key_id": key_text(key.id), "key_version": len(key.versions)}
