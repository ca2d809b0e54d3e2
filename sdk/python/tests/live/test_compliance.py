"""Holding handlers to frameworks, against the real program. `TUTELA_BIN` names it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from documents import DOCUMENTS, described
from stage import started

from tutela import (
    ComplianceManager,
    ComplianceMismatch,
    ConsentRequired,
    ExternalId,
    Invalid,
    MFARequired,
    Tutela,
    Unauthenticated,
    Unavailable,
    User,
)
from tutela.context import CURRENT, RequestContext

SCOPES = ("consents:check", "consents:write", "events:write", "ledger:read")
SETTINGS = """
[compliance]
frameworks = ["gdpr", "hipaa", "pci-dss"]
data_retention = { user_data = 365, payment_data = 180, logs = 730 }
[identity.session]
timeout = 900
"""


@pytest.fixture
def stage(tmp_path):
    with started(tmp_path, SETTINGS, *SCOPES) as made:
        for name, basis in (("essential.service", "contract"), ("personalize", "consent")):
            notice = {"version": "1", "text": f"We use your data for {name}."}
            required = basis == "consent"
            body = {"name": name, "title": name, "basis": basis, "notice": notice, "required": required}
            answer = made.operator("PUT", f"/v1/purposes/{name}", body)
            assert answer.status_code == 200, answer.text
        yield made


@pytest.fixture
async def client(stage, monkeypatch):
    monkeypatch.setenv("TUTELA_URL", stage.own)
    monkeypatch.setenv("TUTELA_API_KEY", stage.api_key)
    async with Tutela(stage.own, stage.api_key, timeout=20, deadline=60) as made:
        yield made


def request_of(user):
    return RequestContext(user, "198.51.100.7", "kiosk/2", "GET", "/x")


async def found(client, query):
    return [event async for event in client.ledger.search(query)]


if DOCUMENTS:

    async def test_the_documented_handler_needs_proof_and_consent_and_is_on_record(stage, client):
        account = stage.account("ada@example.com")
        user = User(id=account, acr="aal2", amr=("pwd", "otp", "mfa"))
        processed = []

        async def process_user_data(data):
            processed.append(data)
            return {"of": data}

        known = {"process_user_data": process_user_data, "ConsentRequired": ConsentRequired}
        block = described("ComplianceManager(", "@compliance.enforce", "log_event", known=known)
        handle = block["handle_user_data"]
        request = SimpleNamespace(scope={"type": "http", "headers": []}, user=user, data={"city": "Ulm"})
        with pytest.raises(Unauthenticated):
            await handle(request)
        token = CURRENT.set(request_of(User(id=account)))
        with pytest.raises(MFARequired):
            await handle(request)
        CURRENT.reset(token)
        token = CURRENT.set(request_of(user))
        try:
            with pytest.raises(ConsentRequired):
                await handle(request)
            assert processed == []
            await client.privacy.record(user, "given", ["personalize"])
            assert await handle(request) == {"of": {"city": "Ulm"}}
        finally:
            CURRENT.reset(token)
        [used] = await found(client, "type:data_processing")
        data = used.event["data"]
        assert (data["data_type"], data["purpose"], data["ground"]) == (
            "user",
            "essential.service",
            "contract",
        )
        # Each call that got as far as the handler, and none that did not.
        assert len(await found(client, "type:data_access")) == 2
        await block["compliance"].aclose()
        await block["privacy"].client.aclose()


async def test_what_is_stated_is_compared(client):
    user = ExternalId("photos", 1)
    for stated, differs in (
        ({"frameworks": ["ccpa"]}, "frameworks` has no `ccpa` there"),
        ({"data_retention": {"user_data": 366}}, "user_data` is 365 there"),
        ({"data_retention": {"pictures": 1}}, "pictures` is not set there"),
    ):
        with pytest.raises(ComplianceMismatch, match=differs):
            await ComplianceManager(**stated, client=client).log_event("data_processing", user=user)
    with pytest.raises(ValueError, match="did you mean `hipaa`"):
        ComplianceManager(["hipa"])
    with pytest.raises(ValueError, match="not the text 'gdpr'"):
        ComplianceManager("gdpr")
    with pytest.raises(ValueError, match="number of days"):
        ComplianceManager(data_retention={"logs": 0})


async def test_unknown_words_are_refused_with_the_nearest_ones(client):
    compliance = ComplianceManager(["gdpr"], client=client)
    user = ExternalId("photos", 1)
    assert await compliance.log_event("data_access", user=user, data_type="health", purpose="personalize")
    for words, near in (
        ({"event_type": "data_procesing"}, "data_processing"),
        ({"event_type": "data_access", "data_type": "persnal"}, "personal"),
        ({"event_type": "data_access", "purpose": "service"}, "service_delivery"),
    ):
        with pytest.raises(Invalid, match=near):
            await compliance.log_event(user=user, **words)
    with pytest.raises(Invalid, match="`user` is nobody"):
        await compliance.log_event("data_access")


async def test_without_a_record_nothing_runs(stage, client):
    compliance = ComplianceManager(client=client)
    ran = []

    @compliance.enforce
    async def handler(request):
        ran.append(request)
        return {"pan": "4111111111111111"}

    user = User(id=stage.account("ada@example.com"), acr="aal2", amr=("pwd", "otp", "mfa"))
    token = CURRENT.set(request_of(user))
    try:
        answer = await handler(SimpleNamespace(scope={"type": "http", "headers": []}))
        assert answer == {"pan": "411111******1111"}
        stage.stop_tutela()
        with pytest.raises(Unavailable):
            await handler(SimpleNamespace(scope={"type": "http", "headers": []}))
    finally:
        CURRENT.reset(token)
    assert len(ran) == 1
