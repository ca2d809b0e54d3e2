"""Streams, against the fake server on a real socket: only there can two sides wait for each other."""

from __future__ import annotations

import io
import socket

import anyio
import h11
import pytest
from served import answering, make_certificate, serving
from tutela_message import Bound, open_binary

from tutela import Corrupt, Invalid, Tutela, Unauthenticated, Unavailable
from tutela.crypto_stream import pieces
from tutela.duplex import Broken, exchange

# More than the buffers of both ends hold together, so that a client which does not read would stand still.
LARGE = 24 << 20


@pytest.fixture
def crypto(fake):
    with serving(fake) as port:
        yield Tutela(f"http://tutela.localhost:{port}", fake.key).crypto


def data(size):
    return bytes(range(251)) * (size // 251) + bytes(size % 251)


async def whole(chunks):
    return b"".join([chunk async for chunk in chunks])


@pytest.mark.parametrize("size", [0, 1, 16_384, 200_000])
@pytest.mark.parametrize("context", [None, "", "patient/7: Grüße\n%2F"])
async def test_a_stream_is_one_message_of_the_binary_form(crypto, fake, size, context):
    sealed = await whole(crypto.encrypt_stream(data(size), context=context))
    assert open_binary(sealed, fake.crypto.find, Bound(context)) == data(size)
    assert await whole(crypto.decrypt_stream(sealed, context=context)) == data(size)
    assert {headers["user-agent"] for _, _, headers in fake.requests} == {"tutela-python"}


async def test_key_and_algorithm_can_be_chosen(crypto, fake):
    sealed = await whole(crypto.encrypt_stream([b"x"], key="exported", algorithm="chacha20-poly1305"))
    assert sealed[1] == 2 and sealed[2:18] == fake.crypto.keys["exported"].id


async def test_every_kind_of_source_is_read(crypto, tmp_path):
    (tmp_path / "file").write_bytes(b"abc")

    async def pieces():
        yield b"a"
        yield bytearray(b"bc")

    sources = [
        b"abc",
        memoryview(b"abc"),
        [b"a", b"", b"bc"],
        pieces(),
        tmp_path / "file",
        io.BytesIO(b"abc"),
    ]
    for source in sources:
        assert await whole(crypto.decrypt_stream([await whole(crypto.encrypt_stream(source))])) == b"abc"
    for wrong in ("abc", ["abc"], [7]):
        with pytest.raises(ValueError, match="bytes"):
            await whole(crypto.encrypt_stream(wrong))


async def test_more_than_all_buffers_hold_passes_through(crypto):
    with anyio.fail_after(60):
        sealed = await whole(crypto.encrypt_stream(data(LARGE)))
        assert await whole(crypto.decrypt_stream(sealed)) == data(LARGE)


async def test_the_same_over_tls(fake, tmp_path, monkeypatch):
    certificate, key = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(fake, ssl_certfile=str(certificate), ssl_keyfile=str(key)) as port:
        crypto = Tutela(f"https://tutela.localhost:{port}", fake.key).crypto
        with anyio.fail_after(60):
            sealed = await whole(crypto.encrypt_stream(data(LARGE)))
            assert await whole(crypto.decrypt_stream(sealed)) == data(LARGE)
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(Unavailable):
            await whole(crypto.encrypt_stream(b"x"))


async def test_a_refusal_is_heard_while_there_is_still_much_to_send(crypto, fake):
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield bytes(65_536)

    for refused in ({"key": "none"}, {}):
        if not refused:
            fake.answers = [401]
        with anyio.fail_after(30), pytest.raises((Invalid, Unauthenticated)) as caught:
            await whole(crypto.encrypt_stream(endless(), **refused))
        assert caught.value.detail
    assert taken


async def test_another_context_is_refused_before_a_byte_is_opened(crypto):
    sealed = await whole(crypto.encrypt_stream(b"x", context="a"))
    for context in (None, "b"):
        with pytest.raises(Invalid):
            await whole(crypto.decrypt_stream(sealed, context=context))


@pytest.mark.parametrize("damage", ["flip", "cut", "swap"])
async def test_a_broken_message_never_comes_to_an_end(crypto, damage, tmp_path):
    sealed = await whole(crypto.encrypt_stream(data(100_000)))
    chunk = 16_384 + 16
    second, third = 78 + chunk, 78 + 2 * chunk
    broken = {
        "flip": sealed[:-1] + bytes([sealed[-1] ^ 1]),
        "cut": sealed[: third + chunk],
        "swap": sealed[:second]
        + sealed[third : third + chunk]
        + sealed[second:third]
        + sealed[third + chunk :],
    }[damage]
    came = b""
    with pytest.raises(Corrupt, match="discard"):
        async for piece in crypto.decrypt_stream(broken):
            came += piece
    assert data(100_000).startswith(came)
    (tmp_path / "sealed").write_bytes(broken)
    with pytest.raises(Corrupt):
        await crypto.decrypt_file(tmp_path / "sealed", tmp_path / "opened")
    assert [path.name for path in tmp_path.iterdir()] == ["sealed"]


async def test_files_are_sealed_and_opened_whole(crypto, tmp_path):
    plain, sealed, opened = (tmp_path / name for name in ("plain", "sealed", "opened"))
    plain.write_bytes(data(1_000_000))
    opened.write_bytes(b"older")
    await crypto.encrypt_file(plain, sealed, context="c", key="exported")
    await crypto.decrypt_file(str(sealed), str(opened), context="c")
    assert opened.read_bytes() == plain.read_bytes() != sealed.read_bytes()
    assert opened.stat().st_mode & 0o077 == 0
    assert len(list(tmp_path.iterdir())) == 3


async def test_a_consumer_that_stops_early_leaves_nothing_behind(crypto):
    chunks = crypto.encrypt_stream(data(LARGE))
    assert len(await anext(chunks)) > 0
    await chunks.aclose()


async def test_a_transport_of_ones_own_is_not_passed_by(client):
    with pytest.raises(ValueError, match="transport"):
        await whole(client.crypto.encrypt_stream(b"x"))


async def test_a_context_that_is_none_is_refused(crypto, fake):
    with pytest.raises(ValueError, match="tky_"):
        await whole(crypto.encrypt_stream(b"x", context="tky_x"))
    assert fake.requests == []


@pytest.mark.parametrize(
    ("answer", "sealing", "opening"),
    [
        (b"", Unavailable, Unavailable),
        (b"no http at all\r\n\r\n", Unavailable, Unavailable),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort", Unavailable, Corrupt),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n", Unavailable, Corrupt),
        # A whole answer to half a question is none.
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", Unavailable, Corrupt),
        (b"HTTP/1.1 503 X\r\ncontent-length: 3\r\n\r\nbad", Unavailable, Unavailable),
        (b"HTTP/1.1 503 X\r\ncontent-length: 9\r\n\r\nbad", Unavailable, Unavailable),
        (None, Unavailable, Unavailable),
    ],
)
async def test_an_answer_that_is_none_is_not_taken_for_one(answer, sealing, opening):
    for verb, error in (("encrypt", sealing), ("decrypt", opening)):
        with answering(answer) as url:
            # Only a server that says nothing is waited for until the end of patience.
            crypto = Tutela(url, "k", timeout=0.2 if answer is None else 20).crypto
            with anyio.fail_after(30), pytest.raises(error):
                await whole(getattr(crypto, f"{verb}_stream")(data(LARGE)))


async def test_an_answer_is_heard_on_a_connection_that_takes_nothing_more():
    class Wire:
        """Breaks while it is written to, and has something to read only then."""

        broken = False

        def send(self, data):
            self.broken = True
            raise BrokenPipeError

        def recv(self, size):
            if not self.broken:
                raise BlockingIOError
            return b"HTTP/1.1 422 X\r\ncontent-length: 3\r\n\r\nwhy"

    request = h11.Request(
        method="POST", target="/", headers=[("host", "x"), ("transfer-encoding", "chunked")]
    )
    heard = []
    with pytest.raises(Broken, match="before it had read"):
        async for found in exchange(Wire(), request, pieces([b"x"]), 1):
            heard.append(found)
    assert (heard[0].status_code, heard[1]) == (422, b"why")


async def test_a_server_that_is_not_there_is_unavailable():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unavailable):
        await whole(Tutela(f"http://127.0.0.1:{port}", "k").crypto.encrypt_stream(b"x"))
