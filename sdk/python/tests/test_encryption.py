"""`Encryption`: values in, messages out."""

from __future__ import annotations

import documents
import pytest
from sealing_app import FieldByField, described

from tutela import Invalid, NotFound, Unavailable
from tutela.crypto import DerivedKey, KeyHandle, KeyManager
from tutela.security import Encryption

BOTH = {
    "aes-256-gcm": {"key_size": 256, "mode": "GCM", "iv_size": 12},
    "chacha20-poly1305": {"key_size": 256, "nonce_size": 12},
}
VALUES = [
    None,
    True,
    0,
    2**70,
    -1.5e300,
    "",
    "Grüße 😀",
    b"",
    b"\x00\xff",
    [1, [None, b"x"]],
    {"a": {"b": b"y"}, "": []},
]


@pytest.fixture
def encryption(client):
    return Encryption(client=client)


@pytest.fixture
def key_manager(client):
    return KeyManager(client=client)


def test_known_algorithms_are_taken(client):
    assert Encryption(BOTH, client).algorithms == BOTH
    assert list(Encryption(client=client).algorithms) == list(BOTH)
    assert list(Encryption({"chacha20-poly1305": {}}, client).algorithms) == ["chacha20-poly1305"]


@pytest.mark.parametrize(
    ("algorithms", "words"),
    [
        ({"aes-256-gmc": {}}, "aes-256-gmc.*did you mean `aes-256-gcm`.*chacha20-poly1305"),
        ({"aes-128-gcm": {}}, "aes-128-gcm.*valid are `aes-256-gcm`, `chacha20-poly1305`"),
        ({"aes-256-gcm-plain": {}}, "unknown.*valid are"),
        ({"aes-256-gcm": {"key_size": 128}}, "aes-256-gcm.key_size.*256.*128"),
        ({"aes-256-gcm": {"key_size": 256.0}}, "aes-256-gcm.key_size.*256"),
        ({"aes-256-gcm": {"mode": "CBC"}}, "aes-256-gcm.mode.*GCM.*CBC"),
        ({"aes-256-gcm": {"iv_size": 16}}, "aes-256-gcm.iv_size.*12.*16"),
        ({"aes-256-gcm": {"nonce_size": 12}}, "nonce_size.*iv_size.*key_size.*mode"),
        ({"chacha20-poly1305": {"nonce_size": 24}}, "chacha20-poly1305.nonce_size.*12.*24"),
        ({"chacha20-poly1305": {"mode": "GCM"}}, "mode.*key_size.*nonce_size"),
        ({"aes-256-gcm": None}, "aes-256-gcm.*mapping.*key_size"),
        ({}, "at least one.*aes-256-gcm.*chacha20-poly1305"),
        (["aes-256-gcm"], "at least one"),
    ],
)
def test_wrong_algorithms_are_named(client, algorithms, words):
    with pytest.raises(ValueError, match=words):
        Encryption(algorithms, client)


@pytest.mark.parametrize("value", VALUES, ids=repr)
async def test_every_value_comes_back_as_it_was(encryption, key_manager, value):
    key = await key_manager.get_current_key()
    message = await encryption.encrypt(value, key=key, context="a")
    assert message.startswith("tut1.")
    opened = await encryption.decrypt(message, key=key, context="a")
    assert (opened, type(opened)) == (value, type(value))


async def test_what_would_come_back_as_something_else_is_refused_and_nothing_is_sent(encryption, fake):
    for wrong in (float("nan"), {1: "a"}, {"a": {"$bytes": "x"}}, "\ud800"):
        with pytest.raises(ValueError):
            await encryption.encrypt(wrong)
    with pytest.raises(TypeError):
        await encryption.encrypt(object())
    assert fake.crypto.asked == []


async def test_each_algorithm_seals_with_itself_and_opens_only_as_itself(encryption):
    for algorithm, other in (("aes-256-gcm", "chacha20-poly1305"), ("chacha20-poly1305", "aes-256-gcm")):
        message = await encryption.encrypt("x", algorithm=algorithm)
        assert await encryption.decrypt(message, algorithm=algorithm) == "x"
        with pytest.raises(Invalid, match=f"{algorithm}.*{other}"):
            await encryption.decrypt(message, algorithm=other)


async def test_an_algorithm_that_is_not_in_use_is_refused(client):
    encryption = Encryption({"chacha20-poly1305": {}}, client)
    assert await encryption.decrypt(await encryption.encrypt("x"), algorithm="chacha20-poly1305") == "x"
    with pytest.raises(ValueError, match="aes-256-gcm.*valid are `chacha20-poly1305`"):
        await encryption.encrypt("x", algorithm="aes-256-gcm")


async def test_a_message_of_another_key_is_refused_without_asking(encryption, key_manager, fake):
    key = await key_manager.get_current_key()
    message = await encryption.encrypt("x", key=key)
    asked = len(fake.crypto.asked)
    other = KeyHandle("tky_" + "0" * 32, "other", 1)
    for wrong in (other, other.id):
        with pytest.raises(Invalid, match=f"{key.id}.*{other.id}"):
            await encryption.decrypt(message, key=wrong)
    with pytest.raises(ValueError, match="handle or a key's id"):
        await encryption.decrypt(message, key="default")
    with pytest.raises(ValueError, match="stay in tutela"):
        await encryption.encrypt("x", key=b"k" * 32)
    assert len(fake.crypto.asked) == asked


async def test_a_message_of_an_older_version_of_the_key_still_opens(encryption, key_manager, fake):
    message = await encryption.encrypt("x", key=await key_manager.get_current_key())
    fake.crypto.keys["default"].rotate()
    key = await key_manager.get_current_key()
    assert key.version == 2
    assert await encryption.decrypt(message, key=key) == "x"


@pytest.mark.parametrize("context", ["", "a", {"table": "patients", "column": "name"}])
async def test_a_message_opens_in_its_context_alone(encryption, context):
    message = await encryption.encrypt("x", context=context)
    assert await encryption.decrypt(message, context=context) == "x"
    for other in (None, "b", {"table": "patients"}):
        with pytest.raises(Invalid):
            await encryption.decrypt(message, context=other)


async def test_a_handle_brings_its_context_along(encryption, key_manager):
    key = await key_manager.get_key("order/7")
    message = await encryption.encrypt("x", key=key)
    assert await encryption.decrypt(message, context="order/7") == "x"
    assert await encryption.decrypt(message, key=key, context="order/7") == "x"
    with pytest.raises(Invalid):
        await encryption.decrypt(message)
    with pytest.raises(ValueError, match="another context"):
        await encryption.decrypt(message, key=key, context="order/8")


async def test_a_derived_key_names_its_key_and_context_too(encryption, client):
    key = await KeyManager(client=client, key="exported").get_key("order/7")
    assert isinstance(key, DerivedKey)
    message = await encryption.encrypt("x", key=key)
    assert await encryption.decrypt(message, key=key.key_id, context="order/7") == "x"


async def test_contexts_that_could_be_taken_for_others_are_refused(encryption):
    for wrong in ("tky_x", {}, {"a": 1}, ["a"], 7):
        with pytest.raises(ValueError, match="context"):
            await encryption.encrypt("x", context=wrong)


async def test_changed_and_foreign_messages_do_not_open(encryption):
    message = await encryption.encrypt("x")
    flipped = message[:-3] + ("A" if message[-3] != "A" else "B") + message[-2:]
    for wrong in (flipped, message[:60], message + "AAAA", "tut2" + message[4:], "x", "", 7, None, {}):
        with pytest.raises(Invalid):
            await encryption.decrypt(wrong)


async def test_a_batch_is_answered_item_by_item(encryption):
    messages = [item.unwrap() for item in await encryption.encrypt_many([None, 1, "two"], context="c")]
    items = await encryption.decrypt_many([messages[0], "no message", messages[2]], context="c")
    assert [item.error is None for item in items] == [True, False, True]
    assert (items[0].unwrap(), items[2].unwrap()) == (None, "two")
    with pytest.raises(Invalid):
        items[1].unwrap()


async def test_each_item_of_a_batch_may_have_its_own_context(encryption):
    contexts = ["a", None, {"b": "c"}]
    messages = [item.unwrap() for item in await encryption.encrypt_many([1, 2, 3], contexts=contexts)]
    opened = await encryption.decrypt_many(messages, contexts=contexts)
    assert [item.unwrap() for item in opened] == [1, 2, 3]
    swapped = await encryption.decrypt_many(messages, contexts=contexts[::-1])
    assert [item.error is None for item in swapped] == [False, True, False]
    with pytest.raises(ValueError, match="contexts"):
        await encryption.encrypt_many([1, 2], contexts=["a"])
    with pytest.raises(ValueError, match="contexts"):
        await encryption.encrypt_many([1], contexts=["a"], context="b")


async def test_without_an_answer_there_is_no_message(encryption, fake):
    fake.down = True
    with pytest.raises(Unavailable):
        await encryption.encrypt("x")


async def test_a_record_sealed_field_by_field_by_the_application(encryption, key_manager):
    records = FieldByField(encryption, key_manager, {"name", "size"})
    row = {"id": 1, "name": "Ada", "size": 1.7}
    closed = await records.close(row)
    assert closed["id"] == 1 and "Ada" not in str(closed)
    assert await records.open(closed) == row | {"key_id": closed["key_id"]}
    with pytest.raises(NotFound):
        await records.open(closed | {"key_id": "tky_" + "0" * 32})
    with pytest.raises(Invalid):
        await records.open(closed | {"name": closed["name"][:-4] + "AAAA"})


if documents.DOCUMENTS:

    async def test_the_class_in_the_documents_runs_as_it_stands(client):
        found = described("class SecureData", "KeyManager(")
        found["encryption"].client = found["key_manager"].client = client

        class Patient(found["SecureData"]):
            def is_sensitive(self, field):
                return field == "name"

        key = await found["key_manager"].get_current_key()
        row = {"id": 1, "name": "Ada", "key_id": key.id}
        stored = await Patient(row).encrypt()
        assert stored["name"].startswith("tut1.")
        assert await Patient({}).decrypt(stored) == row
