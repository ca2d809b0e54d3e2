"""Python SDK of tutela: who is there, what they may do, what they did, and what nobody else may read.

Start with `SecurityManager` and mount `Guard` in the application; `Encryption` and `KeyManager` seal its
data. `Tutela` is the plain client of the HTTP API for everything else. Every call that cannot get an
answer raises: unknown is no.
"""

from .audit import AuditLog, AuditLogger, AuditMismatch
from .auth import MFA, Anonymous, AuthProvider, User
from .cards import Unmaskable
from .client import Batch, Permission, Token, Tutela
from .compliance import ComplianceManager, ComplianceMismatch
from .compliance_client import ComplianceSettings
from .context import current_user
from .detection_client import Block, Incident, Rule
from .encryption import Encryption
from .encryption_service import EncryptionService
from .errors import (
    Conflict,
    Corrupt,
    Exhausted,
    Internal,
    Invalid,
    MFARequired,
    NotFound,
    PermissionDenied,
    RateLimited,
    TutelaError,
    Unauthenticated,
    Unavailable,
)
from .events import ExternalId, NewEvent, Resource
from .identity_answers import IdentitySettings
from .identity_settings import IdentityMismatch
from .keys import KeyManager
from .ledger_answers import EventType, Hold, Recorded, StoredEvent
from .middleware import Guard
from .monitor import AlertService, MonitorMismatch, SecurityEvent, SecurityMonitor
from .privacy import ConsentRequired, PrivacyManager, PrivacyMismatch
from .privacy_client import Consent, ConsentAnswer, MissingConsent, PrivacySettings, SubjectRequest
from .secure_data import SecureData
from .security import SecurityManager
from .subject_requests import (
    CCPAComplianceService,
    DataProtectionService,
    DataRequestResponse,
    DeletionConfirmation,
    PrivacyResponse,
    RequestPending,
    UserDataExport,
)

__version__ = "0.0.1"

__all__ = [
    "MFA",
    "AlertService",
    "Anonymous",
    "AuditLog",
    "AuditLogger",
    "AuditMismatch",
    "AuthProvider",
    "Batch",
    "ComplianceManager",
    "ComplianceMismatch",
    "ComplianceSettings",
    "Block",
    "CCPAComplianceService",
    "Conflict",
    "Consent",
    "ConsentAnswer",
    "ConsentRequired",
    "Corrupt",
    "DataProtectionService",
    "DataRequestResponse",
    "DeletionConfirmation",
    "Encryption",
    "EncryptionService",
    "Exhausted",
    "EventType",
    "ExternalId",
    "Guard",
    "Hold",
    "IdentityMismatch",
    "IdentitySettings",
    "Incident",
    "Internal",
    "Invalid",
    "KeyManager",
    "MFARequired",
    "MissingConsent",
    "MonitorMismatch",
    "NewEvent",
    "NotFound",
    "Permission",
    "PermissionDenied",
    "PrivacyManager",
    "PrivacyMismatch",
    "PrivacyResponse",
    "PrivacySettings",
    "RateLimited",
    "Recorded",
    "RequestPending",
    "Resource",
    "Rule",
    "SecureData",
    "SecurityEvent",
    "SecurityManager",
    "SecurityMonitor",
    "StoredEvent",
    "SubjectRequest",
    "Token",
    "Tutela",
    "TutelaError",
    "Unauthenticated",
    "Unavailable",
    "Unmaskable",
    "User",
    "UserDataExport",
    "current_user",
]
