"""Servers on real sockets, in threads of the test's own process."""

from __future__ import annotations

import datetime
import socket
import threading
from contextlib import contextmanager

import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@contextmanager
def serving(fake, **more):
    """The fake server on a port of its own; yields the port. Connections wait until it accepts them."""
    sock = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        fake.app, lifespan="off", log_level="critical", timeout_graceful_shutdown=1, ws="none", **more
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    try:
        yield sock.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        sock.close()


@contextmanager
def answering(answer):
    """A server that reads once, says `answer`, and closes; None says nothing and keeps the line open."""
    sock = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def serve():
        line, _ = sock.accept()
        with line:
            line.recv(100)
            if answer is not None:
                line.sendall(answer)
                line.shutdown(socket.SHUT_WR)
            done.wait()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        done.set()
        thread.join()
        sock.close()


def make_certificate(folder):
    """A certificate for names under localhost that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tutela.localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("tutela.localhost")]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate, private
