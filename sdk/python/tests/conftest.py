"""The fake server and the three frameworks, as fixtures."""

from __future__ import annotations

import httpx
import pytest
from apps import FRAMEWORKS, make_app
from fake import FakeTutela

from tutela import SecurityManager, Tutela


@pytest.fixture
def fake(monkeypatch):
    for name in ("TUTELA_URL", "TUTELA_API_KEY", "TUTELA_AUDIENCE", "TUTELA_ISSUER"):
        monkeypatch.delenv(name, raising=False)
    return FakeTutela()


@pytest.fixture
def client(fake):
    return Tutela(api_key=fake.key, transport=httpx.ASGITransport(app=fake.app), retries=1)


@pytest.fixture
def security(client):
    return SecurityManager(client=client, audience="photos")


@pytest.fixture(params=FRAMEWORKS)
def app(request, security):
    return make_app(request.param, security)


@pytest.fixture
def browse(app):
    """Send a request through the app as the gateway would; `token` becomes the identity header."""

    async def send(path, token=None, method="GET", headers=()):
        given = [*headers] if token is None else [("tutela-identity", token), *headers]
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False, client=("192.0.2.9", 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://photos.localhost") as http:
            return await http.request(method, path, headers=given)

    return send
