"""Card numbers in what handlers return, by the cases that the gateway is held to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from nexios.http.response import NexiosResponse
from nexios.http.response import StreamingResponse as NexiosStream
from pydantic import BaseModel
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse

from tutela.cards import Unmaskable, mask, mask_json, masked

CASES = json.loads((Path(__file__).parent / "data" / "cards.json").read_text())
PAN, HIDDEN = "4111111111111111", "411111******1111"


def test_every_case_of_the_gateway_is_masked_alike():
    for case in CASES["text"]:
        assert mask(case["text"]) == case["masked"]
    for case in CASES["json"]:
        assert mask_json(case["text"]) == case["masked"]


def test_values_are_masked_in_their_depth_and_keep_their_kind():
    @dataclass
    class Paid:
        card: str

    class Payment(BaseModel):
        card: str
        cents: int

    value = {"a": [PAN, {"b": (int(PAN), b"x " + PAN.encode())}], PAN: True, "n": None, "f": 1.5}
    expected = {
        "a": [HIDDEN, {"b": (4111110000001111, b"x " + HIDDEN.encode())}],
        HIDDEN: True,
        "n": None,
        "f": 1.5,
    }
    assert masked(value) == expected
    assert masked(Paid(PAN)) == {"card": HIDDEN}
    assert masked(Payment(card=PAN, cents=4111)) == {"card": HIDDEN, "cents": 4111}


def test_responses_keep_their_length_and_what_cannot_be_read_is_refused():
    page = masked(HTMLResponse(f"<p>{PAN}</p>"))
    assert (page.body, page.headers["content-length"]) == (f"<p>{HIDDEN}</p>".encode(), "23")
    assert masked(JSONResponse({"pan": int(PAN)})).body == b'{"pan":4111110000001111}'
    picture = Response(PAN, media_type="image/png")
    assert masked(picture).body == PAN.encode()
    state = SimpleNamespace(_state={})
    response = NexiosResponse(SimpleNamespace(state=state))
    assert masked(response.json({"pan": PAN})).body == json.dumps({"pan": HIDDEN}).encode()

    async def stream():
        yield PAN

    wide = Response(PAN, media_type="text/plain; charset=utf-16")
    packed = Response(PAN, headers={"content-encoding": "gzip"})
    for bad in (StreamingResponse(stream()), NexiosStream(stream()), wide, packed, object()):
        with pytest.raises(Unmaskable, match="no card numbers can be masked"):
            masked(bad)
