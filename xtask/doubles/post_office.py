"""A mail server, a carrier of text messages and a receiver of webhooks for tests, on loopback.

Mail is taken by aiosmtpd: after STARTTLS and with a password only, unless told otherwise. Prints one line of
JSON when it is ready, and one for everything it receives. What it does with a message is said by the address:

    busy@…    451, try again       bounce@…  550, never       slow@…  answers after two seconds
    +10000000001  Twilio's error 21211    +10000000002  429

    python post_office.py FOLDER [--no-starttls]
"""

from __future__ import annotations

import asyncio
import base64
import datetime
import ipaddress
import json
import socket
import ssl
import sys
import threading
import urllib.parse
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

USER, PASSWORD = b"tutela", b"p\xc3\xa4ss word"
LOCK = threading.Lock()


def say(what: dict) -> None:
    with LOCK:
        print(json.dumps(what), flush=True)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for this host that is its own CA, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=2)).add_extension(names, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    made = builder.sign(key, hashes.SHA256())
    cert_file, key_file = folder / "mail.pem", folder / "mail.key"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    no_password = serialization.NoEncryption()
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password))
    return cert_file, key_file


class Mailbox:
    async def handle_DATA(self, server, session, envelope):
        to = envelope.rcpt_tos
        raw = envelope.content
        mail = message_from_bytes(raw, policy=policy.default)
        body = mail.get_body(preferencelist=("plain",))
        what = {"mail": to, "from": envelope.mail_from, "tls": session.ssl is not None, "auth": session.authenticated}
        what |= {"subject": mail["subject"], "id": mail["message-id"], "headers": sorted({k.lower() for k in mail.keys()})}
        what |= {"sender": mail["from"], "body": body.get_content() if body else None, "longest": max(map(len, raw.split(b"\r\n")))}
        if to[0].startswith("slow"):
            say({"taking": to, "id": mail["message-id"]})
            await asyncio.sleep(2)
        say(what)
        return "250 taken"

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("busy"):
            return "451 come back later"
        if address.startswith("bounce"):
            return f"550 there is nobody called {address}"
        envelope.rcpt_tos.append(address)
        return "250 fine"


def authenticate(server, session, envelope, mechanism, data) -> AuthResult:
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (USER, PASSWORD)
    return AuthResult(success=right, handled=False)


class Carrier(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        if self.path.startswith("/hook"):
            say({"hook": body, "signature": self.headers["tutela-signature"], "type": self.headers["content-type"]})
            return self.answer(503 if "busy" in self.path else 200, {})
        form = {name: values[0] for name, values in urllib.parse.parse_qs(body, keep_blank_values=True).items()}
        auth = base64.b64decode(self.headers["authorization"].removeprefix("Basic ")).decode()
        say({"sms": form, "path": self.path, "auth": auth})
        to = form.get("To")
        if auth.split(":")[1] != "t0ken":
            return self.answer(401, {"code": 20003, "message": "Authenticate"})
        if to == "+10000000001":
            return self.answer(400, {"code": 21211, "message": f"The 'To' number {to} is not a valid phone number."})
        if to == "+10000000002":
            return self.answer(429, {"code": 20429, "message": "Too Many Requests"})
        return self.answer(201, {"sid": "SM0", "status": "queued", "error_code": None})

    def answer(self, status: int, what: dict) -> None:
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_) -> None:
        pass


def free_port() -> int:
    """One that was free a moment ago: the controller knows no port of the system's choice."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main() -> None:
    folder, bare = Path(sys.argv[1]), "--no-starttls" in sys.argv
    cert, key = certificate(folder)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(cert, key)
    more = {} if bare else {"tls_context": tls, "require_starttls": True, "auth_required": True, "auth_require_tls": True}
    smtp = free_port()
    mail = Controller(Mailbox(), hostname="127.0.0.1", port=smtp, authenticator=authenticate, **more)
    mail.start()
    carrier = ThreadingHTTPServer(("127.0.0.1", 0), Carrier)
    say({"smtp": smtp, "http": carrier.server_address[1], "cert": str(cert)})
    carrier.serve_forever()


if __name__ == "__main__":
    main()
