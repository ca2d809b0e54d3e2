"""Canonical JSON (RFC 8785): one value, one sequence of bytes. Written from the RFC alone.

Numbers are IEEE doubles there. A whole number that no double holds exactly is refused: two numbers that
differ must not become the same bytes.
"""

from __future__ import annotations

import math
from typing import Any

from tutela_message import Refused


def canonical(value: Any) -> bytes:
    """The bytes of a JSON value. Raises `Refused` for what JSON or a double cannot hold."""
    try:
        return written(value).encode()
    except UnicodeEncodeError:
        # §3.2.2.2: half a surrogate pair is no character.
        raise Refused("a text is no Unicode") from None


def written(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, str):
        return string(value)
    if isinstance(value, list):
        return "[" + ",".join(written(item) for item in value) + "]"
    if isinstance(value, dict):
        # §3.2.3: names are sorted as arrays of UTF-16 code units.
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{string(name)}:{written(value[name])}" for name in names) + "}"
    raise Refused(f"JSON has no {type(value).__name__}")


def string(text: str) -> str:
    """§3.2.2.2: only what must be escaped is."""
    return '"' + "".join(ESCAPES.get(c) or (f"\\u{ord(c):04x}" if c < " " else c) for c in text) + '"'


def number(value: int | float) -> str:
    """§3.2.2.3: as ECMAScript writes a Number."""
    try:
        double = float(value)
    except OverflowError:
        double = math.inf
    if not math.isfinite(double):
        raise Refused("a number is not finite as a double")
    text = ecmascript(double)
    if isinstance(value, int) and abs(value) > 2**53 and text != str(value):
        raise Refused("a whole number is not exact as a double")
    return text


def ecmascript(double: float) -> str:
    """ECMA-262, Number::toString. `repr` finds the same shortest digits; only their layout differs."""
    if double == 0:
        return "0"
    if double < 0:
        return "-" + ecmascript(-double)
    mantissa, _, exponent = repr(double).partition("e")
    whole, _, part = mantissa.partition(".")
    digits = (whole + part).lstrip("0")
    # The value is 0.DIGITS times ten to the power of `point`.
    point = len(whole.lstrip("0")) + int(exponent or 0)
    if not whole.strip("0"):
        point -= len(part) - len(part.lstrip("0"))
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    power = f"e{'+' if point > 0 else '-'}{abs(point - 1)}"
    return digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "") + power


ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
