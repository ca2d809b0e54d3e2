"""Code as an application writes it for itself, with the package's calls and other libraries' ciphers.

The documents that describe these calls hold two such classes. Where `TUTELA_DOCUMENTS` names their folder,
`described` gives their code as it stands there, with the imports changed, and the tests run that too.
"""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

from Crypto.Cipher import AES


class FieldByField:
    """Seals each field alone; the record brings the id of the key in a field of its own."""

    def __init__(self, encryption, key_manager, secret):
        self.encryption, self.key_manager, self.secret = encryption, key_manager, secret

    async def close(self, record):
        key = await self.key_manager.get_current_key()
        return {
            name: await self.encryption.encrypt(value, key=key, algorithm="aes-256-gcm")
            if name in self.secret
            else value
            for name, value in (record | {"key_id": key.id}).items()
        }

    async def open(self, record):
        key = await self.key_manager.get_key(record["key_id"])
        return {
            name: await self.encryption.decrypt(value, key=key, algorithm="aes-256-gcm")
            if name in self.secret
            else value
            for name, value in record.items()
        }


@dataclass
class Sealed:
    """What an application may call its own parts; the package knows nothing of it."""

    ciphertext: bytes
    nonce: bytes
    tag: bytes
    context: str


async def seal_here(key_manager, data, context):
    """AES-GCM in this process, under the key of the context."""
    cipher = AES.new(await key_manager.get_key(context), AES.MODE_GCM, nonce=secrets.token_bytes(12))
    cipher.update(bytes(context, "utf-8"))
    sealed = cipher.encrypt(data)
    return Sealed(sealed, cipher.nonce, cipher.digest(), context)


async def open_here(key_manager, sealed):
    """The inverse; raises ValueError where the tag is wrong."""
    cipher = AES.new(await key_manager.get_key(sealed.context), AES.MODE_GCM, nonce=sealed.nonce)
    cipher.update(bytes(sealed.context, "utf-8"))
    return cipher.decrypt_and_verify(sealed.ciphertext, sealed.tag)


DOCUMENTS = os.environ.get("TUTELA_DOCUMENTS")


def described(*words: str) -> dict[str, Any]:
    """Run the one block of Python in the documents that holds all `words`; what it defined.

    The names that the documents take for granted are there before.
    """
    texts = (path.read_text(encoding="utf-8") for path in Path(DOCUMENTS or "").glob("*.txt"))
    blocks = [block for text in texts for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)]
    [code] = [block for block in blocks if all(word in block for word in words)]
    known = {"AES": AES, "secrets": secrets, "Union": Union, "EncryptedData": Sealed}
    exec(re.sub(r"\bfrom nexios\.", "from tutela.", code), known)  # noqa: S102
    return known
