"""Sealing and opening against the real program: how much at once, who may, and what stays behind."""

from __future__ import annotations

import hashlib
import uuid

import pytest

from tutela import Corrupt, Invalid, PermissionDenied, Tutela
from tutela.crypto import DecryptItem, EncryptItem

LARGE = 50 << 20


async def test_a_batch_of_ten_thousand_is_answered_item_by_item(sealer):
    items = [EncryptItem(text=f"item {n}", context=str(n % 7)) for n in range(10_000)]
    sealed = [item.unwrap().message for item in await sealer.crypto.encrypt_many(items)]
    assert len(set(sealed)) == 10_000
    wrong = {3, 9_999}
    asked = [DecryptItem(m, "other" if n in wrong else str(n % 7)) for n, m in enumerate(sealed)]
    opened = await sealer.crypto.decrypt_many(asked)
    assert {n for n, item in enumerate(opened) if item.error is not None} == wrong
    texts = [item.unwrap().text for n, item in enumerate(opened) if n not in wrong]
    assert texts == [f"item {n}" for n in range(10_000) if n not in wrong]


async def test_fifty_mebibytes_pass_as_a_stream_and_come_back(sealer, tmp_path):
    plain, sealed, opened = (tmp_path / name for name in ("plain", "sealed", "opened"))
    plain.write_bytes(hashlib.shake_128(b"tutela").digest(LARGE))
    await sealer.crypto.encrypt_file(plain, sealed, context="backup/ö")
    assert sealed.stat().st_size == 78 + LARGE + 16 * (LARGE // 16_384 + 1)
    await sealer.crypto.decrypt_file(sealed, opened, context="backup/ö")
    assert opened.read_bytes() == plain.read_bytes()
    with pytest.raises(Invalid):
        await sealer.crypto.decrypt_file(sealed, tmp_path / "none", context="backup")
    with sealed.open("r+b") as file:
        file.seek(LARGE // 2)
        byte = file.read(1)
        file.seek(LARGE // 2)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(Corrupt):
        await sealer.crypto.decrypt_file(sealed, tmp_path / "none", context="backup/ö")
    assert not (tmp_path / "none").exists()


async def test_each_call_needs_its_permission(sealer, vault):
    sealed = (await sealer.crypto.encrypt(text="x")).message
    async with Tutela(vault.own, vault.key("crypto:encrypt")) as writer:
        await writer.crypto.encrypt(text="x")
        for call in (
            lambda: writer.crypto.decrypt(sealed),
            lambda: writer.crypto.rewrap(sealed),
            lambda: writer.crypto.key(),
            lambda: writer.crypto.derive("a", key="exported"),
        ):
            with pytest.raises(PermissionDenied):
                await call()


async def test_no_plaintext_and_no_derived_key_is_left_on_disk(sealer, vault, exported):
    marker = uuid.uuid4().hex
    sealed = await sealer.crypto.encrypt(text=marker, context="here")
    assert (await sealer.crypto.decrypt(sealed.message, context="here")).text == marker
    key = await exported.get_key("here")
    made = await sealer.crypto.data_key(with_plaintext=True)
    kept = [path.read_bytes() for path in vault.folder.rglob("*") if path.is_file()]
    assert len(kept) > 2
    for secret in (marker.encode(), bytes(key), made.plaintext, bytes(key).hex().encode()):
        assert not any(secret in content for content in kept)
