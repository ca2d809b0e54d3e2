"""What an application counts on in its audit log, and whether the server keeps it.

The server's `[audit]` section decides. What stands in the application is checked for typing errors at
once, and compared with the server before the first event: an application that promises somebody a year of
records must not learn after a month that they are gone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .comparison import Comparison, Mismatch
from .settings import is_seconds, members, unknown

if TYPE_CHECKING:
    from .client import Tutela


class AuditMismatch(Mismatch):
    """The server keeps less than the application counts on. `differences` has a sentence for each.

    Change the server's `[audit]` section, or what the application states.
    """

    says = "the server keeps less than this application counts on"


@dataclass(frozen=True)
class AuditSettings:
    """What is stated; None where nothing is. `fields` has for each name how it is kept, if that is stated."""

    storage: str | None
    retention_days: int | None
    fields: Mapping[str, str | None] | None

    @classmethod
    def checked(
        cls,
        storage: str | None,
        retention_days: int | None,
        fields: Iterable[str | Mapping[str, Any]] | None,
    ) -> AuditSettings:
        """Raises ValueError that names what is wrong and what is valid."""
        if storage is not None and storage not in STORAGES:
            raise ValueError(unknown("storage", storage, STORAGES))
        if retention_days is not None and not is_seconds(retention_days):
            raise ValueError(f"`retention_days` must be a whole number above 0, not {retention_days!r}")
        return cls(storage, retention_days, None if fields is None else _fields(fields))

    @property
    def stated(self) -> bool:
        """Whether there is anything to compare."""
        return (self.storage, self.retention_days, self.fields) != (None, None, None)

    def fills(self, name: str) -> bool:
        """Whether a field is filled in from the current request."""
        return self.fields is None or (name in self.fields and self.fields[name] != "dropped")

    def shortfalls(self, server: Mapping[str, Any]) -> list[str]:
        """Where the server keeps less: a sentence each."""
        found: list[str] = []
        # Everything is in the ledger, whatever else it is copied to.
        if self.storage not in (None, "ledger", server["storage"]):
            found.append(f"`storage` is `{server['storage']}` there and `{self.storage}` here")
        if self.retention_days is not None and server["retention_days"] < self.retention_days:
            found.append(
                f"`retention_days` is {server['retention_days']} there and {self.retention_days} here"
            )
        kept = _fields(server["fields"], of_server=True)
        for name, keep in (self.fields or {}).items():
            if keep == "dropped":
                continue
            if name not in kept or kept[name] == "dropped":
                found.append(f"`fields`: `{name}` is not kept there")
            elif keep is not None and kept[name] not in (None, keep):
                found.append(f"`fields`: `{name}` is kept `{kept[name]}` there and `{keep}` here")
        return found


class AuditComparison(Comparison):
    """Compares once with the server's `[audit]` section, and remembers what came out."""

    what = "audit"
    log = logging.getLogger("tutela.audit")
    mismatch = AuditMismatch

    def __init__(self, settings: AuditSettings) -> None:
        super().__init__(settings.stated)
        self._settings = settings

    async def ask(self, client: Tutela) -> Mapping[str, Any]:
        return await client.ledger.settings()

    def differences(self, server: Mapping[str, Any]) -> list[str]:
        return self._settings.shortfalls(server)


def _fields(given: Iterable[str | Mapping[str, Any]], *, of_server: bool = False) -> dict[str, str | None]:
    if isinstance(given, (str, Mapping)):
        raise ValueError('`fields` is a list, for example ["action", "resource"]')
    found: dict[str, str | None] = {}
    for item in given:
        keep = None
        name: Any = item
        if isinstance(item, Mapping):
            valid: dict[str, tuple[str, Callable[[Any], bool]]] = {
                "name": ("a text", lambda value: isinstance(value, str)),
                "keep": (f"one of {', '.join(KEEPS)}", lambda value: value in KEEPS),
            }
            both = members("fields", item, valid)
            name, keep = both.get("name"), both.get("keep")
        # A later server may keep what this version does not know.
        if name not in FIELDS and not (of_server and isinstance(name, str)):
            raise ValueError(unknown("fields", name, FIELDS))
        if name in found:
            raise ValueError(f"`fields`: `{name}` stands there twice")
        found[name] = keep
    return found


STORAGES = ("ledger", "elasticsearch", "opensearch")
KEEPS = ("clear", "sealed", "hashed", "dropped")
FIELDS = (
    "timestamp",
    "user_id",
    "action",
    "resource",
    "ip_address",
    "user_agent",
    "reason",
    "outcome",
    "session",
    "metadata",
)
