"""`KeyManager`: which key to use. The keys themselves stay in tutela.

    key_manager = KeyManager(provider="vault", rotation_schedule="90 days")
    key = await key_manager.get_current_key()

Where keys are kept, how often they are rotated and whether they are backed up is written in the server's
`[kms]` section. The arguments state what the application counts on, in the same words; they are checked
for typos, and it is the server's file that decides.
"""

from __future__ import annotations

from .client import Tutela
from .crypto_items import context_to_wire
from .errors import NotFound
from .key_handles import DerivedKey, KeyHandle, is_key_id
from .settings import is_bool, is_schedule, unknown

PROVIDERS = ("local", "azure-keyvault", "vault")


class KeyManager:
    """The keys of one application.

    `provider`: `local`, `azure-keyvault` or `vault`. `rotation_schedule`: such as `"30 days"`, or
    `never`. `key` is the name of the key that is used, `client` defaults to `Tutela()`. The API key
    needs the scope `keys:read`. Raises ValueError that names what is wrong.
    """

    def __init__(
        self,
        provider: str | None = None,
        rotation_schedule: str | None = None,
        backup_enabled: bool | None = None,
        client: Tutela | None = None,
        key: str = "default",
    ) -> None:
        if provider is not None and provider not in PROVIDERS:
            raise ValueError(unknown("provider", provider, PROVIDERS))
        if rotation_schedule is not None and not is_schedule(rotation_schedule):
            raise ValueError(
                f'`rotation_schedule` must be a length of time such as "30 days", or "never", '
                f"not {rotation_schedule!r}"
            )
        if backup_enabled is not None and not is_bool(backup_enabled):
            raise ValueError(f"`backup_enabled` must be true or false, not {backup_enabled!r}")
        self.provider = provider
        self.rotation_schedule = rotation_schedule
        self.backup_enabled = backup_enabled
        self.client = client or Tutela()
        self.key = key

    async def get_current_key(self) -> KeyHandle:
        """A handle of the key, with the version that seals now. Raises `NotFound`."""
        found = await self.client.crypto.key(self.key)
        return KeyHandle(found.id, found.name, found.version)

    async def get_key(self, key_or_context: str, *, version: int | None = None) -> KeyHandle | DerivedKey:
        """The key with an id, or the key of a context.

        What begins with `tky_` is an id, for example a record's `key_id`: a handle of that key, or
        `NotFound`. Anything else is a context: a handle of the current key that is bound to it, so that
        what is sealed with it opens only with the same context. Where the key has `export = true`, it is
        a `DerivedKey` instead, 32 bytes for other libraries; `version` then asks for an older version.
        """
        if not isinstance(key_or_context, str) or not key_or_context:
            raise ValueError("give the id of a key, or a context of at least one character")
        if key_or_context.startswith("tky_"):
            if not is_key_id(key_or_context):
                raise NotFound("there is no such key: an id is `tky_` and 32 hexadecimal digits")
            found = await self.client.crypto.key(key_or_context)
            return KeyHandle(found.id, found.name, found.version)
        context_to_wire(key_or_context)
        found = await self.client.crypto.key(self.key)
        if found.export:
            return await self.client.crypto.derive(key_or_context, key=found.id, version=version)
        if version is not None:
            raise ValueError("`version` is for keys with `export = true`: a message names its version itself")
        return KeyHandle(found.id, found.name, found.version, key_or_context)

    async def aclose(self) -> None:
        """Close the client's connections."""
        await self.client.aclose()

    def __repr__(self) -> str:
        return f"KeyManager(key={self.key!r})"
