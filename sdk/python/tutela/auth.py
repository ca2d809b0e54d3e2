"""Names for who signs in and how."""

from __future__ import annotations

from enum import Enum

from .errors import PermissionDenied, Unauthenticated
from .identity import Anonymous, User


class AuthProvider(str, Enum):
    """The outside ways to sign in that tutela's own pages offer."""

    OAUTH2 = "oauth2"
    OPENID = "openid"
    SAML = "saml"


__all__ = ["Anonymous", "AuthProvider", "PermissionDenied", "Unauthenticated", "User"]
