"""`SecurityManager`, its decorators and the key cache."""

from __future__ import annotations

import pytest
from fake import ACCOUNT
from starlette.requests import Request

from tutela import (
    Anonymous,
    AuthProvider,
    ExternalId,
    Guard,
    SecurityManager,
    Unauthenticated,
    Unavailable,
    User,
    current_user,
)
from tutela.jwks import KeyRing


def test_known_arguments_are_taken(client):
    security = SecurityManager(
        auth_providers=["oauth2", AuthProvider.SAML, "openid"],
        session_config={
            "timeout": 1800,
            "refresh_enabled": True,
            "secure": True,
            "http_only": True,
            "access_token": "15m",
        },
        client=client,
    )
    assert security.auth_providers == (AuthProvider.OAUTH2, AuthProvider.SAML, AuthProvider.OPENID)
    assert security.session_config["timeout"] == 1800


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"auth_providers": ["oauth"]}, "auth_providers.*oauth.*did you mean `oauth2`.*openid.*saml"),
        ({"auth_providers": ["saml", "saml"]}, "auth_providers.*saml.*twice"),
        ({"auth_providers": "saml"}, "auth_providers.*list"),
        ({"session_config": {"timeuot": 1}}, "session_config.*timeuot.*did you mean `timeout`.*http_only"),
        ({"session_config": {"timeout": 0}}, "session_config.timeout.*seconds"),
        ({"session_config": {"timeout": True}}, "session_config.timeout.*seconds"),
        ({"session_config": {"timeout": "3600"}}, "session_config.timeout.*seconds"),
        ({"session_config": {"secure": "yes"}}, "session_config.secure.*true or false"),
        ({"session_config": {"access_token": "quarter"}}, "session_config.access_token.*15m"),
    ],
)
def test_wrong_arguments_are_named(client, arguments, words):
    with pytest.raises(ValueError, match=words):
        SecurityManager(client=client, **arguments)


def test_a_guard_without_an_audience_does_not_start(client, monkeypatch):
    monkeypatch.delenv("TUTELA_AUDIENCE", raising=False)
    with pytest.raises(ValueError, match="audience"):
        Guard(None, security=SecurityManager(client=client))
    monkeypatch.setenv("TUTELA_AUDIENCE", "photos")
    Guard(None, security=SecurityManager(client=client))


async def test_permissions_of_users_accounts_and_external_ids(security, fake):
    fake.grants.add(("photos:42", "photos:delete", "photo/7"))
    assert await security.has_permission(User(id=ACCOUNT), "admin")
    assert await security.has_permission(ACCOUNT, "admin")
    assert await security.has_permission(ExternalId("photos", 42), "photos:delete", resource="photo/7")
    assert not await security.has_permission(ExternalId("photos", 42), "photos:delete")
    asked = len(fake.questions)
    assert not await security.has_permission(Anonymous(), "admin")
    assert not await security.has_permission(None, "admin")
    assert len(fake.questions) == asked
    with pytest.raises(ValueError):
        await security.has_permission(ACCOUNT, "")
    fake.down = True
    with pytest.raises(Unavailable):
        await security.has_permission(ACCOUNT, "admin")


async def test_recording_outside_of_a_request(security, fake):
    await security.audit_log.record("backup_made", metadata={"size": 1}, where="disk")
    assert fake.events[0][0] == {"type": "backup_made", "metadata": {"size": 1, "where": "disk"}}


async def test_what_could_not_be_recorded_raises(security, fake):
    fake.down = True
    with pytest.raises(Unavailable):
        await security.audit_log.record("secure_access")


def request_with(*headers):
    return Request({"type": "http", "method": "GET", "path": "/", "headers": list(headers)})


async def test_without_a_guard_the_decorator_verifies_itself(security, fake):
    @security.authenticate
    async def handler(request):
        return request.user.name, current_user().id

    good = request_with((b"tutela-identity", fake.token().encode()))
    assert await handler(good) == ("Ada Lovelace", ACCOUNT)
    assert isinstance(current_user(), Anonymous)
    for wrong in (request_with(), request_with((b"tutela-identity", b"a.b.c")), object()):
        with pytest.raises(Unauthenticated):
            await handler(wrong)


async def test_another_middlewares_user_does_not_stay(security, fake):
    @security.authenticate
    async def handler(request):
        return request.user.id

    request = request_with((b"tutela-identity", fake.token().encode()))
    request.scope["user"] = User(id="invented")
    assert await handler(request) == ACCOUNT


async def test_a_websocket_is_refused_before_it_opens(security, fake):
    async def app(scope, receive, send):
        assert scope["user"].id == ACCOUNT
        await receive()
        await send({"type": "websocket.accept"})

    async def run(*headers):
        sent = []

        async def receive():
            return {"type": "websocket.connect"}

        async def send(message):
            sent.append(message)

        await Guard(app, security=security)({"type": "websocket", "headers": list(headers)}, receive, send)
        return sent

    assert await run((b"tutela-identity", fake.token().encode())) == [{"type": "websocket.accept"}]
    assert (await run((b"tutela-identity", b"a.b.c")))[0]["code"] == 1008


async def test_an_answer_that_has_begun_is_not_answered_again(security):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise Unauthenticated()

    sent = []

    async def send(message):
        sent.append(message["type"])

    with pytest.raises(Unauthenticated):
        await Guard(app, security=security)({"type": "http", "headers": []}, None, send)
    assert sent == ["http.response.start"]


@pytest.mark.parametrize(
    ("headers", "peer", "expected"),
    [
        ([(b"x-forwarded-for", b"10.0.0.1, 203.0.113.7")], ("192.0.2.1", 1), "203.0.113.7"),
        ([(b"x-forwarded-for", b"10.0.0.1"), (b"X-Forwarded-For", b"2001:DB8::7")], None, "2001:db8::7"),
        ([(b"x-forwarded-for", b"203.0.113.7, unknown")], ("192.0.2.1", 1), "192.0.2.1"),
        ([], ("192.0.2.1", 1), "192.0.2.1"),
        ([], ("/run/app.sock", 0), None),
        ([], None, None),
    ],
)
async def test_the_visitors_address(security, fake, headers, peer, expected):
    async def app(scope, receive, send):
        await security.audit_log.record("seen")

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": headers, "client": peer}
    await Guard(app, security=security)(scope, None, None)
    assert fake.events[0][0].get("source", {}).get("ip") == expected


async def test_a_new_key_works_and_invented_keys_cost_little(client, fake):
    now, fetched = [1000.0], []

    async def fetch():
        fetched.append(now[0])
        return keys

    keys = await client.jwks()
    ring = KeyRing(fetch, clock=lambda: now[0])
    assert await ring.find("gateway-1") is not None
    for number in range(50):
        assert await ring.find(f"invented-{number}") is None
    assert fetched == [1000.0]
    fake.kid = "gateway-2"
    keys = await client.jwks()
    now[0] += 10
    assert await ring.find("gateway-2") is not None
    # The old key is gone from the document, so it is gone here.
    assert await ring.find("gateway-1") is None
    assert fetched == [1000.0, 1010.0]
    now[0] += 299
    assert await ring.find("gateway-2") is not None
    assert len(fetched) == 2
    now[0] += 1
    assert await ring.find("gateway-2") is not None
    assert len(fetched) == 3


async def test_stale_keys_are_not_used_when_the_server_is_gone():
    now, calls = [0.0], []

    async def fetch():
        calls.append(now[0])
        raise Unavailable()

    ring = KeyRing(fetch, clock=lambda: now[0])
    for _ in range(5):
        with pytest.raises(Unavailable):
            await ring.find("a")
    assert len(calls) == 1
    now[0] += 1
    with pytest.raises(Unavailable):
        await ring.find("a")
    assert len(calls) == 2


@pytest.mark.parametrize(
    "document",
    [None, [], {}, {"keys": {}}, {"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "AA"}]}],
)
async def test_a_document_that_is_no_jwks_is_no_answer(document):
    async def fetch():
        return document

    with pytest.raises(Unavailable):
        await KeyRing(fetch).find("a")


def test_local_permissions_of_a_token():
    user = User(id="a", permissions=("photos:*", "wiki:read"))
    assert user.has_permission("photos:delete")
    assert user.has_permission("wiki:read")
    assert not user.has_permission("wiki:write")
    assert not user.has_permission("photosets:read")
    assert not Anonymous().has_permission("photos:read")
