"""What an application counts on in how people sign in, and whether the server is set up so.

The server's `[identity]` section decides. An application that is written for cookies out of reach for
scripts, or for a second factor by text message, must not find out by an incident that there are none.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .comparison import Comparison, Mismatch
from .settings import span_seconds

if TYPE_CHECKING:
    from .client import Tutela
    from .identity_answers import IdentitySettings


class IdentityMismatch(Mismatch):
    """People sign in otherwise than the application counts on. `differences` has a sentence for each.

    Change the server's `[identity]` section, or what `SecurityManager` or `MFA` is given.
    """

    says = "people sign in otherwise than this application counts on"


class IdentityComparison(Comparison):
    """Compares what is declared of one `section`, `session` or `mfa`, once with the server.

    `protocols` are those of outside providers that the application counts on; the server may have more.
    """

    what = "identity"
    log = logging.getLogger("tutela.identity")
    mismatch = IdentityMismatch

    def __init__(self, section: str, declared: Mapping[str, Any], protocols: Iterable[str] = ()) -> None:
        self._section = section
        self._declared = declared
        self._protocols = tuple(protocols)
        super().__init__(bool(declared) or bool(self._protocols))

    async def ask(self, client: Tutela) -> IdentitySettings:
        return await client.identity_settings()

    def differences(self, server: IdentitySettings) -> list[str]:
        missing = [
            f"`{name}` is not in `[identity] providers` there"
            for name in self._protocols
            if name not in server.providers
        ]
        kept = getattr(server, self._section)
        pairs = [(name, here, getattr(kept, name)) for name, here in self._declared.items()]
        return missing + [
            f"`{name}` is {_shown(there)} there, where `[identity.{self._section}] {name}` sets it, "
            f"and {_shown(here)} here"
            for name, here, there in pairs
            if not _fits(name, here, there)
        ]


def _fits(name: str, here: Any, there: Any) -> bool:
    if name == "access_token":
        # The server writes a length in its largest unit: `60m` comes back as `1h`.
        return span_seconds(here) == span_seconds(there)
    if name == "providers":
        # More of them do no harm: what this application does not accept is refused here.
        return set(here) <= set(there)
    return bool(here == there)


def _shown(value: Any) -> str:
    """As it stands in the server's file."""
    return json.dumps(value)
