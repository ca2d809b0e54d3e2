"""Canonical JSON as RFC 8785 prints it."""

from __future__ import annotations

import json
import random
import struct

import pytest
from canonical_json import canonical
from tutela_message import Refused


@pytest.mark.parametrize(
    ("bits", "text"),
    [
        # RFC 8785 appendix B.
        (0x0000000000000000, "0"),
        (0x8000000000000000, "0"),
        (0x0000000000000001, "5e-324"),
        (0x7FEFFFFFFFFFFFFF, "1.7976931348623157e+308"),
        (0x4340000000000000, "9007199254740992"),
        (0x4430000000000000, "295147905179352830000"),
        (0x44B52D02C7E14AF5, "9.999999999999997e+22"),
        (0x44B52D02C7E14AF6, "1e+23"),
        (0x444B1AE4D6E2EF4E, "999999999999999700000"),
        (0x444B1AE4D6E2EF50, "1e+21"),
        (0x3EB0C6F7A0B5ED8C, "9.999999999999997e-7"),
        (0x3EB0C6F7A0B5ED8D, "0.000001"),
        (0x41B3DE4355555553, "333333333.3333332"),
        (0xBECBF647612F3696, "-0.0000033333333333333333"),
        (0x43143FF3C1CB0959, "1424953923781206.2"),
    ],
)
def test_doubles_are_written_as_the_rfc_prints_them(bits, text):
    double = struct.unpack(">d", struct.pack(">Q", bits))[0]
    assert canonical(double) == text.encode()
    assert float(text) == double


def test_the_rfcs_example_of_an_object():
    value = json.loads(
        '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],'
        '"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}'
    )
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical(value) == expected.encode()
    assert canonical({"\ufb33": 1, "😀": 2, "\r": 3}) == '{"\\r":3,"😀":2,"\ufb33":1}'.encode()


def test_random_doubles_come_back():
    source = random.Random(8785)
    for _ in range(2000):
        double = struct.unpack(">d", source.randbytes(8))[0]
        if double == double and abs(double) != float("inf"):
            assert float(canonical(double)) == double


def test_numbers_that_would_become_the_same_bytes_are_refused():
    assert canonical(2**53) == b"9007199254740992" and canonical(10**18) == b"1000000000000000000"
    for wrong in (2**53 + 1, 2**60, 10**400, float("nan"), float("inf"), "\ud800", (1,), b"x"):
        with pytest.raises(Refused):
            canonical(wrong)
