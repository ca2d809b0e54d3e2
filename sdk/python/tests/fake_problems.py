"""Problem documents and bytes as the fake server writes them under `/v1/crypto`."""

from __future__ import annotations

import base64

from starlette.responses import JSONResponse


def document(error, status=422, kind="invalid"):
    return {"type": f"urn:tutela:problem:{kind}", "title": "t", "status": status, "detail": str(error)}


def refusal(error, status=422, kind="invalid"):
    return JSONResponse(document(error, status, kind), status, media_type="application/problem+json")


def b64(data):
    return base64.b64encode(data).decode()
