"""The independent verifier against trees built here from the definitions of RFC 6962 §2.1."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
import tlog_verify
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tlog_verify import Refused, Verified, verify

ORIGIN = "tutela.example/ledger"
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def b64(data):
    return base64.b64encode(data).decode()


def vkey(signer=SIGNER, name=ORIGIN):
    public = b"\x01" + signer.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    key_id = hashlib.sha256(name.encode() + b"\n" + public).hexdigest()[:8]
    return f"{name}+{key_id}+{b64(public)}"


def split(count):
    k = 1
    while k * 2 < count:
        k *= 2
    return k


def tree_hash(bodies):
    if not bodies:
        return hashlib.sha256().digest()
    if len(bodies) == 1:
        return hashlib.sha256(b"\x00" + bodies[0]).digest()
    k = split(len(bodies))
    return hashlib.sha256(b"\x01" + tree_hash(bodies[:k]) + tree_hash(bodies[k:])).digest()


def audit_path(index, bodies):
    if len(bodies) == 1:
        return []
    k = split(len(bodies))
    if index < k:
        return [*audit_path(index, bodies[:k]), tree_hash(bodies[k:])]
    return [*audit_path(index - k, bodies[k:]), tree_hash(bodies[:k])]


def signature_line(text, signer=SIGNER, name=ORIGIN):
    key_id = bytes.fromhex(vkey(signer, name).split("+")[1])
    return f"— {name} {b64(key_id + signer.sign(text.encode()))}\n"


def checkpoint(bodies, origin=ORIGIN, extension="", **by):
    text = f"{origin}\n{len(bodies)}\n{b64(tree_hash(bodies))}\n{extension}"
    return f"{text}\n{signature_line(text, **by)}"


def prove(index, bodies, extra=None, note=None):
    lines = ["c2sp.org/tlog-proof@v1"]
    if extra is not None:
        lines.append(f"extra {b64(extra)}")
    lines.append(f"index {index}")
    lines.extend(b64(step) for step in audit_path(index, bodies))
    return ("\n".join(lines) + "\n\n" + (note or checkpoint(bodies))).encode()


def bodies(count):
    return [json.dumps({"n": n}).encode() for n in range(count)]


def batched(which, items, /, before=3, after=2, **change):
    """A ledger whose leaf number `before` commits to `items`; returns the proof of one of them."""
    root = b64(tree_hash(items))
    leaf = json.dumps({"type": "gateway.requests", "items": {"root": root, "count": len(items)}}).encode()
    log = [*bodies(before), leaf, *bodies(after)]
    extra = {
        "item": which,
        "count": len(items),
        "hashes": [b64(step) for step in audit_path(which, items)],
        "leaf": b64(leaf),
        **change,
    }
    return prove(before, log, json.dumps(extra).encode())


def test_every_leaf_of_every_small_tree_is_proven_and_only_there():
    for size in range(1, 34):
        log = bodies(size)
        for index in range(size):
            proof = prove(index, log)
            assert verify(proof, log[index], vkey()) == Verified(ORIGIN, size, index, None)
            with pytest.raises(Refused):
                verify(proof, log[index] + b" ", vkey())
            if size > 1:
                with pytest.raises(Refused):
                    verify(proof, log[(index + 1) % size], vkey())


def test_every_item_of_a_leaf_is_proven_and_only_there():
    for count in range(1, 18):
        items = [f"item {n}".encode() for n in range(count)]
        for item in range(count):
            proof = batched(item, items)
            assert verify(proof, items[item], vkey()) == Verified(ORIGIN, 6, 3, item)
            for other in (items[(item + 1) % count] if count > 1 else b"", b"x", items[item] + b"\n"):
                with pytest.raises(Refused):
                    verify(proof, other, vkey())


def test_hashes_from_outside():
    # The empty leaf's hash as the test data of the first certificate log has it.
    empty = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert tlog_verify.leaf_hash(b"").hex() == empty


def test_a_note_from_outside_opens():
    # The example in the documentation of Go's module golang.org/x/mod/sumdb/note.
    key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    text = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
    )
    sig = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    line = f"— PeterNeumann {sig}\n"
    assert tlog_verify.open_note(f"{text}\n{line}", *tlog_verify.parse_vkey(key)) == text
    with pytest.raises(Refused):
        tlog_verify.open_note(f"{text}!\n\n{line}", *tlog_verify.parse_vkey(key))


@pytest.mark.parametrize("proof", [prove(4, bodies(7)), batched(2, [b"a", b"b", b"c", b"d", b"e"])])
def test_no_byte_of_a_proof_can_change(proof):
    body = b"c" if b"extra" in proof else bodies(7)[4]
    assert verify(proof, body, vkey())
    for at in range(len(proof)):
        for new in {proof[at] ^ 1, proof[at] ^ 0x20, ord("A"), ord("0"), ord("\n"), ord(" "), 0xFF} - {
            proof[at]
        }:
            changed = proof[:at] + bytes([new]) + proof[at + 1 :]
            with pytest.raises(Refused):
                verify(changed, body, vkey())
        for changed in (proof[:at], proof[:at] + proof[at + 1 :], proof[: at + 1] + proof[at:]):
            with pytest.raises(Refused):
                verify(changed, body, vkey())


def test_no_character_of_the_key_can_change():
    key, log = vkey(), bodies(3)
    for at in range(len(key)):
        with pytest.raises(Refused):
            verify(prove(1, log), log[1], key[:at] + ("A" if key[at] != "A" else "B") + key[at + 1 :])


def text_of(proof):
    return proof.decode()


LOG = bodies(7)
GOOD = text_of(prove(4, LOG))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
NOTE = GOOD.split("\n\n", 1)[1]
TEXT = NOTE.split("\n\n")[0] + "\n"
HASHES = GOOD.split("\n\n")[0].split("\n")[2:]

WRONG = {
    "another_log_signed": text_of(prove(4, LOG, note=checkpoint(LOG, signer=OTHER))),
    "another_origin": text_of(prove(4, LOG, note=checkpoint(LOG, origin="other.example/ledger"))),
    "another_key_name": text_of(prove(4, LOG, note=checkpoint(LOG, name="other.example/ledger"))),
    "no_signature": GOOD.rsplit("\n\n", 1)[0] + "\n\n",
    "one_good_and_one_wrong_signature": GOOD + signature_line(TEXT + "x\n"),
    "too_many_signatures": GOOD + signature_line(TEXT, OTHER, "w.example") * 64,
    "index_beyond_size": GOOD.replace("index 4", "index 7"),
    "index_with_zero": GOOD.replace("index 4", "index 04"),
    "index_negative": GOOD.replace("index 4", "index -4"),
    "index_huge": GOOD.replace("index 4", "index 99999999999999999999"),
    "index_other_digits": GOOD.replace("index 4", "index \u0664"),
    "hash_missing": GOOD.replace(HASHES[0] + "\n", "", 1),
    "hash_added": GOOD.replace(HASHES[0] + "\n", f"{HASHES[0]}\n{HASHES[0]}\n", 1),
    "hashes_swapped": GOOD.replace("\n".join(HASHES), "\n".join(reversed(HASHES))),
    "hash_short": GOOD.replace(HASHES[0], b64(bytes(31))),
    "hash_without_padding": GOOD.replace(HASHES[0], HASHES[0].rstrip("=")),
    "windows_newlines": GOOD.replace("\n", "\r\n"),
    "tab_in_note": GOOD.replace("— ", "—\t"),
    "version_two": GOOD.replace("@v1", "@v2"),
    "extra_after_index": GOOD.replace("index 4\n", "index 4\nextra AAAA\n"),
    "extra_empty": GOOD.replace("index 4\n", "extra \nindex 4\n"),
    "text_before": "\n" + GOOD,
    "text_behind": GOOD + "thank you\n",
    "empty": "",
}


@pytest.mark.parametrize("case", list(WRONG))
def test_a_wrong_proof_is_refused(case):
    assert WRONG[case] != GOOD
    with pytest.raises(Refused):
        verify(WRONG[case].encode(), LOG[4], vkey())


def test_signatures_of_strangers_and_extension_lines_do_no_harm():
    stranger = signature_line(TEXT, OTHER, "witness.example")
    assert verify((GOOD + stranger).encode(), LOG[4], vkey()).index == 4
    same_name = signature_line(TEXT, OTHER)
    assert verify((GOOD + same_name).encode(), LOG[4], vkey()).index == 4
    assert verify(prove(4, LOG, note=checkpoint(LOG, extension="more\n")), LOG[4], vkey()).size == 7


ITEMS = [b"a", b"b", b"c"]
LEAF = {"items": {"root": b64(tree_hash(ITEMS)), "count": 3}}
WRONG_EXTRA = {
    "item_of_another": {"item": 0},
    "item_beyond_count": {"item": 3},
    "item_is_text": {"item": "1"},
    "item_is_true": {"item": True},
    "item_is_a_fraction": {"item": 1.0},
    "count_of_another_tree": {"count": 4},
    "hashes_missing": {"hashes": []},
    "hashes_are_text": {"hashes": "AAAA"},
    "hashes_hold_numbers": {"hashes": [1, 2]},
    "leaf_is_null": {"leaf": None},
    "leaf_not_in_the_log": {"leaf": b64(json.dumps(LEAF).encode())},
    "leaf_without_items": {"leaf": b64(b"{}")},
    "leaf_with_items_twice": {"leaf": b64(b'{"items":1,' + json.dumps(LEAF).encode()[1:])},
    "leaf_with_a_list": {"leaf": b64(b'{"items":[]}')},
    "leaf_with_root_of_another": {
        "leaf": b64(json.dumps({"items": {"root": b64(bytes(32)), "count": 3}}).encode())
    },
    "a_field_more": {"more": 1},
}


@pytest.mark.parametrize("case", list(WRONG_EXTRA))
def test_a_wrong_way_to_the_leaf_is_refused(case):
    assert verify(batched(1, ITEMS), b"b", vkey()).item == 1
    with pytest.raises(Refused):
        verify(batched(1, ITEMS, **WRONG_EXTRA[case]), b"b", vkey())


def test_an_inner_node_is_no_record():
    # RFC 6962 §2.1: leaves and nodes hash under different prefixes for this reason.
    log = bodies(4)
    inner = tree_hash(log[:1]) + tree_hash(log[1:2])
    proof = prove(0, [inner, b"x"], note=checkpoint(log)).replace(
        b64(tree_hash([b"x"])).encode(), b64(tree_hash(log[2:])).encode()
    )
    with pytest.raises(Refused):
        verify(proof, inner, vkey())


def test_the_command_answers_with_its_exit_code(tmp_path, capsys):
    proof, body = tmp_path / "proof.txt", tmp_path / "body.json"
    proof.write_bytes(batched(1, ITEMS))
    body.write_bytes(b"b")
    assert tlog_verify.main([str(proof), "--body", str(body), "--key", vkey()]) == 0
    assert capsys.readouterr().out == f"proven: leaf 3, item 1 of 6 in {ORIGIN}\n"
    body.write_bytes(b"a")
    assert tlog_verify.main([str(proof), "--body", str(body), "--key", vkey()]) == 1
    assert "NOT PROVEN" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        tlog_verify.main([str(tmp_path / "none"), "--body", str(body), "--key", vkey()])
    assert caught.value.code == 2
