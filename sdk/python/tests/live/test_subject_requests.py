"""What people ask for about their data, over an application's own database, against the real program."""

from __future__ import annotations

import inspect
import sqlite3
from datetime import datetime
from typing import Any, Literal

import anyio
import pytest
from documents import DOCUMENTS, described
from stage import Stage, started

from tutela import (
    CCPAComplianceService,
    DataProtectionService,
    ExternalId,
    PermissionDenied,
    RequestPending,
    Tutela,
)

SCOPES = (
    "subject-requests:write",
    "subject-requests:read",
    "subject-requests:export",
    "consents:check",
)
SCHEMA = """
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL);
CREATE TABLE photos (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id), file TEXT NOT NULL);
CREATE TABLE preferences (user_id INTEGER REFERENCES users (id), name TEXT, PRIMARY KEY (user_id, name));
CREATE TABLE activity (id INTEGER PRIMARY KEY, user_id INTEGER REFERENCES users (id), what TEXT NOT NULL);
INSERT INTO users VALUES (42, 'Ada', 'ada@example.com'), (43, 'Ben', 'ben@example.com');
INSERT INTO photos VALUES (1, 42, 'sea.png'), (2, 43, 'hill.png');
INSERT INTO preferences VALUES (42, 'newsletter'), (43, 'newsletter');
INSERT INTO activity VALUES (1, 42, 'signed in'), (2, 42, 'added a photo'), (3, 43, 'signed in');
"""
OWNED = "{name: user_id, fides_meta: {references: [{dataset: app, field: users.id, direction: from}]}}"
MAP = f"""
dataset:
- fides_key: app
  collections:
  - name: users
    tutela_meta: {{section: profile}}
    fields:
    - {{name: id, data_categories: [user.unique_id], fides_meta: {{identity: user_id, primary_key: true}}}}
    - {{name: name, data_categories: [user.name]}}
    - {{name: email, data_categories: [user.contact.email], fides_meta: {{identity: email}}}}
  - name: photos
    tutela_meta: {{section: photos, objects: {{store: pictures, key: '{{file}}'}}}}
    fields: [{{name: id}}, {OWNED}, {{name: file}}]
  - name: preferences
    tutela_meta: {{section: preferences}}
    fields: [{OWNED}, {{name: name}}]
  - name: activity
    tutela_meta: {{section: activity}}
    fields: [{{name: id}}, {OWNED}, {{name: what}}]
"""


@pytest.fixture
def stage(tmp_path):
    with sqlite3.connect(tmp_path / "app.db") as database:
        database.executescript(SCHEMA)
    (tmp_path / "pictures").mkdir()
    for name in ("sea.png", "hill.png"):
        (tmp_path / "pictures" / name).write_bytes(name.encode())
    (tmp_path / "app.yml").write_text(MAP)
    settings = (
        '[privacy.identities]\nuser_id = "photos"\n'
        '[privacy.stores.app]\nkind = "sqlite"\npath = "app.db"\nmap = "app.yml"\n'
        '[privacy.stores.pictures]\nkind = "files"\npath = "pictures"\n'
        "[privacy.data_subject_rights]\nrectification = false\n"
    )
    with started(tmp_path, settings, *SCOPES) as made:
        yield made


@pytest.fixture
async def client(stage, monkeypatch):
    monkeypatch.setenv("TUTELA_NAMESPACE", "photos")
    async with Tutela(stage.own, stage.api_key, timeout=20, deadline=60) as made:
        yield made


def rows(stage: Stage, table: str) -> int:
    with sqlite3.connect(stage.folder / "app.db") as database:
        return database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


async def test_a_person_gets_everything_and_is_gone_afterwards(stage, client):
    service = DataProtectionService(client=client)
    export = await service.handle_data_request(42, "export")
    assert sorted(export) == ["activity", "photos", "preferences", "profile"]
    assert export["profile"] == [{"id": 42, "name": "Ada", "email": "ada@example.com"}]
    assert [record["what"] for record in export["activity"]] == ["signed in", "added a photo"]
    package = await client.privacy.package(export.request.id)
    assert package[:2] == b"PK" and b"objects/pictures/sea.png" in package and b"hill.png" not in package
    done = await service.handle_data_request(42, "delete")
    assert done["status"] == "completed" and datetime.fromisoformat(done["timestamp"].replace("Z", "+00:00"))
    assert done["proof"]["receipt"]["residual_scan"]["hits"] == 0
    assert [rows(stage, table) for table in ("users", "photos", "preferences", "activity")] == [1, 1, 1, 1]
    assert [path.name for path in (stage.folder / "pictures").iterdir()] == ["hill.png"]
    again = await service.handle_data_request(42, "export")
    assert dict(again) == {}
    with pytest.raises(ValueError, match="Invalid request type: forget"):
        await service.handle_data_request(42, "forget")


async def test_californians_opt_out_see_and_delete(stage, client):
    service = CCPAComplianceService(client=client)
    assert (await service.handle_privacy_request(43, "do_not_sell"))["status"] == "completed"
    seen = await service.handle_privacy_request(43, "access")
    assert seen["data"]["profile"][0]["email"] == "ben@example.com"
    with pytest.raises(ValueError, match="Invalid request type: forget_me"):
        await service.handle_privacy_request(43, "forget_me")
    with pytest.raises(PermissionDenied, match="the right to rectification is switched off here"):
        await service.handle_privacy_request(43, "correct", corrections={"user.name": "Benjamin"})
    assert (await service.handle_privacy_request(43, "delete"))["status"] == "completed"
    assert rows(stage, "users") == 1


async def test_what_cannot_be_done_yet_is_said_and_goes_on_by_itself(stage, client):
    (stage.folder / "pictures").rename(stage.folder / "away")
    pending = await DataProtectionService(client=client, wait=1).handle_data_request(42, "delete")
    assert pending["status"] == "partial" and "pictures" in pending["problems"][0]["place"]
    assert pending["timestamp"] is None and rows(stage, "users") == 1
    with pytest.raises(RequestPending, match="pictures"):
        await DataProtectionService(client=client, wait=2).handle_data_request(
            ExternalId("photos", 43), "export"
        )
    (stage.folder / "away").rename(stage.folder / "pictures")
    with anyio.fail_after(30):
        while (await client.privacy.request(pending["request"])).status != "completed":
            await anyio.sleep(0.1)
    assert not (stage.folder / "pictures/sea.png").exists()


if DOCUMENTS:

    @pytest.mark.parametrize(
        ("name", "ours"),
        [("DataProtectionService", DataProtectionService), ("CCPAComplianceService", CCPAComplianceService)],
    )
    def test_whoever_knows_the_documented_service_knows_ours(name, ours):
        known: dict[str, Any] = {"Literal": Literal, "datetime": datetime}
        known |= {name: Any for name in ("DataRequestResponse", "UserDataExport", "DeletionConfirmation")}
        theirs = described(f"class {name}", known=known | {"PrivacyResponse": Any})[name]
        for method, function in vars(theirs).items():
            if inspect.isfunction(function):
                documented = inspect.signature(function).parameters
                assert list(inspect.signature(getattr(ours, method)).parameters)[: len(documented)] == list(
                    documented
                )
