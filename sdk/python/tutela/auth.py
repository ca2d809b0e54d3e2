"""Who signs in and how: the names, and `MFA` for handlers that ask for more than one factor."""

from __future__ import annotations

from enum import Enum

from .errors import MFARequired, PermissionDenied, Unauthenticated
from .identity import Anonymous, User
from .mfa import MFA


class AuthProvider(str, Enum):
    """The outside ways to sign in that tutela's own pages offer."""

    OAUTH2 = "oauth2"
    OPENID = "openid"
    SAML = "saml"


__all__ = ["MFA", "Anonymous", "AuthProvider", "MFARequired", "PermissionDenied", "Unauthenticated", "User"]
