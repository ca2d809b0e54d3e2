"""A double of Azure Key Vault's REST calls on keys, for tests. There is no emulator to be had.

    python azure_key_vault.py --port 0 --cert FILE --key FILE --tenant T --client C --secret-file F

prints one line of JSON with its `url` when it is ready, and serves until it is ended. It speaks https, asks
for a token with a bearer challenge, hands tokens out at `/{tenant}/oauth2/v2.0/token`, and keeps RSA keys
in memory (`azure_vault.py`). The official client `azure-keyvault-keys` works with it; see the test.

`/control` is the tests' own, answers on loopback only, and needs no token:

    GET                                       {"off", "calls": ["POST /keys/a/create", …]}
    POST {"off": true}                        everything else answers 503, until false
    POST {"disable": ["name", "version"]}     that version is disabled; "enable" undoes it
    POST {"expire_tokens": true}              every token handed out so far is worth nothing
"""

from __future__ import annotations

import argparse
import hmac
import ipaddress
import json
import secrets
import socket
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from azure_vault import Problem, Vault

API_VERSIONS = {"7.4", "7.5", "7.6", "2025-07-01"}
SCOPE = "https://vault.azure.net/.default"
TOKEN_LIFE_S = 3599
LARGEST_BODY = 64 * 1024


class Double(ThreadingHTTPServer):
    """The server and what it knows beside the keys."""

    daemon_threads = True

    def __init__(self, listen: str, port: int, tls: ssl.SSLContext, tenant: str, client: str, secret: str):
        super().__init__((listen, port), Handler)
        self.tls, self.tenant, self.client, self.secret = tls, tenant, client, secret
        self.url = f"https://localhost:{self.server_port}"
        self.vault = Vault(self.url)
        self.lock = threading.Lock()
        self.tokens: dict[str, float] = {}
        self.off = False
        self.calls: list[str] = []

    def finish_request(self, request: Any, client_address: Any) -> None:
        # In the connection's own thread: a client that never shakes hands must not stop the others.
        try:
            wrapped = self.tls.wrap_socket(request, server_side=True)
        except (ssl.SSLError, OSError):
            return
        super().finish_request(wrapped, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are nothing to tell of; everything else is a fault of this file."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Double

    def answer(self) -> None:
        """Every request of every method."""
        length = int(self.headers.get("content-length") or 0)
        if length > LARGEST_BODY:
            self.close_connection = True
            self.send({"error": {"code": "RequestTooLarge", "message": "The request is too large."}}, 413)
            return
        # Read in any case: what is left over would be taken for the next request.
        body = self.rfile.read(length)
        where = urlsplit(self.path)
        parts = [unquote(part) for part in where.path.strip("/").split("/")]
        try:
            if parts == ["control"]:
                self.send(self.control(body))
                return
            with self.server.lock:
                self.server.calls.append(f"{self.command} {where.path}")
            if self.server.off:
                raise Problem(503, "ServiceUnavailable", "The double was switched off.")
            if parts[1:] == ["oauth2", "v2.0", "token"]:
                self.token(parts[0], body)
                return
            if not self.authorized():
                self.challenge()
                return
            query = {name: values[-1] for name, values in parse_qs(where.query).items()}
            if query.get("api-version") not in API_VERSIONS:
                raise Problem(400, "BadParameter", "The specified version is not supported: api-version")
            with self.server.lock:
                found = self.server.vault.handle(self.command, parts, query, parsed(body))
            self.send(found, 204 if found is None else 200)
        except Problem as problem:
            self.send(problem.document(), problem.status)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    # === Who asks ===

    def authorized(self) -> bool:
        scheme, _, token = (self.headers.get("authorization") or "").partition(" ")
        with self.server.lock:
            return scheme.lower() == "bearer" and self.server.tokens.get(token, 0.0) > time.time()

    def challenge(self) -> None:
        """RFC 6750 §3; the client learns here where tokens are to be had."""
        authority = f"{self.server.url}/{self.server.tenant}"
        header = f'Bearer authorization="{authority}", resource="https://vault.azure.net"'
        message = "AKV10000: Request is missing a Bearer or PoP token."
        if self.headers.get("authorization"):
            message = "AKV10046: The token is not valid or has expired."
        self.send({"error": {"code": "Unauthorized", "message": message}}, 401, {"WWW-Authenticate": header})

    def token(self, tenant: str, body: bytes) -> None:
        """The client credentials grant (RFC 6749 §4.4), refused as Entra ID does."""
        form = {name: values[-1] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
        server = self.server
        if self.command != "POST" or tenant != server.tenant:
            self.refuse_token(400, "invalid_request", 90002, "Tenant not found.")
        elif form.get("grant_type") != "client_credentials":
            self.refuse_token(400, "unsupported_grant_type", 70003, "The grant type is not supported.")
        elif form.get("scope") != SCOPE:
            self.refuse_token(400, "invalid_scope", 70011, "The provided scope is not valid.")
        elif form.get("client_id") != server.client:
            self.refuse_token(400, "unauthorized_client", 700016, "Application not found in the directory.")
        elif not hmac.compare_digest(form.get("client_secret", "").encode(), server.secret.encode()):
            self.refuse_token(401, "invalid_client", 7000215, "Invalid client secret provided.")
        else:
            token = secrets.token_urlsafe(32)
            with server.lock:
                server.tokens[token] = time.time() + TOKEN_LIFE_S
            self.send({"token_type": "Bearer", "expires_in": TOKEN_LIFE_S, "access_token": token})

    def refuse_token(self, status: int, error: str, number: int, words: str) -> None:
        described = f"AADSTS{number}: {words}"
        self.send({"error": error, "error_description": described, "error_codes": [number]}, status)

    # === What tests may do ===

    def control(self, body: bytes) -> dict[str, Any]:
        if not ipaddress.ip_address(self.client_address[0]).is_loopback:
            raise Problem(404, "NotFound", "There is nothing here.")
        server = self.server
        with server.lock:
            if self.command == "POST":
                asked = parsed(body)
                if not asked or set(asked) - {"off", "disable", "enable", "expire_tokens"}:
                    raise Problem(400, "BadParameter", "`off`, `disable`, `enable` or `expire_tokens`")
                server.off = bool(asked.get("off", server.off))
                for verb in ("disable", "enable"):
                    if verb in asked:
                        server.vault.version(*asked[verb]).enabled = verb == "enable"
                if asked.get("expire_tokens"):
                    server.tokens.clear()
            return {"off": server.off, "calls": list(server.calls)}

    # === The wire ===

    def send(self, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if body is not None:
            self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("x-ms-keyvault-service-version", "0.0.0-double")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the one line of output is the address."""


def parsed(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Problem(400, "BadParameter", "The request body is not a JSON object.")
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="a double of Azure Key Vault for tests")
    parser.add_argument("--listen", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port; 0 takes a free one")
    parser.add_argument("--cert", required=True, help="certificate for localhost, PEM")
    parser.add_argument("--key", required=True, help="its key, PEM")
    parser.add_argument("--tenant", required=True, help="the directory that tokens are asked from")
    parser.add_argument("--client", required=True, help="the application's id")
    parser.add_argument("--secret-file", required=True, help="a file with the application's secret")
    given = parser.parse_args(arguments)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(given.cert, given.key)
    secret = Path(given.secret_file).read_text(encoding="utf-8").rstrip("\r\n")
    with Double(given.listen, given.port, tls, given.tenant, given.client, secret) as double:
        double.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        print(json.dumps({"url": double.url, "tenant": given.tenant}), flush=True)
        double.serve_forever()


if __name__ == "__main__":
    main()
