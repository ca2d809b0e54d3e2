"""A real Nexios application behind the real gateway. `TUTELA_BIN` names the program."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import httpx
import pytest
from browser import USER_AGENT, Browser, Loopback
from stage import PASSWORD, SCOPES, Stage, visitor_address

pytestmark = pytest.mark.skipif(
    not os.environ.get("TUTELA_BIN"), reason="no program: set TUTELA_BIN to the file of `tutela`"
)

ADMIN, MEMBER = "ada@example.com", "ben@example.com"
SESSION = "__Host-tutela-session"


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    yield from running(tmp_path_factory.mktemp("stage"))


@pytest.fixture
def own_stage(tmp_path):
    """For a test that stops something."""
    yield from running(tmp_path)


def running(folder):
    stage = Stage(os.path.abspath(os.environ["TUTELA_BIN"]), folder)
    try:
        stage.start()
        stage.admin, stage.member = stage.account(ADMIN, "admin"), stage.account(MEMBER)
        yield stage
    finally:
        stage.stop()


@pytest.fixture
def visit():
    """Makes browsers; each is another person's."""
    made = []

    def new():
        made.append(Browser(visitor_address()))
        return made[-1]

    yield new
    for browser in made:
        browser.close()


def test_a_person_is_led_to_sign_in_and_back_and_what_they_did_is_on_record(stage, visit):
    answer, way = visit().sign_in_at(f"{stage.app}/secure", ADMIN, PASSWORD)
    assert (answer.status_code, answer.json()) == (200, {"status": "success"})
    assert (way[0], way[-1]) == (f"{stage.app}/secure", f"{stage.app}/secure")
    passed = [(urlsplit(at).hostname, urlsplit(at).path) for at in way]
    assert ("tutela.localhost", "/sign-in") in passed
    assert passed[-2] == ("app.localhost", "/_tutela/callback")
    event = recorded(stage, stage.admin)[0]
    assert (event["actor"]["type"], event["actor"]["id"]) == ("account", stage.admin)
    assert event["action"] == "admin_operation"
    assert event["resource"] == {"id": "sensitive_data"}
    assert event["outcome"] == "success"
    assert event["source"] == {"ip": visitor_address(), "user_agent": USER_AGENT}
    assert event["metadata"]["request"] == {"method": "GET", "path": "/secure"}


def test_a_person_without_the_role_is_refused_by_the_application(stage, visit):
    browser = visit()
    answer, _ = browser.sign_in_at(f"{stage.app}/secure", MEMBER, PASSWORD)
    assert problem(answer) == (403, "forbidden")
    assert problem(browser.open(f"{stage.app}/secure/list")) == (403, "forbidden")
    assert recorded(stage, stage.member) == []


def test_a_role_that_is_taken_away_is_gone_at_the_next_call(stage, visit):
    email = "eve@example.com"
    account, browser = stage.account(email, "admin"), visit()
    assert browser.sign_in_at(f"{stage.app}/secure", email, PASSWORD)[0].status_code == 200
    stage.operator("PUT", f"/v1/accounts/{account}/roles", {"roles": []}).raise_for_status()
    assert problem(browser.open(f"{stage.app}/secure")) == (403, "forbidden")
    assert len(recorded(stage, account)) == 1


def test_a_call_without_a_session_gets_a_problem_and_not_a_redirect(stage, visit):
    answer = visit().open(f"{stage.app}/secure", accept="application/json")
    assert problem(answer) == (401, "unauthenticated")


def test_who_is_signed_in_is_known_on_public_pages_too(stage, visit):
    browser = visit()
    assert browser.open(f"{stage.app}/").json() == {"id": None, "email": "", "identity": None}
    browser.sign_in_at(f"{stage.app}/secure", MEMBER, PASSWORD)
    seen = browser.open(f"{stage.app}/").json()
    assert (seen["id"], seen["email"]) == (stage.member, MEMBER)


def test_an_identity_that_a_visitor_brings_along_never_reaches_the_application(stage, visit):
    admin = visit()
    admin.sign_in_at(f"{stage.app}/secure", ADMIN, PASSWORD)
    # Even a token that the gateway signed a moment ago is worth nothing in a visitor's hands.
    stolen = admin.open(f"{stage.app}/").json()["identity"]
    assert stage.past_the_gateway("/secure", stolen).status_code == 200
    for forged in (stolen, "forged"):
        headers = {"tutela-identity": forged, "tutela-user": stage.admin, "tutela_identity": forged}
        seen = visit().open(f"{stage.app}/", headers=headers)
        assert (seen.status_code, seen.json()["identity"], seen.json()["id"]) == (200, None, None)
        refused = visit().open(f"{stage.app}/secure", accept="application/json", headers=headers)
        assert problem(refused) == (401, "unauthenticated")
        member = visit()
        member.sign_in_at(f"{stage.app}/secure", MEMBER, PASSWORD)
        assert member.open(f"{stage.app}/", headers=headers).json()["id"] == stage.member
    # The application does not rely on that alone.
    assert problem(stage.past_the_gateway("/secure", "forged")) == (401, "unauthenticated")
    head, body, _ = stolen.split(".")
    assert problem(stage.past_the_gateway("/secure", f"{head}.{body}.AAAA")) == (401, "unauthenticated")


def test_after_sign_out_the_next_call_is_refused(stage, visit):
    browser, thief = visit(), visit()
    browser.sign_in_at(f"{stage.app}/secure", ADMIN, PASSWORD)
    thief.cookies["app.localhost"] = {SESSION: browser.cookies["app.localhost"][SESSION]}
    assert thief.open(f"{stage.app}/secure").status_code == 200
    out = browser.send("POST", f"{stage.app}/_tutela/sign-out")
    assert (out.status_code, out.headers["location"]) == (303, f"{stage.own}/signed-out")
    assert SESSION not in browser.cookies["app.localhost"]
    for anyone in (browser, thief):
        assert anyone.open(f"{stage.app}/secure").status_code == 303
        refused = anyone.open(f"{stage.app}/secure", accept="application/json")
        assert problem(refused) == (401, "unauthenticated")


def test_while_tutela_is_stopped_the_application_refuses_and_afterwards_it_works_again(own_stage, visit):
    stage, browser = own_stage, visit()
    browser.sign_in_at(f"{stage.app}/secure", ADMIN, PASSWORD)
    identity = browser.open(f"{stage.app}/").json()["identity"]
    for path in ("/secure", "/secure/list"):
        assert stage.past_the_gateway(path, identity).status_code == 200
    assert stage.stop_tutela() == 0
    # The identity is good and its keys are known; only the answer is missing.
    for path in ("/secure", "/secure/list"):
        refused = stage.past_the_gateway(path, identity)
        assert problem(refused) == (503, "unavailable")
        assert "localhost" not in refused.text, "what the application calls is nobody's business"
    # An application that starts now cannot even tell who asks; nobody is still nobody.
    stage.start_app("tck_of_no_use")
    assert problem(stage.past_the_gateway("/secure", identity)) == (503, "unavailable")
    assert problem(stage.past_the_gateway("/secure")) == (401, "unauthenticated")
    stage.start_tutela()
    stage.start_app(stage.key(*SCOPES))
    assert browser.open(f"{stage.app}/secure").json() == {"status": "success"}
    assert len(recorded(stage, stage.admin)) == 3


def test_an_application_whose_own_key_does_not_suffice_neither_acts_nor_blames_the_person(own_stage, visit):
    stage, browser = own_stage, visit()
    for key in (stage.key("permissions:check"), stage.key("events:write"), "tck_of_nobody"):
        stage.start_app(key)
        answer, _ = browser.sign_in_at(f"{stage.app}/secure", ADMIN, PASSWORD)
        assert problem(answer) == (503, "unavailable")
        assert key not in answer.text
    assert recorded(stage, stage.admin) == []


def recorded(stage, account):
    """The `secure_access` events of an account, newest first, read as an auditor does."""
    headers = {"authorization": f"Bearer {stage.key('ledger:read')}"}
    with httpx.Client(transport=Loopback("127.0.0.1"), base_url=stage.own, timeout=20.0) as http:
        answer = http.get("/v1/events", params={"q": f"type:secure_access actor:{account}"}, headers=headers)
    assert answer.status_code == 200, answer.text
    return [item["event"] for item in answer.json()["items"]]


def problem(answer):
    """Status and kind of a problem document (RFC 9457)."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    body = answer.json()
    assert body["status"] == answer.status_code
    return answer.status_code, body["type"].removeprefix("urn:tutela:problem:")
