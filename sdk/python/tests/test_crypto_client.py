"""`Tutela.crypto` against the wire: what is sent, what comes back, and what is not believed."""

from __future__ import annotations

import base64
import json

import httpx
import pytest

from tutela import Corrupt, Invalid, NotFound, PermissionDenied, Tutela
from tutela.crypto import (
    DecryptItem,
    EncryptItem,
    FieldPolicy,
    FieldRule,
    IndexItem,
    RecordItem,
    RewrapItem,
)

POLICY = FieldPolicy([FieldRule("name", "equality", index_bits=16), FieldRule("email", "deterministic")])


@pytest.fixture
def crypto(client):
    return client.crypto


async def test_each_thing_is_sent_as_given(crypto, fake):
    await crypto.encrypt(
        b"\x00\xff", key="default", context="c", algorithm="chacha20-poly1305", form="binary"
    )
    await crypto.encrypt(text="ö")
    await crypto.encrypt(value={"b": 1, "a": None})
    assert fake.crypto.asked == [
        (
            "encrypt",
            {
                "plaintext": "AP8=",
                "key": "default",
                "context": "c",
                "algorithm": "chacha20-poly1305",
                "form": "binary",
            },
        ),
        ("encrypt", {"text": "ö"}),
        ("encrypt", {"text": '{"b":1,"a":null}'}),
    ]
    assert EncryptItem(text="x", subject="account-1").to_wire() == {"text": "x", "subject": "account-1"}


async def test_exactly_one_thing_is_sealed_under_one_key(crypto, fake):
    for wrong in ({}, {"text": "a", "value": 1}, {"plaintext": b"", "text": ""}):
        with pytest.raises(ValueError, match="exactly one"):
            await crypto.encrypt(**wrong)
    with pytest.raises(ValueError, match="not both"):
        await crypto.encrypt(text="a", key="default", subject="account-1")
    assert fake.crypto.asked == []


@pytest.mark.parametrize("form", ["text", "binary", "json"])
@pytest.mark.parametrize(
    "algorithm",
    ["aes-256-gcm", "chacha20-poly1305", "aes-256-gcm-siv", "aes-256-gcm-plain", "chacha20-poly1305-plain"],
)
async def test_every_algorithm_opens_in_every_form(crypto, form, algorithm):
    sealed = await crypto.encrypt(b"\x00\xff", context={"a": "b"}, algorithm=algorithm, form=form)
    assert isinstance(sealed.message, dict if form == "json" else str)
    opened = await crypto.decrypt(sealed.message, context={"a": "b"})
    assert opened.plaintext == b"\x00\xff"
    assert (opened.key_id, opened.key_version) == (sealed.key_id, sealed.key_version)
    assert "xff" not in repr(opened)


async def test_what_was_sealed_otherwise_is_no_text_and_no_value(crypto):
    opened = await crypto.decrypt((await crypto.encrypt(b"\xff")).message)
    for read in ("text", "value"):
        with pytest.raises(Corrupt):
            getattr(opened, read)
    assert (await crypto.decrypt((await crypto.encrypt(text="[1]")).message)).value == [1]


async def test_what_does_not_open_says_no_more(crypto):
    with pytest.raises(Invalid) as caught:
        await crypto.decrypt((await crypto.encrypt(text="x", context="a")).message, context="b")
    assert caught.value.remote
    assert type(caught.value.for_visitor()).__name__ == "Internal"


async def test_no_call_asks_the_server_to_keep_its_answer(crypto, fake):
    sealed = await crypto.encrypt(text="x")
    await crypto.decrypt(sealed.message)
    await crypto.rewrap(sealed.message)
    await crypto.data_key(with_plaintext=True)
    await crypto.derive("a", key="exported")
    assert len(fake.requests) == 5
    assert not any("idempotency-key" in headers for _, _, headers in fake.requests)


async def test_a_passing_failure_is_retried(crypto, fake):
    fake.answers = [503]
    assert (await crypto.decrypt((await crypto.encrypt(text="x")).message)).text == "x"


async def test_rewrapping_moves_a_message_to_the_newest_version_or_another_key(crypto, fake):
    old = (await crypto.encrypt(text="x", context="c")).message
    same = await crypto.rewrap(old, context="c")
    assert (same.changed, same.message) == (False, old)
    fake.crypto.keys["default"].rotate()
    new = await crypto.rewrap(old, context="c")
    assert (new.changed, new.key_version) == (True, 2)
    other = await crypto.rewrap(old, context="c", to_key="exported", form="json")
    assert other.message["key_id"] == other.key_id != new.key_id
    for message in (new.message, other.message):
        assert (await crypto.decrypt(message, context="c")).text == "x"
    with pytest.raises(Invalid):
        await crypto.rewrap(old)


async def test_a_data_key_comes_wrapped_and_in_the_clear_only_where_asked_for(crypto):
    closed = await crypto.data_key(context="disk")
    assert closed.plaintext is None
    opened = await crypto.data_key("exported", context="disk", with_plaintext=True)
    assert len(opened.plaintext) == 32
    assert opened.plaintext.hex() not in repr(opened) and repr(opened.plaintext) not in repr(opened)
    assert (await crypto.decrypt(opened.wrapped, context="disk")).plaintext == opened.plaintext


async def test_records_are_sealed_by_a_policy_and_found_by_their_index(crypto, fake):
    fake.crypto.policies = {"patients": POLICY.to_wire()}
    record = {"id": 1, "name": "Ada", "email": "a@b.c"}
    for policy in (POLICY, "patients"):
        sealed = await crypto.seal_record(record, policy=policy, record_id="1")
        assert sealed["name"] != "Ada" and sealed["id"] == 1
        assert await crypto.open_record(sealed, policy=policy, record_id="1") == record
        assert sealed["name_index"] in await crypto.index("Ada", policy=policy, path="name")
        assert sealed["email"] in await crypto.index("a@b.c", policy=policy, path="email")
        assert sealed["name_index"] not in await crypto.index("Eve", policy=policy, path="name")
    fake.crypto.keys["default"].rotate()
    assert len(await crypto.index("Ada", policy="patients", path="name")) == 2


async def test_batches_are_answered_item_by_item_and_in_order(crypto):
    sealed = await crypto.encrypt_many([EncryptItem(text=t, context=t) for t in ("a", "b", "c")])
    messages = [item.unwrap().message for item in sealed]
    opened = await crypto.decrypt_many([DecryptItem(m, c) for m, c in zip(messages, "aXc", strict=True)])
    assert [item.status for item in opened] == [200, 422, 200]
    assert [item.unwrap().text for item in (opened[0], opened[2])] == ["a", "c"]
    assert opened[1].answer is None and isinstance(opened[1].error, Invalid)
    with pytest.raises(Invalid):
        opened[1].unwrap()
    moved = await crypto.rewrap_many([RewrapItem(messages[0], "a", "exported"), RewrapItem("tut1.AA")])
    assert [item.status for item in moved] == [200, 422]
    records = [RecordItem(POLICY, n, {"name": n, "email": n}) for n in ("1", "2")]
    sealed_records = [item.unwrap() for item in await crypto.seal_records(records)]
    swapped = [RecordItem(POLICY, n, r) for n, r in zip("13", sealed_records, strict=True)]
    assert [item.status for item in await crypto.open_records(swapped)] == [200, 422]
    tokens = await crypto.index_many([IndexItem(POLICY, "name", n) for n in ("1", "2")])
    assert [r["name_index"] in item.unwrap() for r, item in zip(sealed_records, tokens, strict=True)] == [
        True
    ] * 2
    assert await crypto.encrypt_many([]) == []


async def test_a_large_batch_goes_in_parts_of_so_many_and_so_long(crypto, fake):
    items = [EncryptItem(text=str(n)) for n in range(10_001)]
    assert len({item.unwrap().message for item in await crypto.encrypt_many(items)}) == 10_001
    assert [len(body) for _, body in fake.crypto.asked] == [10_000, 1]
    fake.crypto.asked.clear()
    await crypto.encrypt_many([EncryptItem(text="ö" * 1_000_000) for _ in range(9)])
    assert [len(body) for _, body in fake.crypto.asked] == [4, 4, 1]
    assert all(len(json.dumps(body, ensure_ascii=False).encode()) < 8 << 20 for _, body in fake.crypto.asked)


async def test_a_wrong_item_keeps_the_whole_batch_from_being_sent(crypto, fake):
    items = [EncryptItem(text=str(n)) for n in range(10_001)]
    with pytest.raises(ValueError):
        await crypto.encrypt_many([*items, EncryptItem()])
    assert fake.crypto.asked == []


async def test_keys_are_read_by_name_by_id_and_page_by_page(crypto, fake):
    key = await crypto.key()
    assert (key.name, key.version, key.export) == ("default", 1, False)
    assert await crypto.key(key.id) == key
    assert [found.name async for found in crypto.keys()] == ["default", "exported"]
    with pytest.raises(NotFound):
        await crypto.key("none")
    for wrong in ("", "a/b", "..", "a?b"):
        with pytest.raises(ValueError, match="name of a key"):
            await crypto.key(wrong)


async def test_a_key_that_may_not_leave_does_not(crypto, fake):
    with pytest.raises(PermissionDenied):
        await crypto.derive("a", key="default")
    assert fake.crypto.derived == 0


KEY_ID = "tky_" + "0" * 32
SHORT = base64.b64encode(b"short").decode()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"message":7,"key_id":"a","key_version":1}',
        '{"message":"tut1.x","key_id":"a","key_version":true}',
        '{"message":"tut1.x","key_version":1}',
    ],
)
async def test_an_answer_that_is_not_whole_is_no_message(body):
    client = Tutela(api_key="k", transport=httpx.MockTransport(lambda _: httpx.Response(200, text=body)))
    with pytest.raises(Corrupt):
        await client.crypto.encrypt(text="x")


@pytest.mark.parametrize(
    ("call", "body"),
    [
        (lambda c: c.decrypt("m"), {"plaintext": "not base64!", "key_id": KEY_ID, "key_version": 1}),
        (lambda c: c.derive("a"), {"key": SHORT, "key_id": KEY_ID, "key_version": 1}),
        (lambda c: c.index("v", policy="p", path="f"), {"tokens": [1]}),
        (lambda c: c.encrypt_many([EncryptItem(text="x")] * 2), {"results": [{"status": 200}]}),
        (lambda c: c.encrypt_many([EncryptItem(text="x")]), {"results": [{"status": 200}]}),
        (lambda c: c.encrypt_many([EncryptItem(text="x")]), {"results": [7]}),
    ],
)
async def test_other_answers_that_are_not_whole_are_not_believed(call, body):
    client = Tutela(api_key="k", transport=httpx.MockTransport(lambda _: httpx.Response(200, json=body)))
    with pytest.raises(Corrupt):
        await call(client.crypto)
