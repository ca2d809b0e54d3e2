"""`SecureData`: what is sealed, what stays, and what is refused."""

from __future__ import annotations

import json

import httpx
import pytest

from tutela import Corrupt, Invalid, SecureData, Tutela
from tutela.crypto import KeyManager
from tutela.security import Encryption

ROW = {"id": 7, "name": "Ada", "salary": 0.1 + 0.2, "photo": b"\x89PNG", "tags": [1, None, {"a": b"b"}]}
SECRET = {"name", "salary", "photo", "tags"}


@pytest.fixture(params=[None, "patient/7"], ids=["by_field", "as_record"])
def record_id(request):
    return request.param


@pytest.fixture
def sealed_by(client):
    encryption, key_manager = Encryption(client=client), KeyManager(client=client)

    def make(data=None, **more):
        given = {"encryption": encryption, "key_manager": key_manager, "sensitive": SECRET}
        return SecureData(data, **given, **more)

    return make


async def test_the_record_comes_back_as_it_was(sealed_by, record_id, fake):
    stored = await sealed_by(ROW, record_id=record_id).encrypt()
    assert stored["id"] == 7
    assert stored["key_id"] == fake.crypto.keys["default"].wire()["id"]
    assert ("$tutela" in stored) == (record_id is not None)
    stored = json.loads(json.dumps(stored))
    for name in SECRET:
        assert stored[name].startswith(("tut1.", "tutf1."))
    assert await sealed_by(record_id=record_id).decrypt(stored) == ROW


async def test_what_is_not_sensitive_is_not_sent(sealed_by, record_id, fake):
    stored = await sealed_by({"id": 2**80, "name": "Ada"}, record_id=record_id).encrypt()
    assert (await sealed_by(record_id=record_id).decrypt(stored))["id"] == 2**80
    assert str(2**80) not in json.dumps([body for _, body in fake.crypto.asked])


async def test_one_request_seals_all_fields(sealed_by, record_id, fake):
    await sealed_by(ROW, record_id=record_id).encrypt()
    assert len(fake.crypto.asked) == 1


async def test_swapped_fields_are_refused(sealed_by, record_id):
    stored = await sealed_by(ROW, record_id=record_id).encrypt()
    stored["name"], stored["tags"] = stored["tags"], stored["name"]
    with pytest.raises(Invalid):
        await sealed_by(record_id=record_id).decrypt(stored)


async def test_a_field_in_the_clear_is_refused(sealed_by, record_id):
    stored = await sealed_by({"id": 7, "name": "Ada"}, record_id=record_id).encrypt()
    for planted in ({"salary": 9000}, {"name": "Eve"}, {"name": None}):
        with pytest.raises(Invalid):
            await sealed_by(record_id=record_id).decrypt(stored | planted)
    for planted in ({"name": "Eve"}, {"name": "Eve", "key_id": stored["key_id"]}):
        with pytest.raises(Invalid):
            await sealed_by(record_id=record_id).decrypt(planted)


async def test_a_record_opens_only_as_itself(sealed_by):
    stored = await sealed_by(ROW, record_id="patient/7").encrypt()
    other = await sealed_by(ROW | {"name": "Eve"}, record_id="patient/7").encrypt()
    for wrong in (stored | {"name": other["name"]}, {k: v for k, v in stored.items() if k != "name"}):
        with pytest.raises(Invalid):
            await sealed_by(record_id="patient/7").decrypt(wrong)
    with pytest.raises(Invalid):
        await sealed_by(record_id="patient/8").decrypt(stored)
    with pytest.raises(Invalid, match="opens only with"):
        await sealed_by().decrypt(stored)
    by_field = await sealed_by(ROW).encrypt()
    with pytest.raises(Invalid):
        await sealed_by(record_id="patient/7").decrypt(by_field)


async def test_marks_cannot_be_taken_off(sealed_by, record_id):
    stored = await sealed_by(ROW, record_id=record_id).encrypt()
    marks = {"key_id", "$tutela"} & stored.keys()
    for mark in marks:
        with pytest.raises(Invalid):
            await sealed_by(record_id=record_id).decrypt({k: v for k, v in stored.items() if k != mark})
    with pytest.raises(Invalid):
        await sealed_by(record_id=record_id).decrypt({"id": 7, "key_id": stored["key_id"]})


async def test_an_own_is_sensitive_decides(sealed_by, record_id, client):
    class Patient(SecureData):
        def is_sensitive(self, field):
            return field.startswith("secret_")

    made = {"encryption": Encryption(client=client), "record_id": record_id}
    stored = await Patient({"secret_a": 1, "b": 2}, **made).encrypt()
    assert stored["b"] == 2 and stored["secret_a"] != 1
    assert await Patient(**made).decrypt(stored) == {"secret_a": 1, "b": 2}


async def test_nothing_sensitive_is_nothing_to_seal(sealed_by, record_id, fake):
    assert await sealed_by({"id": 7}, record_id=record_id).encrypt() == {"id": 7}
    assert await sealed_by(record_id=record_id).decrypt({"id": 7}) == {"id": 7}
    assert fake.crypto.asked == []


async def test_names_and_values_that_cannot_be_kept_are_refused(sealed_by, fake):
    for wrong in ({"name": "x", "key_id": "x"}, {"name": "x", "$tutela": "x"}, {"name": {1: 2}}):
        with pytest.raises(ValueError):
            await sealed_by(wrong).encrypt()
    with pytest.raises(ValueError, match="64 bits"):
        await sealed_by({"name": 2**64}, record_id="1").encrypt()
    with pytest.raises(ValueError, match="dot"):
        await Dotted({"a.b": 1}, encryption=sealed_by().encryption, record_id="1").encrypt()
    assert fake.crypto.asked == []


async def test_wrong_arguments_are_named(client):
    with pytest.raises(ValueError, match="sensitive"):
        SecureData({}, encryption=Encryption(client=client), sensitive="name")
    with pytest.raises(ValueError, match="record_id"):
        SecureData({}, encryption=Encryption(client=client), record_id="")


async def test_a_server_that_leaves_a_field_out_is_not_believed(sealed_by):
    stored = await sealed_by(ROW, record_id="1").encrypt()
    answer = httpx.MockTransport(lambda _: httpx.Response(200, json={"record": {"name": "Ada"}}))
    encryption = Encryption(client=Tutela(api_key="k", transport=answer))
    with pytest.raises(Corrupt, match="each field"):
        await SecureData(encryption=encryption, sensitive=SECRET, record_id="1").decrypt(stored)


class Dotted(SecureData):
    def is_sensitive(self, field):
        return "." in field
