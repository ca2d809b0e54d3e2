"""`EncryptionService`: one text or bytes in, the parts of a message out.

For code that keeps ciphertext, nonce and tag apart. The parts come from the algorithm that commits to its
key; with a key that has `export = true` an application can also seal by itself, see `KeyManager.get_key`.
"""

from __future__ import annotations

from .crypto_items import context_to_wire
from .keys import KeyManager
from .message import EncryptedData


class EncryptionService:
    """Seals and opens under the key of a `KeyManager`, always bound to a context."""

    def __init__(self, key_manager: KeyManager) -> None:
        self.key_manager = key_manager

    async def encrypt_sensitive_data(self, data: str | bytes, context: str) -> EncryptedData:
        """Seal text (its UTF-8) or bytes. The same `context` is needed to open it, and is no secret."""
        plaintext = data.encode() if isinstance(data, str) else bytes(data)
        if not isinstance(context, str):
            raise ValueError("`context` is a text")
        context_to_wire(context)
        sealed = await self.key_manager.client.crypto.encrypt(
            plaintext, key=self.key_manager.key, context=context, form="json"
        )
        return EncryptedData.from_wire(sealed.message, context)

    async def decrypt_sensitive_data(self, encrypted: EncryptedData, context: str | None = None) -> bytes:
        """The bytes that were sealed. Raises `Invalid` where any part was changed, the nonce included.

        Without `context` the one in `encrypted` counts, which whoever replaces the whole can replace too;
        so give it where it is known.
        """
        expected = encrypted.context if context is None else context
        opened = await self.key_manager.client.crypto.decrypt(encrypted.to_wire(), context=expected)
        return opened.plaintext
