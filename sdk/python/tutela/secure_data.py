"""`SecureData`: a record of which some fields are sealed and the others are not.

    class Patient(SecureData):
        def is_sensitive(self, field):
            return field in {"name", "diagnosis"}

    stored = await Patient(row, record_id="patient/7").encrypt()
    row = await Patient(record_id="patient/7").decrypt(stored)

With a `record_id` all fields are sealed together: nothing can be swapped between fields or records, added
in the clear, or taken from an older version of the same record. Without one, each field is a message for
itself, bound to its name: fields cannot be swapped within the record, but the same field of two records can.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from .crypto_items import FieldPolicy, FieldRule
from .encryption import Encryption, pack, unpack
from .errors import Corrupt, Invalid
from .keys import KeyManager


class SecureData:
    """Data with sensitive fields: those named by `sensitive`, or those an own `is_sensitive` says.

    `data` is what `encrypt` seals. `encryption` and `key_manager` default to new ones that share a
    client. A sealed record carries `key_id`, and `$tutela` where it was sealed with a `record_id`.
    """

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        encryption: Encryption | None = None,
        key_manager: KeyManager | None = None,
        sensitive: Collection[str] = (),
        record_id: str | None = None,
    ) -> None:
        if isinstance(sensitive, str):
            raise ValueError('`sensitive` is a collection of names, for example {"email"}')
        if record_id == "":
            raise ValueError("`record_id` is empty")
        self.data = dict(data or {})
        self.sensitive = frozenset(sensitive)
        self.record_id = record_id
        client = encryption.client if encryption else key_manager.client if key_manager else None
        self.encryption = encryption or Encryption(client=client)
        self.key_manager = key_manager or KeyManager(client=self.encryption.client)

    def is_sensitive(self, field: str) -> bool:
        """Whether a field is sealed. Override it where names alone do not say."""
        return field in self.sensitive

    async def encrypt(self) -> dict[str, Any]:
        """The record with its sensitive fields sealed, and `key_id`.

        Raises ValueError where the data has a name that the seal needs.
        """
        taken = self.data.keys() & {"key_id", HEADER}
        if taken:
            raise ValueError(f"`{taken.pop()}` is a name that the seal needs")
        secret = self._sensitive(self.data)
        if not secret:
            return dict(self.data)
        if self.record_id is not None:
            sealed = await self.encryption.client.crypto.seal_record(
                {field: pack(value) for field, value in secret.items()},
                policy=self._policy(secret, self.key_manager.key),
                record_id=self.record_id,
            )
            return {**self.data, **sealed}
        key = await self.key_manager.get_current_key()
        items = await self.encryption.encrypt_many(secret.values(), key=key, contexts=list(secret))
        messages = dict(zip(secret, (item.unwrap() for item in items), strict=True))
        return {**self.data, **messages, "key_id": key.id}

    async def decrypt(self, encrypted: Mapping[str, Any]) -> dict[str, Any]:
        """The data as it was. Raises `Invalid` where something in it is not what was sealed there.

        A sensitive field that stands in the clear is refused, as anybody could have put it there.
        """
        kept = {field: value for field, value in encrypted.items() if field not in ("key_id", HEADER)}
        secret = self._sensitive(kept)
        key_id = encrypted.get("key_id")
        if not secret and key_id is None and HEADER not in encrypted:
            return kept
        if not isinstance(key_id, str) or not secret:
            raise Invalid("a sealed record has a `key_id` and sealed fields", remote=True)
        if self.record_id is not None:
            marks = {name: encrypted[name] for name in ("key_id", HEADER) if name in encrypted}
            opened = await self.encryption.client.crypto.open_record(
                {**secret, **marks}, policy=self._policy(secret, key_id), record_id=self.record_id
            )
            if not opened.keys() >= secret.keys():
                raise Corrupt("the server did not open each field", remote=True)
            return {**kept, **{field: unpack(opened[field]) for field in secret}}
        if HEADER in encrypted:
            raise Invalid("the record was sealed with a `record_id` and opens only with it", remote=True)
        items = await self.encryption.decrypt_many(secret.values(), key=key_id, contexts=list(secret))
        return {**kept, **{field: item.unwrap() for field, item in zip(secret, items, strict=True)}}

    def _sensitive(self, data: Mapping[str, Any]) -> dict[str, Any]:
        return {field: value for field, value in data.items() if self.is_sensitive(field)}

    def _policy(self, secret: Mapping[str, Any], key: str) -> FieldPolicy:
        dotted = [field for field in secret if "." in field]
        if dotted:
            raise ValueError(f"`{dotted[0]}`: a dot in a name reads as a path; seal the field above it")
        return FieldPolicy([FieldRule(field) for field in secret], key=key)


HEADER = "$tutela"
