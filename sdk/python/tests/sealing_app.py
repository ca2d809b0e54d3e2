"""Code as an application writes it for itself, with the package's calls and other libraries' ciphers.

The documents that describe these calls hold two such classes; where they are there, see `documents.py`,
the tests run those too.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Union

import documents
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


def described(*words: str) -> dict[str, Any]:
    """The block in the documents that holds all `words`, run with what it takes for granted."""
    known = {"AES": AES, "secrets": secrets, "Union": Union, "EncryptedData": Sealed}
    return documents.described(*words, known=known)
