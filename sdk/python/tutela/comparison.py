"""Comparing, once, what an application counts on with how the server is set up.

    nothing stated -----------------------------> done
    asked --+-- as stated ----------------------> done
            +-- differs ------------------------> `Mismatch`; asked again after a minute
            +-- the key may not ask (403, 404) -> done, and a warning says that nothing was compared
            +-- no answer ----------------------> `Unavailable`; asked again the next time

What stands behind a comparison waits for it: until it is done, nobody is let through.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from .errors import Conflict, Corrupt, Internal, NotFound, PermissionDenied, TutelaError

if TYPE_CHECKING:
    from .client import Tutela


class Mismatch(Conflict):
    """The server is not set up as the application counts on. `differences` has a sentence for each."""

    says: ClassVar[str] = "the server is not set up as this application counts on"

    def __init__(self, differences: Iterable[str]) -> None:
        self.differences = tuple(differences)
        super().__init__(f"{self.says}: " + "; ".join(self.differences))

    def for_visitor(self) -> TutelaError:
        """How an instance is configured is nobody's business outside."""
        return Internal()


class Comparison(ABC):
    """Compares once with the server, and remembers what came out.

    `stated` is whether there is anything to compare. A subclass says what it asks for, and what differs.
    """

    what: ClassVar[str]
    log: ClassVar[logging.Logger]
    mismatch: ClassVar[type[Mismatch]]

    def __init__(self, stated: bool, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.done = not stated
        self._found: tuple[str, ...] = ()
        self._asked = 0.0

    @abstractmethod
    async def ask(self, client: Tutela) -> Any:
        """The server's settings."""

    @abstractmethod
    def differences(self, server: Any) -> list[str]:
        """A sentence for each difference. TypeError and ValueError mean that the settings are none."""

    async def check(self, client: Tutela) -> None:
        """Raises a `Mismatch` where the server differs, `Unavailable` where it gives no answer.

        A mismatch is asked about again after a minute, so that it ends when the server's file is right.
        """
        if self.done:
            return
        if self._found and self._clock() - self._asked < AGAIN_S:
            raise self.mismatch(self._found)
        try:
            server = await self.ask(client)
        except (NotFound, PermissionDenied) as error:
            # Whoever may not ask still works; that nothing was compared is said, once.
            self.log.warning(
                "the %s settings were not compared with the server: %s", self.what, type(error).__name__
            )
            self.done = True
            return
        try:
            self._found = tuple(self.differences(server))
        except (TypeError, ValueError) as error:
            text = f"the server's {self.what} settings are not what they must be"
            raise Corrupt(text, remote=True) from error
        self._asked = self._clock()
        if self._found:
            mismatch = self.mismatch(self._found)
            # Visitors are told nothing of it, so the operator has to be.
            self.log.error("%s", mismatch)
            raise mismatch
        self.done = True


AGAIN_S = 60.0
