"""The double of Azure Key Vault, used by the official client for Python as it would use the real one."""

from __future__ import annotations

import base64

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.keyvault.keys import (
    KeyClient,
    KeyRotationLifetimeAction,
    KeyRotationPolicy,
    KeyRotationPolicyAction,
)
from azure.keyvault.keys.crypto import KeyWrapAlgorithm
from azure_harness import TENANT, Credential, Vault

OAEP = KeyWrapAlgorithm.rsa_oaep_256
VERSION = "2025-07-01"


@pytest.fixture(scope="module")
def vault(tmp_path_factory):
    vault = Vault(tmp_path_factory.mktemp("vault"))
    yield vault
    vault.stop()


@pytest.fixture
def name(request):
    return request.node.name.replace("_", "-")[-60:].strip("-")


def test_the_client_finds_its_way_by_the_challenge(vault, name):
    credential = Credential(vault)
    with KeyClient(vault.url, credential, **vault.options()) as client:
        key = client.create_rsa_key(name, size=2048)
    assert key.id == f"{vault.url}/keys/{name}/{key.properties.version}"
    assert credential.asked == [(("https://vault.azure.net/.default",), TENANT)]
    status, answer, headers = vault.ask("GET", f"/keys/{name}?api-version={VERSION}")
    assert (status, answer["error"]["code"]) == (401, "Unauthorized")
    challenge = f'Bearer authorization="{vault.url}/{TENANT}", resource="https://vault.azure.net"'
    assert headers["www-authenticate"] == challenge


def test_what_is_wrapped_is_unwrapped_by_exactly_its_version(vault, name):
    client, secret = vault.client(), bytes(range(32))
    old = client.create_rsa_key(name)
    wrapped = vault.crypto(old.id).wrap_key(OAEP, secret)
    assert wrapped.key_id == old.id
    new = client.rotate_key(name)
    assert new.properties.version != old.properties.version
    assert client.get_key(name).id == new.id and client.get_key(name, old.properties.version).id == old.id
    unwrapped = vault.crypto(old.id).unwrap_key(OAEP, wrapped.encrypted_key)
    assert (unwrapped.key, unwrapped.key_id) == (secret, old.id)
    with pytest.raises(HttpResponseError) as caught:
        vault.crypto(new.id).unwrap_key(OAEP, wrapped.encrypted_key)
    assert (caught.value.status_code, caught.value.error.code) == (400, "BadParameter")
    listed = [version.version for version in client.list_properties_of_key_versions(name)]
    assert listed == [old.properties.version, new.properties.version]
    assert name in [key.name for key in client.list_properties_of_keys()]


def test_the_call_that_the_client_never_makes_wraps_as_the_client_does(vault, name):
    client, token = vault.client(), vault.token()[1]["access_token"]
    key = client.create_rsa_key(name)
    path = f"/keys/{name}/{key.properties.version}"
    body = {"alg": "RSA-OAEP-256", "value": base64.urlsafe_b64encode(b"k" * 32).decode().rstrip("=")}
    status, answer, _ = vault.ask("POST", f"{path}/wrapkey?api-version={VERSION}", body, token)
    assert (status, answer["kid"]) == (200, key.id)
    wrapped = base64.urlsafe_b64decode(answer["value"] + "==")
    assert vault.crypto(key.id).unwrap_key(OAEP, wrapped).key == b"k" * 32
    for wrong in ({**body, "alg": "RSA-OAEP"}, {**body, "value": "x" * 600}, {"alg": "RSA-OAEP-256"}):
        status, answer, _ = vault.ask("POST", f"{path}/wrapkey?api-version={VERSION}", wrong, token)
        assert (status, answer["error"]["code"]) == (400, "BadParameter")
    status, *_ = vault.ask("POST", f"/keys/{name}/wrapkey?api-version={VERSION}", body, token)
    assert status == 404, "without a version nothing is wrapped"


def test_many_versions_come_page_by_page(vault, name):
    client = vault.client()
    made = [client.create_rsa_key(name).properties.version for _ in range(3)]
    listed = client.list_properties_of_key_versions(name, max_page_size=2).by_page()
    assert [[v.version for v in page] for page in listed] == [made[:2], made[2:]]


def test_a_disabled_version_still_wraps_but_unwraps_nothing(vault, name):
    client = vault.client()
    key = client.create_rsa_key(name)
    version = key.properties.version
    wrapped = vault.crypto(key.id).wrap_key(OAEP, b"k" * 32).encrypted_key
    disable = [
        lambda: client.update_key_properties(name, version, enabled=False),
        lambda: vault.control(disable=[name, version]),
    ]
    for switch in disable:
        switch()
        assert client.get_key(name).properties.enabled is False
        token = vault.token()[1]["access_token"]
        body = {"alg": "RSA-OAEP-256", "value": "AAAA"}
        path = f"/keys/{name}/{version}/wrapkey?api-version={VERSION}"
        assert vault.ask("POST", path, body, token)[0] == 200
        body["value"] = base64.urlsafe_b64encode(wrapped).decode().rstrip("=")
        status, answer, _ = vault.ask("POST", path.replace("wrapkey", "unwrapkey"), body, token)
        assert (status, answer["error"]["code"]) == (403, "Forbidden")
        assert answer["error"]["innererror"] == {"code": "KeyDisabled"}
        vault.control(enable=[name, version])
        assert vault.crypto(key.id).unwrap_key(OAEP, wrapped).key == b"k" * 32


def test_a_deleted_key_is_gone_its_name_is_kept_and_a_purge_frees_it(vault, name):
    client = vault.client()
    key = client.create_rsa_key(name)
    deleted = client.begin_delete_key(name).result()
    assert deleted.recovery_id == f"{vault.url}/deletedkeys/{name}"
    assert (deleted.scheduled_purge_date - deleted.deleted_date).days == 90
    with pytest.raises(ResourceNotFoundError):
        client.get_key(name, key.properties.version)
    with pytest.raises(ResourceExistsError) as caught:
        client.create_rsa_key(name)
    assert caught.value.error.innererror["code"] == "ObjectIsDeletedButRecoverable"
    assert client.begin_recover_deleted_key(name).result().id == key.id
    client.begin_delete_key(name).wait()
    client.purge_deleted_key(name)
    for gone in (client.get_deleted_key, client.purge_deleted_key, client.get_key, client.begin_delete_key):
        with pytest.raises(ResourceNotFoundError):
            gone(name)
    assert client.create_rsa_key(name).properties.version != key.properties.version


def test_a_rotation_policy_is_kept_as_it_was_set(vault, name):
    client = vault.client()
    client.create_rsa_key(name)
    assert [action.action for action in client.get_key_rotation_policy(name).lifetime_actions] == ["Notify"]
    action = KeyRotationLifetimeAction(KeyRotationPolicyAction.rotate, time_after_create="P30D")
    client.update_key_rotation_policy(name, KeyRotationPolicy(lifetime_actions=[action], expires_in="P90D"))
    found = client.get_key_rotation_policy(name)
    [stored] = found.lifetime_actions
    assert (found.expires_in, stored.action, stored.time_after_create) == ("P90D", "Rotate", "P30D")


def test_only_the_application_with_its_secret_gets_a_token(vault):
    assert vault.token()[0] == 200
    for change, status, error in (
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "other"}, 400, "unauthorized_client"),
        ({"scope": "https://storage.azure.com/.default"}, 400, "invalid_scope"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"tenant": "other"}, 400, "invalid_request"),
    ):
        found, answer, _ = vault.token(**change)
        assert (found, answer["error"]) == (status, error)
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        vault.client("wrong").get_key("any")


def test_a_token_that_is_worth_nothing_any_more_is_replaced_by_the_client(vault, name):
    credential = Credential(vault)
    client = KeyClient(vault.url, credential, **vault.options())
    client.create_rsa_key(name)
    vault.control(expire_tokens=True)
    assert client.get_key(name).name == name
    assert len(credential.asked) == 2


def test_calls_without_a_version_of_the_api_that_is_known_are_refused(vault):
    token = vault.token()[1]["access_token"]
    for query in ("", "?api-version=", "?api-version=1999-01-01"):
        status, answer, _ = vault.ask("GET", f"/keys{query}", token=token)
        assert (status, answer["error"]["code"]) == (400, "BadParameter")


def test_wrong_keys_are_refused_as_azure_does(vault):
    token = vault.token()[1]["access_token"]
    for key, body in (("a_b", {"kty": "RSA"}), ("a", {"kty": "oct"}), ("a", {"kty": "RSA", "key_size": 512})):
        status, answer, _ = vault.ask("POST", f"/keys/{key}/create?api-version={VERSION}", body, token)
        assert (status, answer["error"]["code"]) == (400, "BadParameter")
    with pytest.raises(ResourceNotFoundError) as caught:
        vault.client().get_key("none")
    assert caught.value.error.code == "KeyNotFound"


def test_a_test_can_switch_it_off_and_see_what_was_asked(vault, name):
    client = vault.client()
    client.create_rsa_key(name)
    try:
        assert vault.control(off=True)["off"] is True
        with pytest.raises(HttpResponseError) as caught:
            client.get_key(name)
        assert caught.value.status_code == 503
        assert vault.token()[0] == 503
    finally:
        assert vault.control(off=False)["off"] is False
    assert client.get_key(name).name == name
    assert f"POST /keys/{name}/create" in vault.ask("GET", "/control")[1]["calls"]
    for wrong in ({}, {"of": True}):
        assert vault.ask("POST", "/control", wrong)[0] == 400
