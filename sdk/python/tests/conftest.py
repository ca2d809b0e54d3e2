"""The fake server and the three frameworks, as fixtures."""

from __future__ import annotations

import httpx
import pytest
from apps import FRAMEWORKS, make_app
from fake import FakeTutela

from tutela import MFA, SecurityManager, Tutela


@pytest.fixture
def fake(monkeypatch):
    for name in ("TUTELA_URL", "TUTELA_API_KEY", "TUTELA_AUDIENCE", "TUTELA_ISSUER"):
        monkeypatch.delenv(name, raising=False)
    return FakeTutela()


@pytest.fixture
def client(fake):
    return Tutela(api_key=fake.key, transport=httpx.ASGITransport(app=fake.app), retries=1)


@pytest.fixture
def session_config():
    """What the application states; tests put other things in its place."""
    return {}


@pytest.fixture
def declared():
    """The arguments of `MFA`; tests put others in their place."""
    return {"providers": ["totp", "sms"]}


@pytest.fixture
def security(client, session_config):
    return SecurityManager(client=client, audience="photos", session_config=session_config)


@pytest.fixture
def mfa(client, declared):
    return MFA(client=client, **declared)


@pytest.fixture(params=FRAMEWORKS)
def app(request, security, mfa):
    return make_app(request.param, security, mfa)


@pytest.fixture
def browse(app):
    """Send a request through the app as the gateway would; `token` becomes the identity header."""

    async def send(path, token=None, method="GET", headers=()):
        given = [*headers] if token is None else [("tutela-identity", token), *headers]
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False, client=("192.0.2.9", 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://photos.localhost") as http:
            return await http.request(method, path, headers=given)

    return send
