"""`Encryption`: values in, messages out, with the algorithms that the application names.

    encryption = Encryption()
    message = await encryption.encrypt({"iban": "…"}, key=await key_manager.get_current_key())
    value = await encryption.decrypt(message)

A message is one text, `tut1.…`, that says by itself which key and which algorithm it is of. Keys stay in
tutela, so nothing is sealed or opened while it cannot be reached.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .client import Tutela
from .crypto_answers import Encrypted, Item
from .crypto_items import Context, DecryptItem, EncryptItem, context_to_wire
from .errors import Corrupt, Invalid, TutelaError
from .key_handles import DerivedKey, KeyHandle, is_key_id, key_and_context
from .message import read_head
from .settings import exactly, members, unknown

KeyLike = KeyHandle | DerivedKey | str
"""What names a key: a handle from `KeyManager`, or a key's name or id."""


class Encryption:
    """Seals and opens values: anything that JSON can hold, and bytes.

    `algorithms` says which are in use and what the application counts on, for example
    `{"aes-256-gcm": {"key_size": 256, "mode": "GCM", "iv_size": 12}}`; both where absent. `client`
    defaults to `Tutela()`. Raises ValueError that names what is wrong, and what would be right.
    """

    def __init__(
        self,
        algorithms: Mapping[str, Mapping[str, Any]] | None = None,
        client: Tutela | None = None,
    ) -> None:
        self.algorithms = _algorithms(algorithms)
        self.client = client or Tutela()

    async def encrypt(
        self,
        value: Any,
        *,
        key: KeyLike | None = None,
        algorithm: str | None = None,
        context: Context | None = None,
    ) -> str:
        """Seal one value and return the message.

        `algorithm` is one of `algorithms`, the first where absent. `context` binds the message: it opens
        only with the same. A handle that was asked for with a context brings it along.
        """
        [item] = await self.encrypt_many([value], key=key, algorithm=algorithm, context=context)
        return item.unwrap()

    async def decrypt(
        self,
        message: str,
        *,
        key: KeyLike | None = None,
        algorithm: str | None = None,
        context: Context | None = None,
    ) -> Any:
        """Open a message and return the value.

        Raises `Invalid` where it does not open, and without asking where it is of another `key` or
        another `algorithm` than given.
        """
        [item] = await self.decrypt_many([message], key=key, algorithm=algorithm, context=context)
        return item.unwrap()

    async def encrypt_many(
        self,
        values: Iterable[Any],
        *,
        key: KeyLike | None = None,
        algorithm: str | None = None,
        context: Context | None = None,
        contexts: Sequence[Context | None] | None = None,
    ) -> list[Item[str]]:
        """Seal many values; `contexts` has one for each where they differ."""
        name, bound = key_and_context(key)
        values = list(values)
        items = [
            EncryptItem(value=pack(value), key=name, context=own, algorithm=self._algorithm(algorithm))
            for value, own in zip(values, _each(values, bound, context, contexts), strict=True)
        ]
        return [_map(item, _text) for item in await self.client.crypto.encrypt_many(items)]

    async def decrypt_many(
        self,
        messages: Iterable[str],
        *,
        key: KeyLike | None = None,
        algorithm: str | None = None,
        context: Context | None = None,
        contexts: Sequence[Context | None] | None = None,
    ) -> list[Item[Any]]:
        """Open many messages. One that is refused does not keep the others from being opened."""
        name, bound = key_and_context(key)
        if name is not None and not is_key_id(name):
            raise ValueError("to open, pass a handle or a key's id: a message does not know its key's name")
        wanted = None if algorithm is None else self._algorithm(algorithm)
        messages = list(messages)
        found: list[Item[Any] | None] = [_refused(message, name, wanted) for message in messages]
        own = _each(messages, bound, context, contexts)
        asked = [n for n, refused in enumerate(found) if refused is None]
        sent = [DecryptItem(messages[n], own[n]) for n in asked]
        for n, item in zip(asked, await self.client.crypto.decrypt_many(sent), strict=True):
            found[n] = _map(item, lambda opened: unpack(opened.value))
        return [item for item in found if item is not None]

    def _algorithm(self, name: str | None) -> str:
        if name is None:
            return next(iter(self.algorithms))
        if name not in self.algorithms:
            raise ValueError(unknown("algorithm", name, self.algorithms))
        return name


def pack(value: Any) -> Any:
    """A JSON value in which bytes stand as `{"$bytes": base64}`.

    Raises ValueError for names that are no text, and for an object that would come back as bytes;
    TypeError for what JSON cannot hold.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {BYTES: base64.b64encode(value).decode()}
    if isinstance(value, Mapping):
        if BYTES in value:
            raise ValueError(f"an object with the name `{BYTES}` could not be told from bytes")
        if not all(isinstance(name, str) for name in value):
            raise ValueError("the names of an object are texts: JSON would change others into texts")
        return {name: pack(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [pack(item) for item in value]
    return value


def unpack(value: Any) -> Any:
    """The value as it was before `pack`; a tuple comes back as a list."""
    if isinstance(value, list):
        return [unpack(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {BYTES} and isinstance(value[BYTES], str):
        try:
            return base64.b64decode(value[BYTES], validate=True)
        except ValueError as error:
            raise Corrupt(f"`{BYTES}` in a sealed value is not base64") from error
    return {name: unpack(item) for name, item in value.items()}


def _algorithms(given: Mapping[str, Mapping[str, Any]] | None) -> dict[str, dict[str, Any]]:
    if given is None:
        return {name: {} for name in _KNOWN}
    if not isinstance(given, Mapping) or not given:
        valid = ", ".join(f"`{name}`" for name in _KNOWN)
        raise ValueError(f"`algorithms` names at least one, with what is counted on; valid are {valid}")
    found = {}
    for name, stated in given.items():
        if name not in _KNOWN:
            raise ValueError(unknown("algorithms", name, _KNOWN))
        if not isinstance(stated, Mapping):
            raise ValueError(f"`algorithms.{name}` is a mapping, of {', '.join(_KNOWN[name])}")
        found[name] = members(f"algorithms.{name}", stated, _KNOWN[name])
    return found


def _each(
    items: Sequence[Any],
    bound: Context | None,
    context: Context | None,
    contexts: Sequence[Context | None] | None,
) -> list[Context | None]:
    """The context of each item. Two that differ would leave open which one counts."""
    if contexts is not None:
        if context is not None or bound is not None or len(contexts) != len(items):
            raise ValueError("`contexts` has one for each item, and then there is no other context")
        return list(contexts)
    if bound is not None and context is not None and bound != context:
        raise ValueError("the key was asked for with another context than the one given")
    context_to_wire(context)
    return [context if bound is None else bound] * len(items)


def _refused(message: object, key: str | None, algorithm: str | None) -> Item[Any] | None:
    """Why a message is not even sent, if it is not."""
    try:
        head = read_head(message)
    except Invalid as error:
        return Item(error.status, None, error)
    if key is not None and head.key_id != key:
        detail = f"the message is of key `{head.key_id}`, not of `{key}`"
    elif algorithm is not None and head.algorithm != algorithm:
        detail = f"the message is of `{head.algorithm}`, not of `{algorithm}`"
    else:
        return None
    # As `remote` as the server's own "does not open": the person in front of the application is not at fault.
    return Item(400, None, Invalid(detail, remote=True))


def _map(item: Item[Any], read: Callable[[Any], Any]) -> Item[Any]:
    if item.error is not None:
        return item
    try:
        return Item(item.status, read(item.answer), None)
    except TutelaError as error:
        return Item(error.status, None, error)


def _text(answer: Encrypted) -> str:
    if not isinstance(answer.message, str):
        raise Corrupt("the server's message is no text", remote=True)
    return answer.message


BYTES = "$bytes"
_KNOWN: dict[str, dict[str, tuple[str, Callable[[Any], bool]]]] = {
    "aes-256-gcm": {"iv_size": exactly(12), "key_size": exactly(256), "mode": exactly("GCM")},
    "chacha20-poly1305": {"key_size": exactly(256), "nonce_size": exactly(12)},
}
