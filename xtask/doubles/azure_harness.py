"""The double in a process of its own, and what a test says to it with and without the official client."""

from __future__ import annotations

import datetime
import ipaddress
import json
import ssl
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from azure.core.credentials import AccessToken, AccessTokenInfo
from azure.core.exceptions import ClientAuthenticationError
from azure.keyvault.keys import KeyClient
from azure.keyvault.keys.crypto import CryptographyClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

TENANT, CLIENT, SECRET = "11111111-2222-3333-4444-555555555555", "app", "s3cret & = %"


class Vault:
    """A running double."""

    def __init__(self, folder: Path) -> None:
        self.cert, key = certificate(folder)
        (folder / "secret").write_text(SECRET + "\n", encoding="utf-8")
        program = Path(__file__).with_name("azure_key_vault.py")
        command = [sys.executable, str(program), "--port", "0", "--cert", str(self.cert), "--key", str(key)]
        command += ["--tenant", TENANT, "--client", CLIENT, "--secret-file", str(folder / "secret")]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        assert self.process.stdout is not None
        self.url = json.loads(self.process.stdout.readline())["url"]

    def stop(self):
        self.process.terminate()
        self.process.wait(20)

    def ask(self, method, path, body=None, token=None, form=None):
        """One request; status, parsed answer and headers."""
        request = urllib.request.Request(self.url + path, method=method)
        if token is not None:
            request.add_header("authorization", f"Bearer {token}")
        if body is not None:
            request.data = json.dumps(body).encode()
        elif form is not None:
            request.data = urllib.parse.urlencode(form).encode()
        trust = ssl.create_default_context(cafile=str(self.cert))
        handlers = [urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)]
        try:
            with urllib.request.build_opener(*handlers).open(request, timeout=20) as answer:
                return answer.status, json.loads(answer.read() or b"null"), answer.headers
        except urllib.error.HTTPError as answer:
            return answer.code, json.loads(answer.read()), answer.headers

    def token(self, tenant=TENANT, **change):
        form = {"grant_type": "client_credentials", "client_id": CLIENT, "client_secret": SECRET}
        form |= {"scope": "https://vault.azure.net/.default"} | change
        return self.ask("POST", f"/{tenant}/oauth2/v2.0/token", form=form)

    def control(self, **asked):
        status, answer, _ = self.ask("POST", "/control", asked)
        assert status == 200, answer
        return answer

    def client(self, secret=SECRET):
        return KeyClient(self.url, Credential(self, secret), **self.options())

    def crypto(self, key_id):
        return CryptographyClient(key_id, Credential(self), **self.options())

    def options(self):
        # The resource of the challenge is Azure's, which the client would compare with the address.
        return {"verify_challenge_resource": False, "connection_verify": str(self.cert), "retry_total": 0}


class Credential:
    """What `azure-identity` does for an application with a secret."""

    def __init__(self, vault: Vault, secret: str = SECRET) -> None:
        self.vault, self.secret, self.asked = vault, secret, []

    def get_token(self, *scopes, **more):
        self.asked.append((scopes, more.get("tenant_id")))
        status, answer, _ = self.vault.token(client_secret=self.secret, scope=scopes[0])
        if status != 200:
            raise ClientAuthenticationError(answer["error_description"])
        return AccessToken(answer["access_token"], 2**31)

    def get_token_info(self, *scopes, options=None):
        token = self.get_token(*scopes, tenant_id=(options or {}).get("tenant_id"))
        return AccessTokenInfo(token.token, token.expires_on)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - datetime.timedelta(days=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(pem))
    key_file.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return cert_file, key_file
