"""Python SDK of tutela: who is there, what they may do, and what they did.

Start with `SecurityManager` and mount `Guard` in the application. `Tutela` is the plain client of the
HTTP API for everything else. Every call that cannot get an answer raises: unknown is no.
"""

from .audit import AuditLog
from .auth import Anonymous, AuthProvider, User
from .client import Batch, Permission, StoredEvent, Token, Tutela
from .context import current_user
from .errors import (
    Conflict,
    Corrupt,
    Exhausted,
    Internal,
    Invalid,
    NotFound,
    PermissionDenied,
    RateLimited,
    TutelaError,
    Unauthenticated,
    Unavailable,
)
from .events import ExternalId, NewEvent, Resource
from .middleware import Guard
from .security import SecurityManager

__version__ = "0.0.1"

__all__ = [
    "Anonymous",
    "AuditLog",
    "AuthProvider",
    "Batch",
    "Conflict",
    "Corrupt",
    "Exhausted",
    "ExternalId",
    "Guard",
    "Internal",
    "Invalid",
    "NewEvent",
    "NotFound",
    "Permission",
    "PermissionDenied",
    "RateLimited",
    "Resource",
    "SecurityManager",
    "StoredEvent",
    "Token",
    "Tutela",
    "TutelaError",
    "Unauthenticated",
    "Unavailable",
    "User",
    "current_user",
]
