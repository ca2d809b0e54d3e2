"""Card numbers as most people may see them: the first six and the last four digits (PCI DSS 3.4.1).

A number is known by length, brand and check digit (ISO/IEC 7812-1), in one piece or in groups. Texts keep
their length, so that a length that was announced holds.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .handlers import attribute


class Unmaskable(TypeError):
    """A handler returned something in which no card number can be looked for."""


def masked(value: Any) -> Any:
    """What a handler returned, with its card numbers masked.

    Takes texts, bytes, numbers, lists, mappings, dataclasses, pydantic models and whole responses;
    `Unmaskable` for anything else.
    """
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return int(mask(str(value), hidden="0"))
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return mask(bytes(value).decode("latin-1")).encode("latin-1")
    if isinstance(value, Mapping):
        return {masked(name): masked(of) for name, of in value.items()}
    if isinstance(value, (list, set, frozenset)):
        return [masked(of) for of in value]
    if isinstance(value, tuple):
        return tuple(masked(of) for of in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return masked(dataclasses.asdict(value))
    dump = attribute(value, "model_dump")
    return masked(dump()) if callable(dump) else _response(value)


def mask(text: str, *, hidden: str = "*") -> str:
    """`text` with the digits of card numbers hidden that are neither its first six nor its last four."""
    found = list(_numbers(text))
    if not found:
        return text
    signs = list(text)
    for start, end in found:
        digits = [at for at in range(start, end) if text[at] in _DIGITS]
        for at in digits[_FIRST:-_LAST]:
            signs[at] = hidden
    return "".join(signs)


def mask_json(text: str) -> str:
    """The same for JSON, where a number that is no string stays a number."""
    parts = []
    for at, part in enumerate(_STRING.split(text)):
        parts.append(mask(part) if at % 2 else mask(part, hidden="0"))
    return "".join(parts)


def _response(value: Any) -> Any:
    """A response of Starlette, FastAPI or Nexios, masked in place."""
    inner = attribute(value, "get_response")
    response = inner() if callable(inner) else value
    headers = attribute(response, "headers")
    kind = _kind(headers) if isinstance(headers, Mapping) else None
    if kind == "other":
        return value
    name = next((name for name in ("_body", "body") if attribute(response, name) is not None), None)
    streams = any(
        attribute(response, name) is not None for name in ("body_iterator", "content_iterator", "path")
    )
    if kind is None or name is None or streams:
        what = type(value).__qualname__
        raise Unmaskable(
            f"in {what} no card numbers can be masked: return a mapping, a text or a whole response"
        )
    text = bytes(getattr(response, name)).decode("latin-1")
    setattr(response, name, (mask_json(text) if kind == "json" else mask(text)).encode("latin-1"))
    return value


def _kind(headers: Mapping[str, str]) -> str | None:
    """`json`, `text`, `other`, or None for what cannot be read."""
    named = (headers.get("content-type") or "").lower()
    essence, _, more = named.partition(";")
    if _OTHER.fullmatch(essence.strip()):
        return "other"
    coding = (headers.get("content-encoding") or "identity").lower()
    if coding != "identity" or _UNREAD.search(more):
        return None
    return "json" if essence.strip().endswith(("/json", "+json", "ndjson")) else "text"


def _numbers(text: str) -> Iterator[tuple[int, int]]:
    for run in _RUN.finditer(text):
        if run.end() - run.start() < 13:
            continue
        groups = [(run.start() + of.start(), run.start() + of.end()) for of in _GROUP.finditer(run.group())]
        is_open = not _joins(text[max(0, run.start() - 2) : run.start()], _BEFORE)
        is_closed = not _joins(text[run.end() : run.end() + 2], _AFTER)
        first = 0
        while first < len(groups):
            for last in range(min(len(groups), first + 5) - 1, first - 1, -1):
                fits = (first > 0 or is_open) and (last + 1 < len(groups) or is_closed)
                start, end = groups[first][0], groups[last][1]
                if fits and _is_card(text[start:end]):
                    yield start, end
                    first = last
                    break
            first += 1


def _joins(beside: str, pattern: re.Pattern[str]) -> bool:
    """Whether what stands beside a number makes it part of something else: a word, an id, a fraction."""
    return bool(beside) and pattern.fullmatch(beside) is not None


def _is_card(run: str) -> bool:
    digits = "".join(sign for sign in run if sign in _DIGITS)
    brand = _BRAND.fullmatch(digits) is not None
    return brand and _GROUPED.fullmatch(run) is not None and len(set(digits)) > 1 and _checks(digits)


def _checks(digits: str) -> bool:
    """The check digit (Luhn)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (1 + place % 2)
        total += number - 9 if number > 9 else number
    return total % 10 == 0


_FIRST, _LAST = 6, 4
_DIGITS = frozenset("0123456789")
_RUN = re.compile(r"[0-9](?:[ -]?[0-9])*")
_GROUP = re.compile(r"[0-9]+")
# In one piece; in groups of four; of four, six and the rest.
_GROUPED = re.compile(
    r"[0-9]+|[0-9]{4}(?:([ -])[0-9]{4})(?:\1[0-9]{4})+\1[0-9]{1,4}|[0-9]{4}([ -])[0-9]{6}\2[0-9]{4,5}"
)
_BRAND = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"
    r"|5[1-5][0-9]{14}"
    r"|(?:222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"
    r"|3[47][0-9]{13}"
    r"|6011[0-9]{12}(?:[0-9]{3})?|64[4-9][0-9]{13}(?:[0-9]{3})?|65[0-9]{14}(?:[0-9]{3})?"
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12}(?:[0-9]{3})?"
    r"|30[0-5][0-9]{11}(?:[0-9]{2})?|36[0-9]{12}|3[89][0-9]{12}(?:[0-9]{2})?"
    r"|62[0-9]{14,17}"
    r"|(?:50(?:18|20|38)|6304|6759|676[0-3])[0-9]{12}(?:[0-9]{2,3})?"
)
_BEFORE = re.compile(r"(?s:.?)[_#%]|[0-9]?\.|(?!\\[nrt]|%B)(?s:.?)[0-9A-Za-z\x80-\U0010ffff]")
_AFTER = re.compile(r"[_#%](?s:.?)|\.[0-9]|[0-9A-Za-z\x80-\U0010ffff](?s:.?)")
_STRING = re.compile(r'("(?:[^"\\]|\\.)*")', re.S)
_UNREAD = re.compile(r"utf-?(?:7|16|32)|ucs-2|ebcdic|ibm037")
# Pictures, sound, fonts, archives.
_OTHER = re.compile(
    r"image/(?!svg\+xml).*|(?:audio|font|video)/.*"
    r"|application/(?:gzip|pdf|wasm|x-7z-compressed|x-gzip|x-tar|zip|vnd\.openxmlformats-.*|font-.*)"
)
