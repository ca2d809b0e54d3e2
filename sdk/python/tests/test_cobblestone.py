"""Suite 1 against others: its body is a Cobblestone-256 ciphertext of C2SP chunked-encryption.

`cryptography` has the construction, written by other people. It opens what we seal, and we open what it
seals, given nothing but the data key and the canonical bytes of the context.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from message_vectors import pattern
from tutela_message import HEAD as HEAD_SIZE
from tutela_message import SUITES, Bound, Head, Refused, expand, open_binary, seal

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
HEAD = Head(SUITES[1], bytes(range(16)), 3)
BOUNDS = {
    "none": Bound(),
    "text": Bound("patient/7"),
    "pairs": Bound({"table": "patients", "column": "name"}),
    "wrapped": Bound(purpose="wrap", record=bytes(16), wrapped_version=2),
}
SIZES = [0, 1, 6, 16_383, 16_384, 16_385, 40_000]
bounds = pytest.mark.parametrize("bound", BOUNDS.values(), ids=BOUNDS)


def opened_elsewhere(message, bound, key=KEY):
    decryptor = Cobblestone256Decryptor(key, bound.encode(HEAD))
    return decryptor.update(message[HEAD_SIZE:]) + decryptor.finalize()


@bounds
@pytest.mark.parametrize("size", SIZES)
def test_another_library_opens_what_we_seal(bound, size):
    for fresh in (b"s" * 24, b"r" * 32):
        message = seal(HEAD, KEY, pattern(size), bound, fresh)
        assert opened_elsewhere(message, bound) == pattern(size)


@bounds
@pytest.mark.parametrize("size", SIZES)
def test_we_open_what_another_library_seals(bound, size):
    encryptor = Cobblestone256Encryptor(KEY, bound.encode(HEAD))
    body = encryptor.update(pattern(size)) + encryptor.finalize()
    assert open_binary(HEAD.encode() + body, lambda *_: KEY, bound) == pattern(size)


def test_both_refuse_another_key_another_context_and_changed_bytes():
    bound = BOUNDS["text"]
    message = seal(HEAD, KEY, pattern(20_000), bound, b"s" * 24)
    changed = [bytearray(message) for _ in range(4)]
    for copy, at in zip(changed, (22, 50, 80, -1), strict=True):
        copy[at] ^= 1
    wrong = [(bytes(copy), bound, KEY) for copy in changed]
    wrong += [(message, bound, OTHER), (message, Bound("patient/8"), KEY), (message, Bound(), KEY)]
    wrong += [(message[: 78 + 16_400], bound, KEY), (message[:-1], bound, KEY)]
    for sealed, context, key in wrong:
        with pytest.raises(InvalidTag):
            opened_elsewhere(sealed, context, key)
        with pytest.raises(Refused):
            open_binary(sealed, lambda *_, key=key: key, context)


def test_the_vectors_of_c2sp_open_with_their_context_alone():
    # Wycheproof, c2sp_chunked_encryption_aes_256_gcm, tcId 9.
    vector = bytes.fromhex(
        "dbedaefc1c35dc6c0f22b743b03e488747166a51f33479e7ceb8b7e11cc0d2710f624a127501bc4aea7d0af6f83cfe35"
        "9b9e69415aa537f36adf86eb35b070475baa039bb7791432adbca49578bbd3"
    )
    key, message = b"YELLOW SUBMARINE YELLOW SUBMARIN", HEAD.encode() + vector
    for context, opens in ((b"test context", True), (b"", False)):
        bound = SimpleNamespace(encode=lambda head, context=context: context)
        if opens:
            assert len(open_binary(message, lambda *_: key, bound)) == 7
            assert open_binary(message, lambda *_: key, bound) == opened_elsewhere(message, bound, key)
        else:
            with pytest.raises(Refused):
                open_binary(message, lambda *_: key, bound)


def test_expand_is_that_of_rfc_5869():
    # RFC 5869 appendix A.1: PRK, info, and 42 bytes of output.
    prk = bytes.fromhex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5")
    okm = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    assert expand(prk, bytes.fromhex("f0f1f2f3f4f5f6f7f8f9"), 42).hex() == okm


@pytest.mark.parametrize("name", ["sha256", "sha512"])
@pytest.mark.parametrize("size", [1, 32, 33, 64, 76, 129])
def test_expand_is_that_of_another_library(name, size):
    algorithm = hashes.SHA256() if name == "sha256" else hashes.SHA512()
    # A pseudorandom key of full length, as the library wants one; HMAC pads a shorter one with zeros.
    prk = KEY.ljust(algorithm.digest_size, b"\x00")
    assert expand(KEY, b"info", size, name) == HKDFExpand(algorithm, size, b"info").derive(prk)
