"""The second implementation of the message format: what opens, and what does not."""

from __future__ import annotations

import base64
import io
import json
import sys
from types import SimpleNamespace

import pytest
import tutela_message
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from tutela_forms import from_text, open_any, open_parts, to_parts, to_text
from tutela_message import (
    BY_NAME,
    SUITES,
    Bound,
    Head,
    Refused,
    context_key,
    derive,
    open_binary,
    seal,
)
from two_keys import FIRST, SECOND, two_key_ciphertext

ID, KEY, OTHER = bytes(range(16)), bytes(range(32)), bytes(range(1, 33))
CONTEXTS = [None, "", "patient/7", {"table": "patients", "column": "name"}]


def key_of(key=KEY):
    return lambda key_id, version: key


def fresh_for(suite, salt=b"\x07"):
    return salt * (12 if suite.aead is None else 24)


def sealed(suite, plaintext=b"secret", context="patient/7", fresh=None):
    head = Head(SUITES[suite], ID, 3)
    return seal(head, KEY, plaintext, Bound(context), fresh or fresh_for(head.suite))


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("context", CONTEXTS, ids=["none", "empty", "text", "pairs"])
def test_every_suite_opens_in_every_form_under_its_context_alone(suite, context):
    message, bound = sealed(suite, context=context), Bound(context)
    parts = to_parts(message, key_of(), bound)
    assert open_binary(message, key_of(), bound) == b"secret"
    assert open_any(to_text(message).encode() + b"\n", key_of(), bound) == b"secret"
    assert open_parts(parts, key_of(), bound) == b"secret"
    for other in CONTEXTS:
        if other != context:
            with pytest.raises(Refused):
                open_binary(message, key_of(), Bound(other))
    with pytest.raises(Refused):
        open_binary(message, key_of(OTHER), bound)


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("size", [0, 1, 16_383, 16_384, 16_385, 32_768, 50_000])
def test_every_length_opens(suite, size):
    plaintext = bytes(n % 251 for n in range(size))
    assert open_binary(sealed(suite, plaintext), key_of(), Bound("patient/7")) == plaintext


@pytest.mark.parametrize("suite", SUITES)
def test_no_bit_of_a_message_can_change(suite):
    message = sealed(suite)

    def only_its_own_key(key_id, version):
        # A plain suite binds its head only by the key that it names.
        if (key_id, version) != (ID, 3):
            raise Refused("no such key")
        return KEY

    # Suites that commit need no help: here every head finds the same data key.
    keys = only_its_own_key if SUITES[suite].aead is None else key_of()
    assert open_binary(message, keys, Bound("patient/7")) == b"secret"
    for bit in range(len(message) * 8):
        changed = bytearray(message)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Refused):
            open_binary(bytes(changed), keys, Bound("patient/7"))
    for end in range(len(message)):
        with pytest.raises(Refused):
            open_binary(message[:end], keys, Bound("patient/7"))
    with pytest.raises(Refused):
        open_binary(message + b"\x00", keys, Bound("patient/7"))


@pytest.mark.parametrize("suite", [1, 2, 5])
@pytest.mark.parametrize("size", [16_384 * 3, 16_384 * 2 + 9])
def test_chunks_cannot_be_cut_off_moved_or_doubled(suite, size):
    message, bound = sealed(suite, bytes(size)), Bound("patient/7")
    head, full = message[:78], 16_384 + 16
    chunks = [message[at : at + full] for at in range(78, len(message), full)]
    assert open_binary(head + b"".join(chunks), key_of(), bound) == bytes(size)
    last = len(chunks) - 1
    orders = [[*range(n)] for n in range(len(chunks))]  # cut off
    orders += [[n for n in range(len(chunks)) if n != gone] for gone in range(len(chunks))]
    orders += [[1, 0, *range(2, len(chunks))], [0, last, *range(1, last)], [0, 0, *range(1, len(chunks))]]
    orders += [[*range(len(chunks)), n] for n in range(len(chunks))]
    for order in orders:
        with pytest.raises(Refused):
            open_binary(head + b"".join(chunks[n] for n in order), key_of(), bound)


def test_plain_aes_gcm_opens_one_ciphertext_under_two_keys_and_the_committing_suite_does_not():
    attack = two_key_ciphertext(KEY, OTHER, ID, fresh_for(SUITES[1]), fresh_for(SUITES[4]))
    plain, committed = from_text(attack.plain), from_text(attack.committed)
    assert open_binary(plain, key_of(KEY), Bound())[:16] == FIRST
    assert open_binary(plain, key_of(OTHER), Bound())[16:32] == SECOND
    # The twin's chunk opens under both derived keys too; only the commitment stands in the way.
    head, salt = Head(SUITES[1], ID, 1), fresh_for(SUITES[1])
    for key in (KEY, OTHER):
        own, nonce, _ = derive(key, SUITES[1].aead, salt, Bound().encode(head))
        assert len(AESGCM(own).decrypt(nonce, attack.chunk, None)) == 48
    assert open_binary(committed, key_of(KEY), Bound())[:16] == FIRST
    with pytest.raises(Refused, match="commitment"):
        open_binary(committed, key_of(OTHER), Bound())


def test_a_plain_message_is_what_any_aes_gcm_makes_with_the_contexts_key():
    sealed_elsewhere = AESGCM(context_key(KEY, Bound("photos"))).encrypt(b"n" * 12, b"secret", b"photos")
    message = Head(SUITES[4], ID, 1).encode() + b"n" * 12 + sealed_elsewhere
    assert open_binary(message, key_of(), Bound("photos")) == b"secret"


def test_equal_values_are_equal_only_in_the_deterministic_suite_and_in_one_context():
    assert sealed(5, fresh=b"1" * 24) == sealed(5, fresh=b"2" * 24)
    assert sealed(5) != sealed(5, context="patient/8")
    assert sealed(5) != sealed(5, plaintext=b"secrets")
    assert sealed(1, fresh=b"1" * 24) != sealed(1, fresh=b"2" * 24)


def test_a_repeated_random_source_repeats_no_salt():
    def salt(plaintext, context):
        return sealed(1, plaintext, context, fresh=b"r" * 32)[22:46]

    assert salt(b"a", "x") == salt(b"a", "x")
    assert len({salt(b"a", "x"), salt(b"b", "x"), salt(b"a", "y"), salt(b"", "xa"), salt(b"a", None)}) == 5


def test_parts_that_run_into_each_other_are_bound_apart():
    head = Head(SUITES[1], ID, 1)
    bounds = [
        Bound(),
        Bound(""),
        Bound("ab"),
        Bound({"a": "b"}),
        Bound({"ab": ""}),
        Bound({"a": "", "b": ""}),
        Bound(record=b"ab"),
        Bound(record=b"a", context="b"),
        Bound(fields=(("ab", None),)),
        Bound(fields=(("a", "b"),)),
        Bound(fields=(("a", None), ("b", None))),
        Bound(fields=(("a", None),), wrapped_version=0x62),
        Bound(wrapped_version=0x61620000),
        Bound(wrapped_version=0),
        Bound(purpose="messageab"),
    ]
    assert len({bound.encode(head) for bound in bounds}) == len(bounds)
    with pytest.raises(Refused):
        Bound({}).encode(head)


def test_the_context_is_bound_as_the_bytes_that_were_sent():
    message = sealed(1, context="Gru\u0308ße")
    with pytest.raises(Refused):
        open_binary(message, key_of(), Bound("Grüße"))


@pytest.mark.parametrize("form", ["text", "binary", "base64", "parts"])
def test_the_command_opens_every_form(form, monkeypatch, capsysbinary):
    message = sealed(1)
    given = {
        "text": to_text(message).encode() + b"\n",
        "binary": message,
        "base64": base64.b64encode(message),
        "parts": json.dumps(to_parts(message, key_of(), Bound("patient/7"))).encode(),
    }[form]

    def run(*arguments):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(given)))
        return tutela_message.main(["open", "--key", KEY.hex(), *arguments])

    assert run("--context", "patient/7") == 0
    assert capsysbinary.readouterr().out == b"secret"
    assert run("--context", "patient/8") == 1
    assert run() == 1
    found = capsysbinary.readouterr()
    assert found.out == b"" and found.err.count(b"NOT OPENED") == 2
    for wrong in (["--key", "00"], ["--pair", "a=b", "--context", "c"], ["--pair", "a=b", "--pair", "a=c"]):
        with pytest.raises(SystemExit) as caught:
            run(*wrong)
        assert caught.value.code == 2


def test_algorithms_are_found_by_name():
    assert {name: suite.number for name, suite in BY_NAME.items()} == {
        "aes-256-gcm": 1,
        "chacha20-poly1305": 2,
        "aes-256-gcm-plain": 4,
        "aes-256-gcm-siv": 5,
        "chacha20-poly1305-plain": 6,
    }
