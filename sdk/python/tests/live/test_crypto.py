"""Sealing and opening against the real program, as applications do it."""

from __future__ import annotations

import dataclasses
import uuid

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from documents import DOCUMENTS
from sealing_app import FieldByField, described, open_here, seal_here
from tutela_forms import from_text
from tutela_message import parse

from tutela import Invalid, NotFound, SecureData, TutelaError
from tutela.crypto import EncryptedData, EncryptionService, FieldPolicy, FieldRule, KeyManager
from tutela.security import Encryption

ROW = {"id": 7, "name": "Ada", "salary": 0.1 + 0.2, "photo": b"\x89PNG", "tags": [1, None, {"a": "ö"}]}


@pytest.fixture
def environment(vault, monkeypatch):
    """For code that makes its own client."""
    monkeypatch.setenv("TUTELA_URL", vault.own)
    monkeypatch.setenv("TUTELA_API_KEY", vault.api_key)


# === What an application writes ===


async def test_a_record_that_the_application_seals_field_by_field(encryption, key_manager):
    records = FieldByField(encryption, key_manager, {"name", "salary", "photo", "tags"})
    stored = await records.close(ROW)
    assert stored["id"] == 7 and stored["key_id"].startswith("tky_")
    assert await records.open(stored) == ROW | {"key_id": stored["key_id"]}
    with pytest.raises(NotFound):
        await records.open(stored | {"key_id": "tky_" + "0" * 32})
    with pytest.raises(Invalid):
        await records.open(stored | {"name": stored["name"][:-4] + "AAAA"})


async def test_a_key_that_leaves_seals_in_other_libraries(exported):
    sealed = await seal_here(exported, b"secret", "patient/7")
    assert await open_here(exported, sealed) == b"secret"
    key = await exported.get_key("patient/7")
    together = sealed.ciphertext + sealed.tag
    assert AESGCM(key).decrypt(sealed.nonce, together, b"patient/7") == b"secret"
    with pytest.raises(InvalidTag):
        AESGCM(await exported.get_key("patient/8")).decrypt(sealed.nonce, together, b"patient/7")
    sealed.context = "patient/8"
    with pytest.raises(ValueError):
        await open_here(exported, sealed)


async def test_the_server_opens_what_a_library_sealed_and_a_library_what_the_server_did(exported):
    sealed, key = await seal_here(exported, b"secret", "patient/7"), await exported.get_key("patient/7")
    parts = EncryptedData(
        sealed.ciphertext,
        sealed.nonce,
        sealed.tag,
        "patient/7",
        key.key_id,
        key.key_version,
        "aes-256-gcm-plain",
    )
    crypto = exported.client.crypto
    assert (await crypto.decrypt(parts.message, context="patient/7")).plaintext == b"secret"
    with pytest.raises(Invalid):
        await crypto.decrypt(parts.message, context="patient/8")
    answer = await crypto.encrypt(
        b"secret", key="exported", context="patient/7", algorithm="aes-256-gcm-plain"
    )
    _, body = parse(from_text(answer.message))
    assert AESGCM(key).decrypt(body[:12], body[12:], b"patient/7") == b"secret"


async def test_a_key_that_may_not_leave_does_not(sealer, key_manager):
    with pytest.raises(TutelaError) as caught:
        await sealer.crypto.derive("patient/7")
    assert 400 <= caught.value.status < 500
    assert (await key_manager.get_key("patient/7")).context == "patient/7"


if DOCUMENTS:

    async def test_the_class_for_records_in_the_documents_runs_as_it_stands(environment):
        found = described("class SecureData", "KeyManager(")

        class Patient(found["SecureData"]):
            def is_sensitive(self, field):
                return field == "name"

        row = {"id": 1, "name": "Ada", "key_id": (await found["key_manager"].get_current_key()).id}
        stored = await Patient(row).encrypt()
        assert stored["name"].startswith("tut1.") and stored["id"] == 1
        assert await Patient({}).decrypt(stored) == row
        for owner in ("encryption", "key_manager"):
            await found[owner].client.aclose()

    async def test_the_service_in_the_documents_runs_as_it_stands(exported):
        own = described("class EncryptionService", "AES.MODE_GCM")["EncryptionService"](exported)
        for data in ("Grüße", b"\x00\xff"):
            sealed = await own.encrypt_sensitive_data(data, "patient/7")
            assert await open_here(exported, sealed) == (data.encode() if isinstance(data, str) else data)


# === What the package offers ===


@pytest.mark.parametrize("record_id", [None, "patient/7"])
async def test_records_come_back_whole_and_refuse_what_was_swapped(sealer, record_id):
    secret = {"name", "salary", "photo", "tags"}
    made = {"encryption": Encryption(client=sealer), "sensitive": secret, "record_id": record_id}
    stored = await SecureData(ROW, **made).encrypt()
    assert stored["id"] == 7 and "Ada" not in str(stored)
    assert await SecureData(**made).decrypt(stored) == ROW
    swapped = stored | {"name": stored["tags"], "tags": stored["name"]}
    for wrong in (swapped, stored | {"salary": 9000}, {k: v for k, v in stored.items() if k != "key_id"}):
        with pytest.raises(Invalid):
            await SecureData(**made).decrypt(wrong)


async def test_a_record_opens_only_as_itself_and_as_it_was_last_written(sealer):
    made = {"encryption": Encryption(client=sealer), "sensitive": {"name", "salary"}}
    old = await SecureData(ROW, record_id="1", **made).encrypt()
    new = await SecureData(ROW | {"salary": 2}, record_id="1", **made).encrypt()
    with pytest.raises(Invalid):
        await SecureData(record_id="1", **made).decrypt(new | {"salary": old["salary"]})
    with pytest.raises(Invalid):
        await SecureData(record_id="2", **made).decrypt(new)
    with pytest.raises(Invalid):
        await SecureData(record_id="1", **made).decrypt({k: v for k, v in new.items() if k != "salary"})


@pytest.mark.parametrize("algorithm", ["aes-256-gcm", "chacha20-poly1305"])
async def test_values_come_back_under_their_context_and_algorithm_alone(encryption, key_manager, algorithm):
    key = await key_manager.get_current_key()
    values = [None, 2**70, -1.5e300, "Grüße 😀", b"\x00", [{"a": []}]]
    for value in values:
        message = await encryption.encrypt(value, key=key, algorithm=algorithm, context={"b": "1", "a": ""})
        opened = await encryption.decrypt(message, key=key, algorithm=algorithm, context={"a": "", "b": "1"})
        assert (opened, type(opened)) == (value, type(value))
    for context in (None, "", {"a": "", "b": "2"}, {"a": "b", "b": "1"}):
        with pytest.raises(Invalid):
            await encryption.decrypt(message, context=context)


async def test_the_parts_are_those_that_the_format_says(key_manager):
    service = EncryptionService(key_manager)
    sealed = await service.encrypt_sensitive_data("secret", "patient/7")
    assert await service.decrypt_sensitive_data(sealed) == b"secret"
    head, body = parse(from_text(sealed.message))
    assert (head.suite.name, head.version) == (sealed.alg, sealed.key_version)
    assert (body[:24], body[24:56], body[-16:]) == (sealed.salt, sealed.commitment, sealed.tag)
    # The nonce is derived and stands in no other form; even so a wrong one is refused.
    with pytest.raises(Invalid):
        await service.decrypt_sensitive_data(dataclasses.replace(sealed, nonce=bytes(12)))
    with pytest.raises(Invalid):
        await service.decrypt_sensitive_data(sealed, context="patient/8")


async def test_what_is_searched_is_found_by_its_index(sealer):
    rules = [FieldRule("name", "equality", index_bits=32), FieldRule("email", "deterministic")]
    policy = FieldPolicy(rules, key="searched")
    record = {"name": "Ada", "email": "a@b.c"}
    one, two = [await sealer.crypto.seal_record(record, policy=policy, record_id=n) for n in "12"]
    assert one["name"] != two["name"] and one["email"] == two["email"]
    for value, found in (("Ada", True), ("Eve", False)):
        tokens = await sealer.crypto.index(value, policy=policy, path="name")
        assert (one["name_index"] in tokens) == (two["name_index"] in tokens) == found
    assert one["email"] in await sealer.crypto.index("a@b.c", policy=policy, path="email")
    assert await sealer.crypto.open_record(two, policy=policy, record_id="2") == record


async def test_a_rotated_key_opens_what_is_old_and_seals_anew(sealer, vault, encryption):
    name = f"rotated-{uuid.uuid4().hex[:8]}"
    vault.operator("POST", "/v1/crypto/keys", {"name": name}).raise_for_status()
    manager = KeyManager(client=sealer, key=name)
    old_key = await manager.get_current_key()
    old = await encryption.encrypt("x", key=old_key)
    vault.operator("POST", f"/v1/crypto/keys/{name}/rotate").raise_for_status()
    new_key = await manager.get_current_key()
    assert (new_key.id, new_key.version) == (old_key.id, old_key.version + 1)
    assert await encryption.decrypt(old, key=new_key) == "x"
    moved = await sealer.crypto.rewrap(old)
    assert (moved.changed, moved.key_version) == (True, new_key.version)
    assert await encryption.decrypt(moved.message, key=new_key) == "x"


async def test_a_wrapped_data_key_opens_to_the_same_key(sealer):
    made = await sealer.crypto.data_key(context="disk", with_plaintext=True)
    assert (await sealer.crypto.decrypt(made.wrapped, context="disk")).plaintext == made.plaintext
    assert (await sealer.crypto.data_key()).plaintext is None
