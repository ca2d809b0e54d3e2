"""Consent from an application, against the real program. `TUTELA_BIN` names it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from documents import DOCUMENTS, described
from stage import started

from tutela import (
    ConsentRequired,
    ExternalId,
    Invalid,
    PrivacyManager,
    PrivacyMismatch,
    Tutela,
    Unauthenticated,
    Unavailable,
    User,
)
from tutela.context import CURRENT, RequestContext

SCOPES = ("consents:check", "consents:read", "consents:write")
RIGHTS = {"access": True, "rectification": True, "erasure": True, "portability": True}


@pytest.fixture
def stage(tmp_path):
    with started(tmp_path, "", *SCOPES) as made:
        for name, basis in (("service_delivery", "contract"), ("personalize", "consent")):
            notice = {"version": "1", "text": f"We use your data for {name}."}
            body = {"name": name, "title": name, "basis": basis, "required": True, "notice": notice}
            answer = made.operator("PUT", f"/v1/purposes/{name}", body)
            assert answer.status_code == 200, answer.text
        yield made


@pytest.fixture
async def client(stage, monkeypatch):
    monkeypatch.setenv("TUTELA_URL", stage.own)
    monkeypatch.setenv("TUTELA_API_KEY", stage.api_key)
    async with Tutela(stage.own, stage.api_key, timeout=20, deadline=60) as made:
        yield made


if DOCUMENTS:

    async def test_the_documented_manager_lets_a_person_pass_who_has_agreed(stage, client, monkeypatch):
        monkeypatch.setenv("TUTELA_NAMESPACE", "photos")
        words = ("PrivacyManager(", "has_consent")
        found = described(*words, known={}, without=("ComplianceManager", "compliance"))
        privacy = found["privacy"]
        assert not await privacy.has_consent(42)
        assert not await privacy.has_consent(None)
        with pytest.raises(ConsentRequired) as refused:
            await privacy.require_consent(42)
        assert refused.value.status == 403
        [missing] = refused.value.missing
        assert (missing.purpose, missing.why) == ("personalize", "consent_missing")
        assert refused.value.problem["give_at"].endswith("/account/privacy")
        [consent] = await client.privacy.record(
            ExternalId("photos", 42), "given", ["personalize"], method="form"
        )
        assert await privacy.has_consent(42)
        assert await privacy.has_consent(42, "personalize")
        receipt = await client.privacy.receipt(consent.receipt)
        assert receipt["receipt"]["pii_processing"]["purpose"] == "personalize"
        assert receipt["note"].startswith("tutela receipt\n")
        await client.privacy.record(ExternalId("photos", 42), "withdrawn", ["personalize"])
        assert not await privacy.has_consent(42)
        assert [said.said for said in await client.privacy.list(ExternalId("photos", 42))] == ["withdrawn"]
        await privacy.client.aclose()


async def test_what_is_stated_is_compared_and_what_nobody_registered_is_named(client):
    with pytest.raises(PrivacyMismatch, match="consent_required` is true there"):
        await PrivacyManager(consent_required=False, client=client).has_consent(ExternalId("photos", 1))
    with pytest.raises(PrivacyMismatch, match="erasure` is true there"):
        rights = {**RIGHTS, "erasure": False}
        await PrivacyManager(data_subject_rights=rights, client=client).has_consent(None)
    with pytest.raises(Invalid, match="there is no purpose `personalise`; there are personalize"):
        await PrivacyManager(client=client).has_consent(ExternalId("photos", 1), "personalise")
    with pytest.raises(ValueError, match="did you mean `erasure`"):
        PrivacyManager(data_subject_rights={"erasur": True})
    with pytest.raises(ValueError, match="nothing says whose"):
        await PrivacyManager(client=client).has_consent(7)


async def test_a_handler_runs_only_for_whoever_has_agreed(stage, client, monkeypatch):
    privacy = PrivacyManager(client=client)
    account = stage.account("ada@example.com")

    @privacy.enforce("personalize")
    async def suggestions(request):
        return "the sea"

    request = SimpleNamespace(scope={"type": "http", "headers": [(b"sec-gpc", b"0")]})
    with pytest.raises(Unauthenticated):
        await suggestions(request)
    token = CURRENT.set(RequestContext(User(id=account), "198.51.100.7", "kiosk/2", "GET", "/x"))
    try:
        with pytest.raises(ConsentRequired) as refused:
            await suggestions(request)
        assert [item.purpose for item in refused.value.missing] == ["personalize"]
        await client.privacy.record(User(id=account), "given", ["personalize"])
        assert await suggestions(request) == "the sea"
        await client.privacy.record(User(id=account), "withdrawn", ["personalize"])
        with pytest.raises(ConsentRequired):
            await suggestions(request)
    finally:
        CURRENT.reset(token)


async def test_no_answer_is_no_consent(stage, client):
    privacy = PrivacyManager(client=client)
    assert not await privacy.has_consent(ExternalId("photos", 1))
    stage.stop_tutela()
    with pytest.raises(Unavailable):
        await privacy.has_consent(ExternalId("photos", 1))
