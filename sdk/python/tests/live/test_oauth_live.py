"""tutela as an OpenID provider for Python: authlib as the client of an application, and as a resource server that has
nothing of tutela but its public keys.
"""

from __future__ import annotations

import os
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.httpx_client import OAuth2Client
from authlib.oauth2.rfc6750.errors import InsufficientScopeError, InvalidTokenError
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from browser import Browser, Loopback
from joserfc import jwt
from joserfc.jwk import KeySet
from stage import PASSWORD, Stage, visitor_address

pytestmark = pytest.mark.skipif(
    not os.environ.get("TUTELA_BIN"), reason="no program: set TUTELA_BIN to the file of `tutela`"
)

ADA = "ada@example.com"
CALLBACK = "https://album.example.com/callback"
API = "https://api.album.example.com"


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    stage = Stage(os.path.abspath(os.environ["TUTELA_BIN"]), tmp_path_factory.mktemp("oauth"))
    try:
        stage.start_tutela()
        stage.ada = stage.account(ADA)
        yield stage
    finally:
        stage.stop()


@pytest.fixture
def browser():
    browser = Browser(visitor_address())
    yield browser
    browser.close()


def registered(stage, name, **oauth):
    """A client of authlib's, registered with tutela as an administrator would."""
    wanted = {"redirect_uris": [CALLBACK], "audiences": [API], "require_consent": False, **oauth}
    made = stage.operator("POST", "/v1/clients", {"name": name, "oauth": wanted})
    assert made.status_code == 201, made.text
    method = wanted.get("token_endpoint_auth_method", "client_secret_basic")
    return OAuth2Client(
        made.json()["id"],
        made.json().get("api_key"),
        token_endpoint_auth_method=method,
        redirect_uri=CALLBACK,
        code_challenge_method="S256",
        transport=Loopback(visitor_address()),
    )


def read(stage, path):
    """A document that tutela shows to everybody."""
    with httpx.Client(transport=Loopback(visitor_address())) as http:
        return http.get(f"{stage.own}/.well-known/{path}").raise_for_status().json()


def endpoints(stage):
    return read(stage, "openid-configuration")


def sign_in(stage, client, browser, scope):
    """The whole way of a person, and the tokens at its end."""
    known, verifier = endpoints(stage), "v" * 64
    url, state = client.create_authorization_url(
        known["authorization_endpoint"], scope=scope, nonce="n-1", code_verifier=verifier
    )
    answer, at = browser.open(url), url
    while not answer.headers.get("location", "").startswith(CALLBACK):
        if answer.is_redirect:
            at = answer.headers["location"]
            answer = browser.open(at if at.startswith("http") else stage.own + at)
            continue
        to = parse_qs(urlsplit(at).query)["to"][0]
        answer = browser.send(
            "POST", f"{stage.own}/sign-in", form={"email": ADA, "password": PASSWORD, "to": to}
        )
    assert parse_qs(urlsplit(answer.headers["location"]).query)["iss"] == [known["issuer"]]
    return client.fetch_token(
        known["token_endpoint"],
        authorization_response=answer.headers["location"],
        state=state,
        code_verifier=verifier,
    )


class ResourceServer(JWTBearerTokenValidator):
    """Knows the issuer and the keys that stand at its address, and asks tutela nothing else."""

    def __init__(self, stage, resource_server=API):
        super().__init__(stage.own, resource_server)
        self.keys = read(stage, "jwks.json")

    def get_jwks(self):
        return self.keys

    def takes(self, token, *scopes):
        claims = self.authenticate_token(token)
        self.validate_token(claims, list(scopes), None)
        return claims


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "none"])
def test_a_person_signs_in_and_the_resource_server_takes_the_token_by_its_keys_alone(stage, browser, method):
    scopes = ["openid", "email", "album:read"]
    client = registered(stage, f"album {method}", scopes=scopes, token_endpoint_auth_method=method)
    tokens = sign_in(stage, client, browser, " ".join(scopes))
    api = ResourceServer(stage)
    claims = api.takes(tokens["access_token"], "album:read")
    assert claims["sub"] == stage.ada and claims["client_id"] == client.client_id
    identity = jwt.decode(tokens["id_token"], KeySet.import_key_set(api.keys), algorithms=["ES256"])
    assert (identity.claims["sub"], identity.claims["aud"]) == (stage.ada, client.client_id)
    assert (identity.claims["email"], identity.claims["nonce"]) == (ADA, "n-1")
    user = client.get(endpoints(stage)["userinfo_endpoint"]).json()
    assert user == {"sub": stage.ada, "email": ADA, "email_verified": False}
    with pytest.raises(InsufficientScopeError):
        api.takes(tokens["access_token"], "album:write")
    with pytest.raises(InvalidTokenError):
        ResourceServer(stage, "https://other.example.com").takes(tokens["access_token"])
    with pytest.raises(InvalidTokenError):
        # An ID token is no access token: it is for somebody else, and says other things.
        api.takes(tokens["id_token"])


def test_tokens_are_renewed_and_revoked(stage, browser):
    client = registered(stage, "renewing")
    known, first = endpoints(stage), sign_in(stage, client, browser, "openid")
    second = client.refresh_token(known["token_endpoint"], first["refresh_token"])
    assert second["refresh_token"] != first["refresh_token"] and second["id_token"]
    seen = client.introspect_token(known["introspection_endpoint"], second["access_token"]).json()
    assert (seen["active"], seen["sub"], seen["aud"]) == (True, stage.ada, API)
    assert client.revoke_token(known["revocation_endpoint"], second["refresh_token"]).status_code == 200
    assert client.introspect_token(known["introspection_endpoint"], second["access_token"]).json() == {
        "active": False
    }
    with pytest.raises(OAuthError, match="invalid_grant"):
        client.refresh_token(known["token_endpoint"], second["refresh_token"])


def test_a_program_acts_for_itself(stage):
    client = registered(
        stage, "billing", redirect_uris=[], grant_types=["client_credentials"], scopes=["invoices:write"]
    )
    tokens = client.fetch_token(endpoints(stage)["token_endpoint"], grant_type="client_credentials")
    claims = ResourceServer(stage).takes(tokens["access_token"], "invoices:write")
    assert claims["sub"] == claims["client_id"] == client.client_id and "sid" not in claims
