"""What an application states about the server's configuration, checked for typing errors.

The server's file decides; what stands in the application says what it counts on. So a name that the
server could not have is refused at once, with the names that it could.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any


def unknown(field: str, name: object, valid: Iterable[str]) -> str:
    """The sentence for a name that is none of `valid`."""
    known = list(valid)
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f"did you mean `{near[0]}`? " if near else ""
    return f"`{field}`: unknown `{name}`; {hint}valid are {', '.join(f'`{v}`' for v in known)}"


def members(
    field: str, given: Mapping[str, Any], valid: Mapping[str, tuple[str, Callable[[Any], bool]]]
) -> dict[str, Any]:
    """Check the members of a mapping; `valid` has for each a description and what fits.

    Raises ValueError that names the member and what it must be.
    """
    for name, value in given.items():
        if name not in valid:
            raise ValueError(unknown(field, name, sorted(valid)))
        expected, fits = valid[name]
        if not fits(value):
            raise ValueError(f"`{field}.{name}` must be {expected}, not {value!r}")
    return dict(given)


def listed(field: str, given: Any, valid: Sequence[str]) -> tuple[str, ...]:
    """The names of a list, each one of `valid` and each once. Raises ValueError that names what is wrong."""
    if isinstance(given, (str, Mapping)) or not isinstance(given, Iterable):
        raise ValueError(f'`{field}` is a list, for example ["{valid[0]}"]')
    found: list[str] = []
    for name in given:
        if name not in valid:
            raise ValueError(unknown(field, name, valid))
        # A member of a text enum equals its text, and prints as something else.
        known = valid[valid.index(name)]
        if known in found:
            raise ValueError(f"`{field}`: `{known}` stands there twice")
        found.append(known)
    return tuple(found)


def is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def is_seconds(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def is_span(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[1-9][0-9]{0,8} ?(s|m|h|d)", value) is not None


def span_seconds(text: str) -> int:
    """How long a span is: `60m` is `1h`. Raises ValueError where it is none."""
    if not is_span(text):
        raise ValueError(f"{text!r} is no length of time")
    return int(text[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[text[-1]]


def is_schedule(value: Any) -> bool:
    """`never`, or how often: `30 days`, `12 hours`, `90d`."""
    long = r"[1-9][0-9]{0,8} (second|minute|hour|day|week)s?"
    return value == "never" or is_span(value) or (isinstance(value, str) and bool(re.fullmatch(long, value)))


def exactly(expected: int | str) -> tuple[str, Callable[[Any], bool]]:
    """The one value that a member may have. True is not 1, and 256.0 is not 256."""
    return repr(expected), lambda value: type(value) is type(expected) and value == expected
