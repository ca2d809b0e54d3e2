"""Writing the ledger's query language: terms joined by spaces, all of which must hold.

    >>> query(term("type", "auth.*"), term("actor", "photos:42"), phrase("no consent"))
    'type:auth.* actor:photos:42 "no consent"'

What is put in here is quoted where it has to be, so a value cannot become a second term.
"""

from __future__ import annotations

import re
from datetime import datetime

from .events import ExternalId, Resource, Subject, _time, subject_to_wire


def query(*terms: str | None) -> str:
    """The terms that are there, as one query."""
    return " ".join(found for found in terms if found)


def term(field: str, *values: str) -> str:
    """`field:value`, or `field:a,b` for any of several."""
    if not values:
        raise ValueError(f"`{field}`: a term needs a value")
    return f"{field}:{','.join(quoted(value) for value in values)}"


def phrase(text: str) -> str:
    """Words that stand together in this order. In quotes even where it is one, since `a:b` is a term."""
    return f'"{_escaped(text)}"'


def quoted(value: str) -> str:
    """A value of a term: as it is where every character of it is plain, else in double quotes."""
    return value if _PLAIN.fullmatch(value) else f'"{_escaped(value)}"'


def search_terms(
    *,
    actor: Subject | None = None,
    type: str | None = None,
    resource: Resource | str | None = None,
    outcome: str | None = None,
    since: datetime | str | None = None,
    until: datetime | str | None = None,
    words: str | None = None,
) -> str:
    """The query for what is most often looked for. `words` must all occur, in any order."""
    who = None if actor is None else subject_to_wire(actor)
    fields = {
        "type": type,
        "actor": str(ExternalId(**who)) if isinstance(who, dict) else who,
        "resource": f"{resource.type}/{resource.id}" if isinstance(resource, Resource) else resource,
        "outcome": outcome,
        "after": _time(since),
        "before": _time(until),
    }
    terms = [term(name, value) for name, value in fields.items() if value is not None]
    return query(*terms, *(phrase(word) for word in (words or "").split()))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


# A comma separates values and a quote begins one; whatever else could mean something is quoted too.
_PLAIN = re.compile(r"[A-Za-z0-9._:/@*+=<>][A-Za-z0-9._:/@*+=<>-]*")
