"""`MFA`: its arguments, what is enough, and what whoever has not proved enough is told."""

from __future__ import annotations

import time
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import documents
import pytest
from fake import ACCOUNT
from test_security import request_with

from tutela import MFA as SAME
from tutela import Anonymous, Guard, MFARequired, PermissionDenied, SecurityManager, Unauthenticated, User
from tutela.auth import MFA, AuthProvider
from tutela.context import CURRENT, RequestContext, local_path, read_request

TOTP, SMS, EMAIL, PASSKEY, SYNCED, RECOVERY = "otp", "sms", "email", "hwk", "swk", "recovery"


@pytest.fixture
def attempt(client, fake, monkeypatch):
    """Call a handler for somebody with these claims; returns what it does, or the error.

    The server is set up as the arguments say.
    """

    async def call(arguments, amr, *, acr="aal1", age=0, return_to="/vault"):
        given = {name: value for name, value in arguments.items() if value is not None and name != "max_age"}
        fake.identity["mfa"] |= given
        monkeypatch.setattr(time, "time", lambda: 1_000_000.0)
        user = User(id="ada", acr=acr, amr=tuple(amr), auth_time=1_000_000 - age)
        token = CURRENT.set(RequestContext(user, None, None, "GET", "/vault", return_to))

        @MFA(client=client, **arguments).require
        async def handler():
            return "in"

        try:
            return await handler()
        except MFARequired as error:
            return error
        finally:
            CURRENT.reset(token)

    return call


def test_the_arguments_and_what_holds_without_them(client):
    assert SAME is MFA and AuthProvider.SAML == "saml"
    mfa = MFA(["sms", "totp"], 1, False, client, "5m")
    assert (mfa.providers, mfa.required_factors, mfa.remember_device) == (("sms", "totp"), 1, False)
    assert (mfa.client, mfa.max_age) == (client, 300)
    mfa = MFA(client=client)
    assert (mfa.providers, mfa.required_factors, mfa.remember_device) == (("totp", "sms", "email"), 2, True)
    assert mfa.max_age is None
    assert MFA(client=client, max_age=30).max_age == 30


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"providers": ["topt"]}, "providers.*`topt`.*did you mean `totp`.*sms.*email"),
        ({"providers": ["passkey"]}, "providers.*unknown `passkey`"),
        ({"providers": ["sms", "sms"]}, "providers.*sms.*twice"),
        ({"providers": "totp"}, "providers.*list"),
        ({"providers": {"totp": True}}, "providers.*list"),
        ({"providers": 2}, "providers.*list"),
        ({"providers": [["totp"]]}, "providers.*unknown"),
        ({"required_factors": 0}, "required_factors.*1 or 2, not 0"),
        ({"required_factors": 3}, "required_factors.*1 or 2, not 3"),
        ({"required_factors": True}, "required_factors.*1 or 2, not True"),
        ({"required_factors": "2"}, "required_factors.*1 or 2"),
        ({"required_factors": 2.0}, "required_factors.*1 or 2"),
        ({"remember_device": 1}, "remember_device.*true or false, not 1"),
        ({"remember_device": "yes"}, "remember_device.*true or false"),
        ({"max_age": "soon"}, "max_age.*5m.*not 'soon'"),
        ({"max_age": True}, "max_age.*seconds"),
        ({"max_age": 0}, "max_age.*seconds"),
        ({"max_age": 1.5}, "max_age.*seconds"),
        ({"max_age": 29}, "max_age.*at least 30 seconds, not 29"),
        ({"max_age": "20s"}, "max_age.*at least 30 seconds, not '20s'"),
    ],
)
def test_wrong_arguments_are_named(client, arguments, words):
    with pytest.raises(ValueError, match=words):
        MFA(client=client, **arguments)


# === What is enough ===

ONE, BOTH = {"required_factors": 1}, {"required_factors": 2}


@pytest.mark.parametrize("factors", [1, 2])
@pytest.mark.parametrize("amr", [(), ("pwd",), ("pwd", SMS), (PASSKEY,), (PASSKEY, "user"), (TOTP, SMS)])
async def test_one_factor_is_enough_where_one_is_asked_for(attempt, factors, amr):
    found = await attempt({"required_factors": factors, "remember_device": False}, amr)
    assert (found == "in") == (factors == 1)


@pytest.mark.parametrize("method", [TOTP, SMS, EMAIL, PASSKEY, SYNCED, RECOVERY])
@pytest.mark.parametrize("providers", [[], ["totp"], ["sms"], ["email"], ["totp", "sms", "email"]])
async def test_a_second_factor_counts_where_it_is_accepted(attempt, method, providers):
    accepted = {PASSKEY, SYNCED, RECOVERY} | {{"totp": TOTP}.get(name, name) for name in providers}
    acr = "aal1" if method == EMAIL else "aal2"
    found = await attempt({"providers": providers}, ["pwd", method, "mfa"], acr=acr)
    assert (found == "in") == (method in accepted)
    assert await attempt({}, ["pwd", method, "mfa"], acr=acr) == "in"


@pytest.mark.parametrize("remember", [True, False, None])
async def test_a_remembered_device_spares_the_second_factor_where_that_is_accepted(attempt, remember):
    found = await attempt({"providers": ["totp"], "remember_device": remember}, ["pwd", "remembered"])
    assert (found == "in") == (remember is not False)
    # It spares neither what has to be fresh nor what was never proved.
    assert await attempt({"remember_device": remember, "max_age": 60}, ["pwd", "remembered"], age=61) != "in"
    assert await attempt({"remember_device": remember}, ["pwd"]) != "in"


@pytest.mark.parametrize("limit", [300, "300s", "5m", "5 m"])
@pytest.mark.parametrize("factors", [1, 2])
async def test_a_proof_may_not_be_older_than_asked_for(attempt, limit, factors):
    given = {"max_age": limit, "required_factors": factors}
    amr = ["pwd", TOTP, "mfa"]
    assert await attempt(given, amr, acr="aal2", age=300) == "in"
    refused = await attempt(given, amr, acr="aal2", age=301)
    assert "too long ago" in refused.detail
    assert await attempt({"required_factors": factors}, amr, acr="aal2", age=10**6) == "in"


async def test_a_token_of_before_these_claims_is_one_factor_at_no_known_time(attempt):
    assert User(id="ada").amr == () and User(id="ada").acr == "aal1" and User(id="ada").auth_time == 0
    assert await attempt(BOTH, (), age=1_000_000) != "in"
    assert await attempt({**ONE, "max_age": "30d"}, (), age=1_000_000) == "in"
    assert await attempt({**ONE, "max_age": "5m"}, (), age=1_000_000) != "in"
    assert (Anonymous().acr, Anonymous().amr, Anonymous().auth_time) == ("", (), 0)


# === What the others are told ===


def query(error):
    path, _, rest = error.challenge.partition("?")
    assert path == "/_tutela/step-up"
    return {name: value for name, [value] in parse_qs(rest, strict_parsing=True).items()}


async def test_who_proved_too_little_is_told_the_way(attempt):
    error = await attempt({"providers": ["totp"]}, ["pwd"], return_to="/vault?a=1&b=%20")
    assert isinstance(error, Unauthenticated)
    assert error.problem == {
        "type": "urn:tutela:problem:mfa-required",
        "title": "more proof is required",
        "status": 401,
        "detail": "prove by a second factor who you are",
        "challenge": "/_tutela/step-up?return_to=/vault%3Fa%3D1%26b%3D%2520&acr=aal2&factors=2",
    }
    assert error.www_authenticate == 'Bearer error="insufficient_user_authentication", acr_values="aal2"'
    assert error.challenge == error.problem["challenge"] and error.leads
    assert error.for_visitor() is error
    assert query(error)["return_to"] == "/vault?a=1&b=%20"


async def test_who_proved_it_too_long_ago_is_told_how_fresh_it_must_be(attempt):
    error = await attempt({"providers": ["totp"], "max_age": "5m"}, ["pwd", TOTP, "mfa"], age=400)
    assert query(error) == {"return_to": "/vault", "acr": "aal2", "factors": "2", "max_age": "300"}
    assert error.www_authenticate == (
        'Bearer error="insufficient_user_authentication", acr_values="aal2", max_age="300"'
    )
    error = await attempt({**ONE, "max_age": "5m"}, ["pwd"], age=400)
    assert query(error) == {"return_to": "/vault", "factors": "1", "max_age": "300"}
    assert error.www_authenticate == 'Bearer error="insufficient_user_authentication", max_age="300"'


async def test_where_mail_is_accepted_no_level_is_asked_for_that_mail_cannot_reach(attempt):
    error = await attempt({"providers": ["totp", "email"]}, ["pwd"])
    assert query(error) == {"return_to": "/vault", "factors": "2"}


@pytest.mark.parametrize(
    ("limit", "age", "asked", "leads"),
    [(None, 3600, "60", True), (None, 10, "60", False), ("10m", 70, "60", True), (30, 20, "30", False)],
)
async def test_who_just_proved_another_way_is_not_sent_in_circles(attempt, limit, age, asked, leads):
    given = {"providers": ["totp"], "max_age": limit}
    error = await attempt(given, ["pwd", SMS, "mfa"], acr="aal2", age=age)
    assert query(error) == {"return_to": "/vault", "acr": "aal2", "factors": "2", "max_age": asked}
    assert error.leads is leads
    assert (
        error.detail == "this needs another second factor; accepted are `totp`, a passkey and a recovery code"
    )


async def test_who_proved_by_mail_is_led_on_where_the_server_does_not_take_it_for_enough(attempt):
    error = await attempt({"providers": ["totp"]}, ["pwd", EMAIL, "mfa"], acr="aal1")
    assert error.leads
    assert query(error) == {"return_to": "/vault", "acr": "aal2", "factors": "2"}


# === Without `Guard` ===


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("plain", [False, True])
async def test_without_a_guard_the_decorators_verify_it_themselves(security, client, fake, turned, plain):
    mfa = MFA(["totp"], client=client)

    def work(request):
        return request.user.id

    async def awaited(request):
        return request.user.id

    inner, outer = (security.authenticate, mfa.require) if turned else (mfa.require, security.authenticate)
    handler = outer(inner(work if plain else awaited))
    good = fake.token(acr="aal2", amr=["mfa", "otp", "pwd"])
    assert await handler(request_with((b"tutela-identity", good.encode()))) == ACCOUNT
    with pytest.raises(MFARequired):
        await handler(request_with((b"tutela-identity", fake.token().encode())))
    for wrong in (request_with(), request_with((b"tutela-identity", b"a.b.c")), object()):
        with pytest.raises(Unauthenticated) as caught:
            await handler(wrong)
        assert not isinstance(caught.value, MFARequired)


async def test_alone_without_a_guard_nobody_gets_in(client, fake):
    @MFA(client=client).require
    async def handler(request):
        raise AssertionError("nobody verified who asks")

    good = fake.token(acr="aal2", amr=["mfa", "otp", "pwd"]).encode()
    with pytest.raises(Unauthenticated):
        await handler(request_with((b"tutela-identity", good)))


async def test_another_middlewares_user_does_not_stay(client):
    @MFA(client=client).require
    async def handler(request):
        return request.user.id

    ada = User(id="ada", amr=("mfa", "otp", "pwd"))
    request = request_with()
    request.scope["user"] = User(id="invented")
    token = CURRENT.set(RequestContext(ada, None, None, "GET", "/"))
    try:
        assert await handler(request) == "ada"
    finally:
        CURRENT.reset(token)


async def test_what_a_handler_returns_is_returned(attempt, client):
    class Odd:
        pass

    odd = Odd()
    mfa = MFA(client=client)

    @mfa.require
    async def keeps(*args, **kwargs):
        """What it does."""
        return odd, args, kwargs

    assert keeps.__doc__ == "What it does." and keeps.__name__ == "keeps"
    token = CURRENT.set(RequestContext(User(id="a", amr=("mfa", "otp")), None, None, "GET", "/"))
    try:
        assert await keeps(1, 2, three=3) == (odd, (1, 2), {"three": 3})
    finally:
        CURRENT.reset(token)


async def test_it_is_closed_with_its_client():
    async def closed():
        found.append("closed")

    found = []
    mfa = MFA(client=SimpleNamespace(aclose=closed))
    await mfa.aclose()
    assert found == ["closed"]
    assert "totp" in repr(mfa)


@pytest.mark.parametrize(
    "path",
    [
        "//elsewhere.example/x",
        "/\\elsewhere.example",
        "/a\\b",
        "https://elsewhere.example/",
        "elsewhere",
        "",
        "/a b",
        "/a\r\nx: y",
        "/\u00e9",
        "/" + "a" * 4096,
    ],
)
def test_what_leads_to_another_host_leads_to_the_first_page(path):
    assert local_path(path) == "/"
    assert local_path(path, "a=1") == "/"


@pytest.mark.parametrize("query", ["a b", "a\\b", "a\r\nx: y", "\u00e9", "a" * 4096])
def test_neither_does_a_query_that_is_none_lead_anywhere(query):
    assert local_path("/x", query) == "/"


@pytest.mark.parametrize("path", ["/", "/a", "/a//b", "/a/%C3%A9;v=1", "/~a/(b)[c]"])
def test_paths_of_this_host_lead_there(path):
    assert local_path(path) == path
    assert local_path(path, "a=1&b=//x") == f"{path}?a=1&b=//x"


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ({"raw_path": b"/a%2Fb", "path": "/a/b", "query_string": b"x=%20"}, "/a%2Fb?x=%20"),
        ({"raw_path": b"//elsewhere.example/", "path": "//elsewhere.example/"}, "/"),
        ({"raw_path": b"/\xc3\xa9", "path": "/\u00e9"}, "/"),
        ({"raw_path": None, "path": "/\u00e9 b/c?d"}, "/%C3%A9%20b/c%3Fd"),
        ({"path": "/a:b@c"}, "/a:b@c"),
        ({}, "/"),
    ],
)
async def test_one_comes_back_to_what_was_asked_for(security, scope, expected):
    scope = {"type": "http", "method": "GET", "headers": [], **scope}
    assert (await read_request(scope, security.verifier)).return_to == expected


async def test_a_websocket_is_told_and_led_nowhere(security, client, fake):
    async def app(scope, receive, send):
        await MFA(client=client).require(lambda: None)()

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    sent = []
    headers = [(b"tutela-identity", fake.token().encode()), (b"accept", b"text/html")]
    await Guard(app, security=security)({"type": "websocket", "headers": headers}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": "more proof is required"}]


if documents.DOCUMENTS:

    @pytest.mark.parametrize("acr", ["aal1", "aal2"])
    async def test_the_endpoint_in_the_documents_runs_as_it_stands(client, fake, monkeypatch, acr):
        monkeypatch.setenv("TUTELA_AUDIENCE", "photos")
        known = {"PermissionDenied": PermissionDenied}
        found = documents.described("@mfa.require", "@security.authenticate", known=known)
        security, mfa = found["security"], found["mfa"]
        assert isinstance(security, SecurityManager)
        security.client = security.audit_log.client = mfa.client = client
        amr = ["mfa", "otp", "pwd"] if acr == "aal2" else ["pwd"]
        request = request_with((b"tutela-identity", fake.token(acr=acr, amr=amr).encode()))
        if acr == "aal1":
            with pytest.raises(MFARequired) as caught:
                await found["secure_endpoint"](request)
            assert urlsplit(caught.value.challenge).path == "/_tutela/step-up"
            assert fake.events == []
            return
        assert await found["secure_endpoint"](request) == {"status": "success"}
        assert [event["type"] for event, _ in fake.events] == ["secure_access"]
        fake.identity["session"]["timeout"] = 7200
        again = documents.described("@mfa.require", "@security.authenticate", known=known)
        again["security"].client = again["mfa"].client = client
        with pytest.raises(Exception, match="timeout"):
            await again["secure_endpoint"](request)
