"""One instance that seals, for all tests here that need one, and what tests of the audit log begin with.

`TUTELA_BIN` names the program.
"""

from __future__ import annotations

import os
import uuid

import pytest
from stage import Stage

from tutela import Tutela, User
from tutela.context import CURRENT, RequestContext
from tutela.crypto import KeyManager
from tutela.security import Encryption

SCOPES = ("crypto:encrypt", "crypto:decrypt", "crypto:rewrap", "crypto:export", "keys:read")
# May leave the instance, and may be used where a key commits to nothing.
EXPORTED = {"name": "exported", "purposes": ["encrypt", "plain"], "export": True}
SEARCHED = {"name": "searched", "purposes": ["encrypt", "deterministic", "index"]}


@pytest.fixture(scope="session")
def vault(tmp_path_factory):
    if not os.environ.get("TUTELA_BIN"):
        pytest.skip("no program: set TUTELA_BIN to the file of `tutela`")
    stage = Stage(os.path.abspath(os.environ["TUTELA_BIN"]), tmp_path_factory.mktemp("vault"))
    try:
        stage.start_tutela()
        for key in (EXPORTED, SEARCHED):
            made = stage.operator("POST", "/v1/crypto/keys", key)
            assert made.status_code == 201, made.text
        stage.api_key = stage.key(*SCOPES)
        yield stage
    finally:
        stage.stop()


@pytest.fixture
async def sealer(vault):
    # A debug build takes its time over 10,000 items.
    async with Tutela(vault.own, vault.api_key, timeout=60, deadline=120) as client:
        yield client


@pytest.fixture
def encryption(sealer):
    return Encryption(client=sealer)


@pytest.fixture
def key_manager(sealer):
    return KeyManager(provider="local", rotation_schedule="30 days", backup_enabled=False, client=sealer)


@pytest.fixture
def exported(sealer):
    return KeyManager(client=sealer, key="exported")


# === The audit log ===


@pytest.fixture
def kind():
    """A type of events that nobody else records."""
    return f"sdk.audit.{uuid.uuid4().hex}"


@pytest.fixture
def visit():
    """A request as `Guard` tells of it."""
    context = RequestContext(User(id=""), "198.51.100.7", "kiosk/2", "GET", "/x")
    token = CURRENT.set(context)
    yield context
    CURRENT.reset(token)
