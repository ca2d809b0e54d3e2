"""A SAML identity provider: pysaml2 over xmlsec1, another XML stack than ours. Whoever asks is signed in as the person
that the test has set.

    saml_idp.py FOLDER

It prints one line of JSON when it is open: its address and its entity id. Then:

    GET  /metadata        its metadata
    PUT  /test/sp         the service provider's metadata; requests are checked against them
    PUT  /test/person     {"name_id": ..., "format": ..., "attributes": {...}, "acr": ..., "sign": "assertion|response|both|none", "hash": "sha1"}
    GET  /sso  POST /sso  a request by either binding; the answer is a form for the service provider
    GET  /start           a response that nobody asked for
    GET  /test/logout     the address of a logout request for the person, for the browser
    GET  /slo             a logout request or answer of the service provider
"""

import base64
import datetime
import html
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.config import IdPConfig
from saml2.metadata import create_metadata_string
from saml2.saml import NAMEID_FORMAT_PERSISTENT, NameID
from saml2.server import Server
from saml2.sigver import get_xmlsec_binary
from saml2.xmldsig import DIGEST_SHA1, DIGEST_SHA256, SIG_RSA_SHA1, SIG_RSA_SHA256

FOLDER = Path(sys.argv[1])
STATE = {"person": {"name_id": "ada-1"}, "server": None, "sp": None}


def build(base: str, sp_metadata: str | None) -> Server:
    """The provider, with the service provider that it knows."""
    more = {}
    if sp_metadata is not None:
        file = FOLDER / "sp.xml"
        file.write_text(sp_metadata)
        more["metadata"] = {"local": [str(file)]}
    config = IdPConfig()
    config.load(
        {
            "entityid": f"{base}/metadata",
            "xmlsec_binary": get_xmlsec_binary(),
            "key_file": str(FOLDER / "idp.key"),
            "cert_file": str(FOLDER / "idp.pem"),
            "service": {
                "idp": {
                    "endpoints": {
                        "single_sign_on_service": [(f"{base}/sso", BINDING_HTTP_REDIRECT), (f"{base}/sso", BINDING_HTTP_POST)],
                        "single_logout_service": [(f"{base}/slo", BINDING_HTTP_REDIRECT)],
                    },
                    "policy": {"default": {"attribute_restrictions": None, "name_form": "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"}},
                    "want_authn_requests_signed": True,
                }
            },
            **more,
        }
    )
    return Server(config=config)


def respond(server: Server, sp: str, consumer: str, request_id: str | None, state: str | None) -> str:
    """A page with the response as a form, as a browser gets it."""
    person = STATE["person"]
    sign, old = person.get("sign", "assertion"), person.get("hash") == "sha1"
    response = server.create_authn_response(
        identity=person.get("attributes", {}),
        in_response_to=request_id,
        destination=consumer,
        sp_entity_id=sp,
        name_id=NameID(text=person["name_id"], format=person.get("format", NAMEID_FORMAT_PERSISTENT)),
        authn={"class_ref": person.get("acr", "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"), "authn_auth": "test"},
        sign_response=sign in ("response", "both"),
        sign_assertion=sign in ("assertion", "both"),
        sign_alg=SIG_RSA_SHA1 if old else SIG_RSA_SHA256,
        digest_alg=DIGEST_SHA1 if old else DIGEST_SHA256,
    )
    packed = base64.b64encode(str(response).encode()).decode()
    relay = "" if state is None else f'<input type="hidden" name="RelayState" value="{html.escape(state)}">'
    return f'<form method="post" action="{html.escape(consumer)}"><input type="hidden" name="SAMLResponse" value="{packed}">{relay}<button>Go on</button></form>'


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Quiet."""

    def answer(self, status: int, body: str, kind: str = "text/html", **headers: str):
        data = body.encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def body(self) -> str:
        return self.rfile.read(int(self.headers.get("content-length", 0))).decode()

    def sso(self, fields: dict, binding: str):
        server = STATE["server"]
        field = lambda name: fields.get(name, [None])[0]
        if binding == BINDING_HTTP_REDIRECT and not field("Signature"):
            return self.answer(400, "the request is not signed")
        more = {"relay_state": field("RelayState"), "sigalg": field("SigAlg"), "signature": field("Signature")} if binding == BINDING_HTTP_REDIRECT else {}
        request = server.parse_authn_request(field("SAMLRequest"), binding, **more)
        message = request.message
        STATE["asked"] = {"force": message.force_authn, "id": message.id}
        args = server.response_args(message)
        self.answer(200, respond(server, args["sp_entity_id"], args["destination"], message.id, field("RelayState")))

    def slo(self, fields: dict):
        server = STATE["server"]
        field = lambda name: fields.get(name, [None])[0]
        if field("SAMLResponse"):
            answer = server.parse_logout_request_response(field("SAMLResponse"), BINDING_HTTP_REDIRECT)
            return self.answer(200, json.dumps({"status": answer.response.status.status_code.value}), "application/json")
        request = server.parse_logout_request(
            field("SAMLRequest"), BINDING_HTTP_REDIRECT, relay_state=field("RelayState"), sigalg=field("SigAlg"), signature=field("Signature")
        )
        answer = server.create_logout_response(request.message, [BINDING_HTTP_REDIRECT])
        place = server.metadata.single_logout_service(STATE["sp"], BINDING_HTTP_REDIRECT, "spsso")[0]["location"]
        sent = server.apply_binding(BINDING_HTTP_REDIRECT, str(answer), place, "", response=True, sign=True, sigalg=SIG_RSA_SHA256)
        self.answer(303, "", location=dict(sent["headers"])["Location"])

    def do_GET(self):
        url = urlsplit(self.path)
        fields = parse_qs(url.query)
        server = STATE["server"]
        try:
            if url.path == "/metadata":
                return self.answer(200, create_metadata_string(None, server.config, sign=False).decode(), "application/samlmetadata+xml")
            if url.path == "/sso":
                return self.sso(fields, BINDING_HTTP_REDIRECT)
            if url.path == "/slo":
                return self.slo(fields)
            if url.path == "/start":
                consumer = server.metadata.assertion_consumer_service(STATE["sp"], BINDING_HTTP_POST)[0]["location"]
                return self.answer(200, respond(server, STATE["sp"], consumer, None, None))
            if url.path == "/test/asked":
                return self.answer(200, json.dumps(STATE["asked"]), "application/json")
            if url.path == "/test/logout":
                person = STATE["person"]
                place = server.metadata.single_logout_service(STATE["sp"], BINDING_HTTP_REDIRECT, "spsso")[0]["location"]
                name = NameID(text=person["name_id"], format=person.get("format", NAMEID_FORMAT_PERSISTENT))
                _, request = server.create_logout_request(place, server.config.entityid, name_id=name, sign=False)
                sent = server.apply_binding(BINDING_HTTP_REDIRECT, str(request), place, "their state", sign=True, sigalg=SIG_RSA_SHA256)
                return self.answer(200, json.dumps({"location": dict(sent["headers"])["Location"]}), "application/json")
            self.answer(404, "no such page")
        except Exception as error:  # noqa: BLE001 - whatever it is, the test has to see it
            print(f"identity provider: {error!r}", file=sys.stderr, flush=True)
            self.answer(400, repr(error))

    def do_POST(self):
        try:
            self.sso(parse_qs(self.body()), BINDING_HTTP_POST)
        except Exception as error:  # noqa: BLE001
            print(f"identity provider: {error!r}", file=sys.stderr, flush=True)
            self.answer(400, repr(error))

    def do_PUT(self):
        if self.path == "/test/sp":
            metadata = self.body()
            STATE["server"] = build(STATE["base"], metadata)
            STATE["sp"] = next(iter(STATE["server"].metadata.service_providers()))
        elif self.path == "/test/person":
            STATE["person"] = json.loads(self.body())
        self.answer(200, "{}", "application/json")


def key_pair():
    """The provider's key, and its certificate."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "idp")]), datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=30))
    (FOLDER / "idp.pem").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (FOLDER / "idp.key").write_bytes(key.private_bytes(*plain))


def main():
    key_pair()
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    STATE["base"] = f"http://127.0.0.1:{http.server_port}"
    STATE["server"] = build(STATE["base"], None)
    print(json.dumps({"url": STATE["base"], "entity_id": f"{STATE['base']}/metadata"}), flush=True)
    http.serve_forever()


main()
