"""What a visitor gets, the same on Nexios, Starlette and FastAPI."""

from __future__ import annotations

import base64
import json
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fake import ACCOUNT, FakeTutela, b64

KIND = "urn:tutela:problem:"


def is_problem(answer, status, kind):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == KIND + kind
    assert answer.json()["status"] == status
    return True


async def test_a_signed_in_person_is_known(browse, fake):
    answer = await browse("/me", fake.token())
    assert answer.status_code == 200
    assert answer.json() == {"id": ACCOUNT, "name": "Ada Lovelace", "in": True, "roles": ["admin"]}


async def test_a_public_page_knows_nobody_and_somebody(browse, fake):
    assert (await browse("/")).json() == {"id": None, "name": "", "in": False, "roles": []}
    assert (await browse("/", fake.token())).json()["in"] is True


async def test_a_page_for_people_refuses_nobody(browse):
    for path in ("/me", "/admin", "/plain", "/delete/7"):
        answer = await browse(path)
        assert is_problem(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"] == "tutela-identity"


async def test_a_handler_that_is_not_async_has_the_person_too(browse, fake):
    assert (await browse("/plain", fake.token())).json() == {"name": "Ada Lovelace"}


async def test_an_allowed_action_is_done_and_recorded(browse, fake):
    headers = [("x-forwarded-for", "198.51.100.1, 203.0.113.7"), ("user-agent", "curl/9")]
    answer = await browse("/admin", fake.token(), headers=headers)
    assert answer.status_code == 200
    assert answer.json() == {"status": "success"}
    assert fake.questions == [{"subject": ACCOUNT, "permission": "admin"}]
    event, key = fake.events[0]
    assert event == {
        "type": "secure_access",
        "action": "admin_operation",
        "actor": ACCOUNT,
        "resource": "sensitive_data",
        "source": {"ip": "203.0.113.7", "user_agent": "curl/9"},
        "metadata": {"ticket": 7, "request": {"method": "GET", "path": "/admin"}},
    }
    assert len(key) == 36


async def test_a_role_in_the_token_is_no_permission(browse, fake):
    fake.grants.clear()
    assert is_problem(await browse("/admin", fake.token()), 403, "forbidden")
    assert fake.events == []


async def test_require_asks_the_server(browse, fake):
    assert is_problem(await browse("/delete/7", fake.token()), 403, "forbidden")
    fake.grants.add((ACCOUNT, "photos:delete", None))
    assert (await browse("/delete/7", fake.token())).json() == {"deleted": "7"}


async def test_no_answer_is_no(browse, fake):
    token = fake.token()
    assert (await browse("/me", token)).status_code == 200
    fake.down = True
    answer = await browse("/admin", token)
    assert is_problem(answer, 503, "unavailable")
    assert "told so" not in answer.text
    assert (await browse("/me", token)).status_code == 200


async def test_a_refused_api_key_is_not_the_visitors_fault(browse, fake):
    fake.key = "tck_other"
    assert is_problem(await browse("/admin", fake.token()), 503, "unavailable")


async def test_without_keys_nobody_gets_in(browse, fake):
    fake.down = True
    for path in ("/", "/me"):
        assert is_problem(await browse(path, fake.token()), 503, "unavailable")
    assert (await browse("/")).status_code == 200


def forged(fake):
    head, body, tail = fake.token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    unsigned = b64(json.dumps({"alg": "none", "typ": "tutela-identity+jwt", "kid": fake.kid}).encode())
    now = claims["iat"]
    last = {"A": "B"}.get(tail[-1], "A")
    other = b64(json.dumps({**claims, "sub": "somebody-else"}).encode())
    return {
        "signature_of_another_key": fake.token(signer=Ed25519PrivateKey.generate()),
        "signature_not_canonical": f"{head}.{body}.{tail[:-1]}{last}",
        "claims_changed": f"{head}.{other}.{tail}",
        "alg_none": f"{unsigned}.{body}.{tail}",
        "alg_none_without_signature": f"{unsigned}.{body}.",
        "alg_hs256": fake.token(header={"alg": "HS256"}),
        "typ_of_another_token": fake.token(header={"typ": "JWT"}),
        "critical_extension": fake.token(header={"crit": ["x"], "x": 1}),
        "unknown_key": fake.token(header={"kid": "gateway-2"}),
        "key_of_another_kind": fake.token(header={"kid": "rsa"}),
        "no_kid": fake.token(header={"kid": None}),
        "audience_of_another_route": fake.token(aud="wiki"),
        "audience_as_list": fake.token(aud=["photos", "wiki"]),
        "no_audience": fake.token(aud=None),
        "another_issuer": fake.token(iss="http://tutela.example.org"),
        "expired": fake.token(iat=now - 66, exp=now - 6),
        "from_the_future": fake.token(iat=now + 30, exp=now + 60),
        "lives_too_long": fake.token(exp=now + 61),
        "never_expires": fake.token(exp=None),
        "expires_true": fake.token(exp=True),
        "expires_never_in_other_words": fake.token(exp=float("inf")),
        "issued_at_no_number": fake.token(iat=float("nan"), exp=float("nan")),
        "no_subject": fake.token(sub=None),
        "empty_subject": fake.token(sub=""),
        "no_session": fake.token(sid=None),
        "roles_are_text": fake.token(roles="admin"),
        "name_is_a_number": fake.token(name=7),
        "acr_is_a_number": fake.token(acr=2),
        "amr_is_text": fake.token(amr="mfa"),
        "amr_has_a_number": fake.token(amr=["pwd", 2]),
        "auth_time_is_text": fake.token(auth_time=str(now)),
        "auth_time_true": fake.token(auth_time=True),
        "auth_time_in_parts_of_seconds": fake.token(auth_time=now + 0.5),
        "auth_time_before_all_time": fake.token(auth_time=-1),
        "padded": f"{head}.{body}.{tail}==",
        "two_parts": f"{head}.{body}",
        "empty": "",
        "not_json": f"{b64(b'{')}.{body}.{tail}",
        "a_list": f"{b64(b'[]')}.{body}.{tail}",
        "deep": f"{b64(b'[' * 9000)}.{body}.{tail}",
        "huge": "a" * 20_000 + ".b.c",
    }


CASES = list(forged(FakeTutela()))


@pytest.mark.parametrize("case", CASES)
async def test_a_forged_identity_is_refused_even_on_public_pages(browse, fake, case):
    for path in ("/", "/me"):
        assert is_problem(await browse(path, forged(fake)[case]), 401, "unauthenticated")


async def test_two_identities_are_refused(browse, fake):
    answer = await browse("/me", fake.token(), headers=[("tutela-identity", fake.token())])
    assert is_problem(answer, 401, "unauthenticated")


async def test_small_clock_differences_are_forgiven(browse, fake):
    now = int(time.time())
    for iat, exp in ((now + 3, now + 60), (now - 62, now - 3)):
        assert (await browse("/me", fake.token(iat=iat, exp=exp))).status_code == 200


async def test_errors_of_the_application_stay_its_own(browse, fake):
    assert (await browse("/nowhere", fake.token())).status_code == 404
