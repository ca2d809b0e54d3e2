"""The wire of tutela in one process: public keys, identity tokens, events, permissions, and what seals.

It answers only what the API promises, refuses unknown fields as the server does, and keeps what it got.
"""

from __future__ import annotations

import base64
import json
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fake_crypto import FakeCrypto
from fake_ledger import FakeLedger
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

ISSUER = "http://tutela.localhost:8080"
ACCOUNT = "01980000-0000-7000-8000-000000000001"
EVENT_FIELDS = {"type", "time", "action", "outcome", "reason", "actor", "resource", "source", "metadata"}
EVENT_FIELDS |= {"request", "subject"}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class FakeTutela:
    def __init__(self):
        self.key = "tck_fake"
        self.signer = Ed25519PrivateKey.generate()
        self.kid = "gateway-1"
        self.down = False  # the whole server answers 503
        self.answers = []  # statuses to answer before behaving, oldest first
        self.events = []  # (event, idempotency key)
        self.requests = []  # (method, path, headers)
        self.questions = []
        self.grants = {(ACCOUNT, "admin", None)}
        self.identity = identity_settings()
        self.crypto = FakeCrypto()
        self.ledger = FakeLedger(self.events)
        self.app = Starlette(
            routes=[
                Route("/.well-known/jwks.json", self._jwks),
                Route("/v1/events", self._record, methods=["POST"]),
                *self.ledger.routes,
                Route("/v1/events/{id}", self._event),
                Route("/v1/ledger/{what}", self._ledger),
                Route("/v1/permissions/check", self._check, methods=["POST"]),
                Route("/v1/identity/settings", self._identity),
                Route("/v1/tokens/introspect", self._introspect, methods=["POST"]),
                *self.crypto.routes,
            ]
        )
        inner = self.app

        async def watched(scope, receive, send):
            headers = {k.decode(): v.decode() for k, v in scope["headers"]}
            self.requests.append((scope["method"], scope["path"], headers))
            early = self.answers.pop(0) if self.answers else (503 if self.down else None)
            if early is None and scope["path"].startswith("/v1/"):
                if headers.get("authorization") != f"Bearer {self.key}":
                    early = 401
            if early is not None:
                await problem(early, "told so by the test")(scope, receive, send)
                return
            await inner(scope, receive, send)

        self.app = watched

    def token(self, signer=None, header=None, **claims) -> str:
        """An identity token as the gateway makes it; keywords change claims, None removes one."""
        now = int(time.time())
        body = {
            "iss": ISSUER,
            "aud": "photos",
            "sub": ACCOUNT,
            "sid": "01980000-0000-7000-8000-00000000000a",
            "name": "Ada Lovelace",
            "email": "ada@example.org",
            "roles": ["admin"],
            "permissions": ["photos:*"],
            "acr": "aal1",
            "amr": ["pwd"],
            "auth_time": now,
            "iat": now,
            "exp": now + 60,
            **claims,
        }
        body = {name: value for name, value in body.items() if value is not None}
        head = {"alg": "EdDSA", "typ": "tutela-identity+jwt", "kid": self.kid, **(header or {})}
        signed = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(body).encode())}"
        return f"{signed}.{b64((signer or self.signer).sign(signed.encode()))}"

    async def _jwks(self, request):
        x = self.signer.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        other = {"kty": "RSA", "kid": "rsa", "n": "AQAB", "e": "AQAB"}
        key = {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": self.kid, "x": b64(x)}
        return JSONResponse({"keys": [other, key]})

    async def _record(self, request):
        body = await request.json()
        results = [self._take(event, request) for event in (body if isinstance(body, list) else [body])]
        if isinstance(body, list):
            return JSONResponse({"results": results})
        if results[0]["status"] != 201:
            return JSONResponse(results[0]["problem"], 400, media_type="application/problem+json")
        place = {"position": results[0]["id"].removeprefix("event-"), "leaf": "00" * 32}
        waited = place if request.query_params.get("wait") == "sequenced" else {}
        return JSONResponse({"id": results[0]["id"], **waited}, 201)

    def _take(self, event, request):
        if set(event) - EVENT_FIELDS or not event.get("type") or " " in event["type"]:
            detail = "`type` is not a name"
            return {"status": 400, "problem": document(400, detail, [{"field": "type", "message": detail}])}
        self.events.append((event, request.headers["idempotency-key"]))
        return {"status": 201, "id": f"event-{len(self.events) - 1}"}

    async def _event(self, request):
        position = int(request.path_params["id"].removeprefix("event-"))
        if position >= len(self.events):
            return problem(404, "no such event")
        return JSONResponse(self.ledger.stored(position))

    async def _ledger(self, request):
        return PlainTextResponse(f"{request.path_params['what']} {request.query_params.get('event', '')}")

    async def _check(self, request):
        question = await request.json()
        self.questions.append(question)
        subject = question["subject"]
        who = subject if isinstance(subject, str) else f"{subject['namespace']}:{subject['value']}"
        allowed = (who, question["permission"], question.get("resource")) in self.grants
        return JSONResponse({"allowed": allowed, "reason": "the test says so"})

    async def _identity(self, request):
        return JSONResponse(self.identity)

    async def _introspect(self, request):
        good = (await request.json())["token"] == "good"
        return JSONResponse(
            {"active": True, "sub": ACCOUNT, "roles": ["admin"]} if good else {"active": False}
        )


def identity_settings():
    login = {"attempts": 5, "window": "1h", "lockout": "1d"}
    return {
        "profile": "nist",
        "public_url": ISSUER,
        "providers": ["oauth2", "openid", "saml"],
        "session": {
            "timeout": 3600,
            "refresh_enabled": True,
            "secure": True,
            "http_only": True,
            "access_token": "15m",
        },
        "mfa": {
            "providers": ["totp", "sms", "email"],
            "required_factors": 2,
            "remember_device": True,
            "passkeys": True,
        },
        "limits": {"login": login},
    }


def document(status, detail, errors=()):
    names = {
        400: "invalid",
        401: "unauthenticated",
        403: "forbidden",
        404: "not-found",
        409: "conflict",
        429: "rate-limited",
        500: "internal",
        503: "unavailable",
    }
    found = {"type": f"urn:tutela:problem:{names[status]}", "title": "t", "status": status, "detail": detail}
    return {**found, "errors": list(errors)} if errors else found


def problem(status, detail):
    return JSONResponse(document(status, detail), status, media_type="application/problem+json")
