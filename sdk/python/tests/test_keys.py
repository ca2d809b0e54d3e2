"""`KeyManager`, handles, and keys that leave; `EncryptionService` on top of them."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import documents
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from sealing_app import Sealed, described, open_here, seal_here

from tutela import Invalid, NotFound
from tutela.crypto import DerivedKey, EncryptedData, EncryptionService, KeyHandle, KeyManager


@pytest.fixture
def key_manager(client):
    return KeyManager(client=client)


@pytest.fixture
def exported(client):
    return KeyManager(client=client, key="exported")


@pytest.fixture
def service(key_manager):
    return EncryptionService(key_manager)


def test_known_arguments_are_taken(client):
    for provider in ("local", "azure-keyvault", "vault"):
        made = KeyManager(provider=provider, rotation_schedule="30 days", backup_enabled=True, client=client)
        assert (made.provider, made.rotation_schedule, made.backup_enabled) == (provider, "30 days", True)
    for schedule in ("1 day", "12 hours", "90d", "2 weeks", "never"):
        KeyManager(rotation_schedule=schedule, client=client)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"provider": "azure-keyvalt"}, "provider.*did you mean `azure-keyvault`.*local.*vault"),
        ({"provider": "aws-kms"}, "provider.*aws-kms.*valid are `local`, `azure-keyvault`, `vault`"),
        ({"rotation_schedule": "monthly"}, 'rotation_schedule.*"30 days".*monthly'),
        ({"rotation_schedule": "0 days"}, "rotation_schedule"),
        ({"rotation_schedule": "-1 days"}, "rotation_schedule"),
        ({"rotation_schedule": 30}, "rotation_schedule.*30 days"),
        ({"backup_enabled": "yes"}, "backup_enabled.*true or false"),
        ({"backup_enabled": 1}, "backup_enabled.*true or false"),
    ],
)
def test_wrong_arguments_are_named(client, arguments, words):
    with pytest.raises(ValueError, match=words):
        KeyManager(client=client, **arguments)


async def test_the_current_key_is_a_handle_and_no_key(key_manager, fake):
    key = await key_manager.get_current_key()
    assert key == KeyHandle(fake.crypto.keys["default"].wire()["id"], "default", 1)
    for secret in fake.crypto.keys["default"].versions:
        assert secret.hex() not in repr(key) and str(secret) not in repr(vars(key))
    with pytest.raises(NotFound):
        await KeyManager(client=key_manager.client, key="none").get_current_key()


async def test_an_id_is_looked_up_and_must_exist(key_manager, fake):
    wire = fake.crypto.keys["exported"].wire()
    assert await key_manager.get_key(wire["id"]) == KeyHandle(wire["id"], "exported", 1)
    with pytest.raises(NotFound):
        await key_manager.get_key("tky_" + "0" * 32)
    asked = len(fake.requests)
    for malformed in ("tky_", "tky_default", "tky_" + "A" * 32, "tky_" + "0" * 33):
        with pytest.raises(NotFound):
            await key_manager.get_key(malformed)
    assert len(fake.requests) == asked
    for wrong in ("", None, 7):
        with pytest.raises(ValueError):
            await key_manager.get_key(wrong)


async def test_a_context_gives_a_handle_that_does_not_show_it(key_manager, fake):
    key = await key_manager.get_key("patient/7")
    assert (key.name, key.context) == ("default", "patient/7")
    assert "patient" not in repr(key)
    assert fake.crypto.derived == 0
    with pytest.raises(ValueError, match="export"):
        await key_manager.get_key("patient/7", version=1)


async def test_a_derived_key_is_32_bytes_that_nothing_shows(exported, fake):
    key = await exported.get_key("patient/7")
    assert isinstance(key, bytes) and len(key) == 32
    assert (key.key_id, key.key_version) == (fake.crypto.keys["exported"].wire()["id"], 1)
    assert key.context == "patient/7"
    for shown in (repr(key), str(key), f"{key}", f"{key!r}", repr([key]), repr({"k": key})):
        assert bytes(key).hex() not in shown and repr(bytes(key))[2:-1] not in shown
        assert "patient" not in shown
    for keep in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="derive it again"):
            keep(key)
    assert await exported.get_key("patient/7") == key
    assert await exported.get_key("patient/8") != key
    with pytest.raises(ValueError):
        DerivedKey(b"short", key_id="", key_version=1, context="")


async def test_the_key_of_a_context_stays_with_its_version(exported, fake):
    old = await exported.get_key("a")
    fake.crypto.keys["exported"].rotate()
    new = await exported.get_key("a")
    assert (old.key_version, new.key_version) == (1, 2) and old != new
    assert await exported.get_key("a", version=1) == old


async def test_other_libraries_take_a_derived_key(exported):
    sealed = await seal_here(exported, b"secret", "patient/7")
    assert await open_here(exported, sealed) == b"secret"
    key = await exported.get_key("patient/7")
    for cipher in (AESGCM(key), ChaCha20Poly1305(key)):
        assert cipher.decrypt(sealed.nonce, cipher.encrypt(sealed.nonce, b"x", None), None) == b"x"
    together = sealed.ciphertext + sealed.tag
    assert AESGCM(key).decrypt(sealed.nonce, together, b"patient/7") == b"secret"
    with pytest.raises(InvalidTag):
        AESGCM(await exported.get_key("patient/8")).decrypt(sealed.nonce, together, b"patient/7")


async def test_the_server_opens_what_was_sealed_here(exported):
    sealed, key = await seal_here(exported, b"secret", "patient/7"), await exported.get_key("patient/7")
    parts = EncryptedData(
        sealed.ciphertext, sealed.nonce, sealed.tag, "patient/7", key.key_id, 1, "aes-256-gcm-plain"
    )
    assert (await exported.client.crypto.decrypt(parts.message, context="patient/7")).plaintext == b"secret"
    assert await EncryptionService(exported).decrypt_sensitive_data(parts) == b"secret"


@pytest.mark.parametrize(
    "data", ["Grüße", b"\x00\xff", "", b"x" * 40_000], ids=["text", "bytes", "empty", "long"]
)
async def test_the_service_seals_into_parts_and_opens_them(service, key_manager, data):
    sealed = await service.encrypt_sensitive_data(data, "patient/7")
    key = await key_manager.get_current_key()
    assert (sealed.key_id, sealed.key_version, sealed.alg) == (key.id, 1, "aes-256-gcm")
    assert [len(part) for part in (sealed.nonce, sealed.tag, sealed.salt, sealed.commitment)] == [
        12,
        16,
        24,
        32,
    ]
    assert sealed.context == "patient/7"
    raw = data.encode() if isinstance(data, str) else data
    assert await service.decrypt_sensitive_data(sealed) == raw
    assert (await key_manager.client.crypto.decrypt(sealed.message, context="patient/7")).plaintext == raw


async def test_no_part_can_be_changed(service):
    sealed = await service.encrypt_sensitive_data("secret", "patient/7")
    for name in ("ciphertext", "nonce", "tag", "salt", "commitment"):
        part = getattr(sealed, name)
        for changed in (bytes([part[0] ^ 1]) + part[1:], part[:-1], b""):
            with pytest.raises(Invalid):
                await service.decrypt_sensitive_data(dataclasses.replace(sealed, **{name: changed}))
    for change in ({"key_version": 2}, {"alg": "chacha20-poly1305"}, {"context": "patient/8"}):
        with pytest.raises(Invalid):
            await service.decrypt_sensitive_data(dataclasses.replace(sealed, **change))
    with pytest.raises(Invalid):
        await service.decrypt_sensitive_data(sealed, context="patient/8")
    assert "patient" not in repr(sealed)


async def test_the_service_needs_a_context_that_is_one(service, fake):
    for wrong in (None, 7, "tky_x", {"a": "b"}):
        with pytest.raises(ValueError, match="context"):
            await service.encrypt_sensitive_data("x", wrong)
    assert fake.crypto.asked == []


if documents.DOCUMENTS:

    async def test_the_service_in_the_documents_runs_as_it_stands(exported):
        own = described("class EncryptionService", "AES.MODE_GCM")["EncryptionService"](exported)
        for data in ("Grüße", b"\x00\xff"):
            sealed = await own.encrypt_sensitive_data(data, "patient/7")
            assert isinstance(sealed, Sealed)
            assert await open_here(exported, sealed) == (data.encode() if isinstance(data, str) else data)
