"""Streams of the fake server: the answer is written while the request is read. See `fake_crypto.py`.

Like the server it breaks the connection off where a message turns out to be wrong after the answer began.
"""

from __future__ import annotations

import secrets
from urllib.parse import unquote

from fake_problems import refusal
from tutela_message import BY_NAME, CHUNK, TAG, Bound, Head, Refused, chunk_nonce, decrypt, derive, parse


class FakeStreams:
    def stream(self, work):
        """An endpoint in plain ASGI: the framework's own reads the request on the side, which loses parts."""

        class Endpoint:
            async def __call__(_, scope, receive, send):
                headers = {name.decode(): value.decode() for name, value in scope["headers"]}
                assert "idempotency-key" not in headers
                context = headers.get("tutela-context")
                bound = Bound(None if context is None else unquote(context, errors="strict"))
                query = dict(pair.split("=") for pair in scope["query_string"].decode().split("&") if pair)
                begun = False
                try:
                    async for chunk in work(body_of(receive), bound, query):
                        if not begun:
                            await send({"type": "http.response.start", "status": 200, "headers": []})
                        begun = True
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                except Refused as error:
                    if begun:
                        raise  # The server closes the connection without the end of the answer.
                    await refusal(error)(scope, receive, send)
                    return
                await send({"type": "http.response.body", "body": b""})

        return Endpoint()

    async def sealed_stream(self, body, bound, query):
        key = self.key(query.get("key", "default"))
        head = Head(BY_NAME[query.get("algorithm", "aes-256-gcm")], key.id, len(key.versions))
        salt = secrets.token_bytes(24)
        own, nonce, commitment = derive(key.versions[-1], head.suite.aead, salt, bound.encode(head))
        yield head.encode() + salt + commitment
        cipher, number = head.suite.cipher(own), 0
        async for chunk in blocks(body, CHUNK):
            yield cipher.encrypt(chunk_nonce(nonce, number), chunk, None)
            number += 1

    async def opened_stream(self, body, bound, query):
        # Enough for the head: 78 bytes, and a first chunk that says whether the message is whole.
        front, cipher, number = None, None, 0
        async for chunk in blocks(body, CHUNK + TAG, 78):
            if front is None:
                front = chunk
                head, rest = parse(front + bytes(TAG))
                key, nonce, expected = derive(
                    self.find(head.key_id, head.version), head.suite.aead, rest[:24], bound.encode(head)
                )
                if expected != rest[24:56]:
                    raise Refused("the commitment is wrong")
                cipher = head.suite.cipher(key)
            else:
                yield decrypt(cipher, chunk_nonce(nonce, number), chunk, None)
                number += 1


async def body_of(receive):
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ConnectionError("the client went away")
        yield message["body"]
        if not message.get("more_body"):
            return


async def blocks(body, size, first=0):
    """Blocks of exactly `size` bytes and a shorter last one, after a first one of another size."""
    held, wanted = b"", first or size
    async for piece in body:
        held += piece
        while len(held) >= wanted:
            yield held[:wanted]
            held, wanted = held[wanted:], size
    yield held
