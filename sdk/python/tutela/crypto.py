"""Names for keys, sealed records and messages. `Encryption` stands in `tutela.security`."""

from __future__ import annotations

from .crypto_answers import DataKey, Decrypted, Encrypted, Item, Key, Rewrapped
from .crypto_items import DecryptItem, EncryptItem, FieldPolicy, FieldRule, IndexItem, RecordItem, RewrapItem
from .encryption_service import EncryptionService
from .key_handles import DerivedKey, KeyHandle
from .keys import KeyManager
from .message import EncryptedData
from .secure_data import SecureData

__all__ = [
    "DataKey",
    "DecryptItem",
    "Decrypted",
    "DerivedKey",
    "EncryptItem",
    "Encrypted",
    "EncryptedData",
    "EncryptionService",
    "FieldPolicy",
    "FieldRule",
    "IndexItem",
    "Item",
    "Key",
    "KeyHandle",
    "KeyManager",
    "RecordItem",
    "RewrapItem",
    "Rewrapped",
    "SecureData",
]
