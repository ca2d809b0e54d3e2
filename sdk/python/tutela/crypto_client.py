"""`Tutela.crypto`: sealing and opening, records, indexes, data keys, streams.

    message = (await tutela.crypto.encrypt(text="4111 1111 1111 1111", context="order/7")).message
    opened = await tutela.crypto.decrypt(message, context="order/7")

No call here carries an idempotency key. It may be sent twice without harm, and with a key the server would
have to keep the answer, which may be the plaintext, for a day.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from . import crypto_answers as answers
from .crypto_answers import DataKey, Decrypted, Encrypted, Item, Key, Rewrapped
from .crypto_items import (
    ABSENT,
    Context,
    DecryptItem,
    EncryptItem,
    IndexItem,
    Message,
    Policy,
    RecordItem,
    RewrapItem,
    context_to_wire,
    without_none,
)
from .crypto_stream import Source, stream, write_file
from .errors import Corrupt
from .events import Subject
from .key_handles import DerivedKey
from .transport import segment

if TYPE_CHECKING:
    from .client import Tutela

T = TypeVar("T")


class CryptoClient:
    """The calls under `/v1/crypto`. A `Tutela` makes its own.

    Calls of one thing raise; those of many (`…_many`, `…_records`) answer item by item, in the order
    given. They are sent in requests of up to 10,000 items and some megabytes; if one fails as a whole it
    raises.
    """

    def __init__(self, client: Tutela) -> None:
        self._client = client

    async def encrypt(
        self,
        plaintext: bytes | None = None,
        *,
        text: str | None = None,
        value: Any = ABSENT,
        key: str | None = None,
        subject: Subject | None = None,
        context: Context | None = None,
        algorithm: str | None = None,
        form: str | None = None,
    ) -> Encrypted:
        """Seal bytes, a text or a JSON value. Arguments are those of `EncryptItem`."""
        item = EncryptItem(plaintext, text, value, key, subject, context, algorithm, form)
        return answers.encrypted(await self._post("encrypt", item.to_wire()))

    async def encrypt_many(self, items: Iterable[EncryptItem]) -> list[Item[Encrypted]]:
        """Seal many things."""
        return await self._many("encrypt", items, answers.encrypted)

    async def decrypt(self, message: Message, *, context: Context | None = None) -> Decrypted:
        """Open a message. Raises `Invalid` where it does not open, without a word on why."""
        return answers.decrypted(await self._post("decrypt", DecryptItem(message, context).to_wire()))

    async def decrypt_many(self, items: Iterable[DecryptItem]) -> list[Item[Decrypted]]:
        """Open many messages."""
        return await self._many("decrypt", items, answers.decrypted)

    async def rewrap(
        self,
        message: Message,
        *,
        context: Context | None = None,
        to_key: str | None = None,
        form: str | None = None,
    ) -> Rewrapped:
        """Seal a message again under its key's newest version, or under another key."""
        item = RewrapItem(message, context, to_key, form)
        return answers.rewrapped(await self._post("rewrap", item.to_wire()))

    async def rewrap_many(self, items: Iterable[RewrapItem]) -> list[Item[Rewrapped]]:
        """Seal many messages again."""
        return await self._many("rewrap", items, answers.rewrapped)

    async def data_key(
        self, key: str | None = None, *, context: Context | None = None, with_plaintext: bool = False
    ) -> DataKey:
        """A new key of 256 bits for the application's own encryption, wrapped by `key`."""
        question = {"key": key, "context": context_to_wire(context), "with_plaintext": with_plaintext}
        return answers.data_key(await self._post("data-keys", without_none(question)))

    async def seal_record(
        self, record: Mapping[str, Any], *, policy: Policy, record_id: str
    ) -> dict[str, Any]:
        """The record with its sensitive fields sealed; they open only together, and in this record."""
        item = RecordItem(policy, record_id, record)
        return answers.record(await self._post("records/seal", item.to_wire()))

    async def open_record(
        self, record: Mapping[str, Any], *, policy: Policy, record_id: str
    ) -> dict[str, Any]:
        """The record as it was. Raises `Invalid` where a part of it is not what was sealed there."""
        item = RecordItem(policy, record_id, record)
        return answers.record(await self._post("records/open", item.to_wire()))

    async def seal_records(self, items: Iterable[RecordItem]) -> list[Item[dict[str, Any]]]:
        """Seal many records."""
        return await self._many("records/seal", items, answers.record)

    async def open_records(self, items: Iterable[RecordItem]) -> list[Item[dict[str, Any]]]:
        """Open many records."""
        return await self._many("records/open", items, answers.record)

    async def index(self, value: Any, *, policy: Policy, path: str) -> tuple[str, ...]:
        """What to compare a stored column with, one for each version of the key: `IN (…)`."""
        return answers.tokens(await self._post("index", IndexItem(policy, path, value).to_wire()))

    async def index_many(self, items: Iterable[IndexItem]) -> list[Item[tuple[str, ...]]]:
        """Indexes of many values."""
        return await self._many("index", items, answers.tokens)

    async def key(self, key: str = "default") -> Key:
        """A key by its name or id. Raises `NotFound`."""
        return answers.key(await self._client._get(f"/v1/crypto/keys/{_name(key)}"))

    async def keys(self) -> AsyncIterator[Key]:
        """All keys, page by page as you iterate."""
        cursor: str | None = None
        while True:
            params = {} if cursor is None else {"cursor": cursor}
            page = await self._client._get("/v1/crypto/keys", params)
            for found in answers.member(page, "items", list):
                yield answers.key(found)
            following = page.get("next")
            if following is None:
                return
            if following == cursor:
                raise Corrupt("the server repeats a page of keys", remote=True)
            cursor = str(following)

    async def derive(self, context: str, *, key: str = "default", version: int | None = None) -> DerivedKey:
        """The key of a context, of the key's newest version where `version` is absent.

        Only where the key has `export = true`; each call is an event in the ledger.
        """
        question = without_none({"context": context_to_wire(context), "version": version})
        answer = await self._post(f"keys/{_name(key)}/derive", question)
        derived = answers.from_base64(answers.member(answer, "key", str))
        if len(derived) != 32:
            raise Corrupt("the key of a context has not 32 bytes", remote=True)
        key_id, key_version = answers.key_of(answer)
        return DerivedKey(derived, key_id=key_id, key_version=key_version, context=context)

    def encrypt_stream(
        self,
        source: Source,
        *,
        key: str | None = None,
        context: str | None = None,
        algorithm: str | None = None,
    ) -> AsyncIterator[bytes]:
        """Seal a file or any other source of bytes piece by piece; yields the binary form of one message."""
        params = without_none({"key": key, "algorithm": algorithm})
        return stream(self._client, "encrypt", source, context, params)

    def decrypt_stream(self, source: Source, *, context: str | None = None) -> AsyncIterator[bytes]:
        """Open what `encrypt_stream` yielded. Each piece is authentic, and only the end says that none is
        missing: where this raises, throw away what came before."""
        return stream(self._client, "decrypt", source, context, {})

    async def encrypt_file(
        self, source: str | PathLike[str], target: str | PathLike[str], **more: str | None
    ) -> None:
        """Seal a file into another; `more` as for `encrypt_stream`. `target` appears when it is whole."""
        await write_file(target, self.encrypt_stream(Path(source), **more))

    async def decrypt_file(
        self, source: str | PathLike[str], target: str | PathLike[str], *, context: str | None = None
    ) -> None:
        """Open a file into another. `target` appears when the last byte was authentic."""
        await write_file(target, self.decrypt_stream(Path(source), context=context))

    async def _post(self, path: str, body: Any) -> Any:
        return await self._client._call(f"/v1/crypto/{path}", body)

    async def _many(self, path: str, items: Iterable[Any], read: Callable[[Any], T]) -> list[Item[T]]:
        # All are written down before the first is sent: a wrong one must not leave half of them sealed.
        wire = [item.to_wire() for item in items]
        found: list[Item[T]] = []
        for part in _parts(wire):
            results = answers.member(await self._post(path, part), "results", list)
            if len(results) != len(part):
                raise Corrupt("the server did not answer each item of the batch", remote=True)
            found.extend(map(answers.item(read), results))
        return found


def _parts(wire: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The items in requests that the server takes: so many, and so long."""
    part: list[dict[str, Any]] = []
    size = 0
    for item in wire:
        length = len(json.dumps(item, ensure_ascii=False).encode())
        if part and (len(part) == BATCH or size + length > LONGEST_BATCH):
            yield part
            part, size = [], 0
        part.append(item)
        size += length
    if part:
        yield part


def _name(key: str) -> str:
    return segment(key, "the name of a key")


# How many items one request may hold: the server's bound.
BATCH = 10_000
# Half of what the server takes in one request, since its answer may be longer than the request.
LONGEST_BATCH = 8 << 20
