"""What an application counts on in how people sign in, and the comparison with the server."""

from __future__ import annotations

import logging

import httpx
import pytest
from test_security import request_with

from tutela import MFA, Corrupt, Guard, IdentityMismatch, SecurityManager, Tutela, Unavailable
from tutela.settings import span_seconds

ALL = {
    "timeout": 3600,
    "refresh_enabled": True,
    "secure": True,
    "http_only": True,
    "access_token": "15m",
}
# Section, what the server has, what is declared, and what the error says of it.
DIFFERENCES = {
    "timeout": ("session", {"timeout": 1800}, {"timeout": 3600}, "1800 there", "3600 here"),
    "timeout_shorter": ("session", {"timeout": 3600}, {"timeout": 900}, "3600 there", "900 here"),
    "refresh_enabled": (
        "session",
        {"refresh_enabled": False},
        {"refresh_enabled": True},
        "false there",
        "true here",
    ),
    "secure": ("session", {"secure": False}, {"secure": True}, "false there", "true here"),
    "not_secure": ("session", {"secure": True}, {"secure": False}, "true there", "false here"),
    "http_only": ("session", {"http_only": False}, {"http_only": True}, "false there", "true here"),
    "access_token": (
        "session",
        {"access_token": "1h"},
        {"access_token": "15m"},
        '"1h" there',
        '"15m" here',
    ),
    "providers": (
        "mfa",
        {"providers": ["totp", "email"]},
        {"providers": ["totp", "sms"]},
        r'\["totp", "email"\] there',
        r'\["totp", "sms"\] here',
    ),
    "required_factors": ("mfa", {"required_factors": 1}, {"required_factors": 2}, "1 there", "2 here"),
    "required_factors_more": ("mfa", {"required_factors": 2}, {"required_factors": 1}, "2 there", "1 here"),
    "remember_device": (
        "mfa",
        {"remember_device": False},
        {"remember_device": True},
        "false there",
        "true here",
    ),
    "no_remembering": (
        "mfa",
        {"remember_device": True},
        {"remember_device": False},
        "true there",
        "false here",
    ),
}


@pytest.fixture
def enter(client, fake):
    """Call a guarded handler for somebody who proved two factors."""

    async def call(section, declared):
        session_config, arguments = (declared, {}) if section == "session" else ({}, declared)
        security = SecurityManager(session_config=session_config, client=client, audience="photos")
        mfa = MFA(client=client, **arguments)

        @security.authenticate
        @mfa.require
        async def handler(request):
            return request.user.name

        def again():
            token = fake.token(acr="aal2", amr=["mfa", "otp", "pwd"])
            return handler(request_with((b"tutela-identity", token.encode())))

        again.comparison = security.comparison if section == "session" else mfa.comparison
        return again

    return call


def asked(fake):
    return [path for _, path, _ in fake.requests].count("/v1/identity/settings")


@pytest.mark.parametrize("case", DIFFERENCES)
async def test_a_server_that_is_set_up_otherwise_lets_nobody_in_and_that_is_said(enter, fake, case, caplog):
    section, server, declared, there, here = DIFFERENCES[case]
    fake.identity[section] |= server
    [name] = declared
    call = await enter(section, declared)
    for _ in range(2):
        words = rf"`{name}` is {there}, where `\[identity.{section}\] {name}` sets it, and {here}$"
        with pytest.raises(IdentityMismatch, match=words) as caught:
            await call()
    assert caught.value.status == 409
    assert len(caught.value.differences) == 1
    assert asked(fake) == 1, "an answer is remembered for a while"
    # How the instance is set up is not the visitor's business, but the operator's.
    told = caught.value.for_visitor()
    assert (told.status, told.detail) == (500, None)
    assert [(r.levelname, r.name, r.message) for r in caplog.records] == [
        ("ERROR", "tutela.identity", str(caught.value))
    ]


@pytest.mark.parametrize("case", DIFFERENCES)
async def test_what_is_not_declared_is_not_compared(enter, fake, case):
    section, server, declared, _, _ = DIFFERENCES[case]
    fake.identity[section] |= server
    others = ALL if section == "session" else {"providers": ["totp"], "required_factors": 2}
    others = {name: value for name, value in others.items() if name not in server}
    assert await (await enter(section, others))() == "Ada Lovelace"
    assert asked(fake) == 1


@pytest.mark.parametrize(
    ("section", "server", "declared"),
    [
        ("session", {}, ALL),
        ("session", {"access_token": "1h"}, {"access_token": "60m"}),
        ("session", {"access_token": "15m"}, {"access_token": "900 s"}),
        ("mfa", {}, {"providers": ["totp", "sms", "email"], "required_factors": 2, "remember_device": True}),
        ("mfa", {"providers": ["email", "totp", "a_way_of_later"]}, {"providers": ["totp", "email"]}),
        ("mfa", {"required_factors": 1}, {"providers": ["totp"]}),
    ],
)
async def test_a_server_that_is_set_up_so_is_asked_once(enter, fake, section, server, declared):
    fake.identity[section] |= server
    call = await enter(section, declared)
    for _ in range(3):
        assert await call() == "Ada Lovelace"
    assert asked(fake) == 1


async def test_every_difference_is_named(enter, fake):
    fake.identity["session"] |= {"secure": False, "http_only": False}
    with pytest.raises(IdentityMismatch) as caught:
        await (await enter("session", ALL))()
    assert [text.split()[0] for text in caught.value.differences] == ["`secure`", "`http_only`"]


async def test_ways_in_from_elsewhere_that_the_server_has_not_switched_on_are_named(client, fake):
    fake.identity["providers"] = ["openid"]
    security = SecurityManager(auth_providers=["oauth2", "openid", "saml"], client=client, audience="photos")
    with pytest.raises(IdentityMismatch) as caught:
        await security.ready()
    assert caught.value.differences == (
        "`oauth2` is not in `[identity] providers` there",
        "`saml` is not in `[identity] providers` there",
    )
    # More of them there do no harm.
    fewer = SecurityManager(auth_providers=["openid"], client=client, audience="photos")
    await fewer.ready()


async def test_who_declares_nothing_asks_nothing(enter, fake):
    for section in ("session", "mfa"):
        assert await (await enter(section, {}))() == "Ada Lovelace"
    assert asked(fake) == 0


@pytest.mark.parametrize("case", ["timeout", "required_factors"])
async def test_a_server_that_is_put_right_is_noticed(enter, fake, case):
    section, server, declared, _, _ = DIFFERENCES[case]
    right = dict(fake.identity[section])
    fake.identity[section] |= server
    call = await enter(section, declared)
    with pytest.raises(IdentityMismatch):
        await call()
    fake.identity[section] = right
    now = call.comparison._clock()
    call.comparison._clock = lambda: now + 59
    with pytest.raises(IdentityMismatch):
        await call()
    call.comparison._clock = lambda: now + 61
    assert await call() == "Ada Lovelace"


@pytest.mark.parametrize(("section", "declared"), [("session", ALL), ("mfa", {"providers": ["totp"]})])
async def test_while_there_is_no_answer_nobody_gets_in(enter, fake, section, declared):
    call = await enter(section, declared)
    # The keys are known, so that only the settings are missing.
    fake.answers = [None, 503, 503]
    with pytest.raises(Unavailable):
        await call()
    assert await call() == "Ada Lovelace"
    fake.down = True
    assert await call() == "Ada Lovelace", "what was compared stays compared"


@pytest.mark.parametrize(("section", "declared"), [("session", ALL), ("mfa", {"providers": ["totp"]})])
async def test_a_key_that_may_not_ask_still_works_and_the_log_says_so(enter, fake, section, declared, caplog):
    for status, kind in ((403, "PermissionDenied"), (404, "NotFound")):
        caplog.clear()
        call = await enter(section, declared)
        fake.answers = [None, status]
        with caplog.at_level(logging.WARNING, "tutela.identity"):
            for _ in range(2):
                assert await call() == "Ada Lovelace"
        assert [record.message for record in caplog.records] == [
            f"the identity settings were not compared with the server: {kind}"
        ]


async def test_without_a_good_key_of_its_own_an_application_lets_nobody_in(fake):
    for key in (None, "tck_other"):
        client = Tutela(api_key=key, transport=httpx.ASGITransport(app=fake.app))
        security = SecurityManager(session_config=ALL, client=client, audience="photos")
        status = await visit(security, (b"tutela-identity", fake.token().encode()))
        assert status == 503


async def visit(security, *headers):
    """The status of a public page behind `Guard`."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": list(headers)}
    await Guard(app, security=security)(scope, None, send)
    return sent[0]["status"]


async def test_a_guard_compares_before_anybody_signed_in_passes_and_lets_nobody_pass_as_nobody(client, fake):
    security = SecurityManager(session_config=ALL, client=client, audience="photos")
    fake.identity["session"]["http_only"] = False
    signed_in = (b"tutela-identity", fake.token().encode())
    assert await visit(security) == 200
    assert asked(fake) == 0, "nobody has no session that could differ"
    assert await visit(security, signed_in) == 500
    fake.identity["session"]["http_only"] = True
    security = SecurityManager(session_config=ALL, client=client, audience="photos")
    assert await visit(security, signed_in) == 200


# === The plain client ===


async def test_the_settings_of_the_server_are_read(client, fake):
    found = await client.identity_settings()
    assert (found.profile, found.public_url, found.providers) == (
        "nist",
        "http://tutela.localhost:8080",
        ("oauth2", "openid", "saml"),
    )
    assert vars(found.session) == ALL
    assert found.mfa.providers == ("totp", "sms", "email")
    assert (found.mfa.required_factors, found.mfa.remember_device, found.mfa.passkeys) == (2, True, True)
    assert found.limits["login"] == {"attempts": 5, "window": "1h", "lockout": "1d"}
    with pytest.raises(AttributeError):
        found.profile = "legacy"
    assert fake.requests[0][:2] == ("GET", "/v1/identity/settings")


@pytest.mark.parametrize(
    "broken",
    [
        {"profile": None},
        {"public_url": 7},
        {"providers": "google"},
        {"session": []},
        {"session": {}},
        {"session": {**ALL, "timeout": "3600"}},
        {"session": {**ALL, "timeout": True}},
        {"session": {**ALL, "secure": 1}},
        {"session": {**ALL, "access_token": "soon"}},
        {"mfa": {"providers": [], "required_factors": "2", "remember_device": True, "passkeys": True}},
        {"mfa": {"providers": [], "required_factors": 2, "remember_device": None, "passkeys": True}},
        {"limits": None},
    ],
)
async def test_settings_that_are_none_are_corrupt_and_let_nobody_in(client, fake, enter, broken):
    fake.identity |= broken
    with pytest.raises(Corrupt):
        await client.identity_settings()
    with pytest.raises(Corrupt):
        await (await enter("session", {"timeout": 3600}))()


def test_lengths_of_time_are_compared_and_not_their_texts():
    assert span_seconds("24h") == span_seconds("1d") == 86_400
    assert span_seconds("60m") == span_seconds("1 h") == 3600
    assert span_seconds("90s") == 90
    with pytest.raises(ValueError, match="length of time"):
        span_seconds("soon")
