"""The part of the fake server about what was recorded: searching, counting, following, exporting, keeping.

It reads the query language for real, though not every field of it, so that what the package writes is
understood or refused as the server would.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from fnmatch import fnmatchcase

from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

TERM = re.compile(
    r'\s*(-?)(?:([a-z]+):)?((?:"(?:[^"\\]|\\["\\])*"|[^\s",]+)(?:,(?:"(?:[^"\\]|\\["\\])*"|[^\s",]+))*)'
)
VALUE = re.compile(r'"(?:[^"\\]|\\["\\])*"|[^\s",]+')
FIELDS = {"type", "action", "outcome", "actor", "resource", "after", "before", "ip"}
COUNTED = {"type", "outcome", "after", "before"}
SETTINGS = {"storage": "elasticsearch", "retention_days": 365}
SIX = ["timestamp", "user_id", "action", "resource", "ip_address", "user_agent"]


class BadQuery(Exception):
    def __init__(self, message, at):
        super().__init__(message)
        self.at = at


class FakeLedger:
    def __init__(self, events):
        self.events = events  # (event, idempotency key)
        self.settings = {**SETTINGS, "fields": SIX + ["reason", "outcome", "session", "metadata"]}
        self.types, self.holds = {}, []
        self.asked = []  # (method, path, query, body)
        self.breaks = []  # after how many messages a stream ends, oldest first
        self.resumed = []  # what the streams were asked to begin behind
        self.routes = [
            Route("/v1/events", self.search),
            Route("/v1/events/stream", self.stream),
            Route("/v1/events/counts", self.counts),
            Route("/v1/events/export", self.export),
            Route("/v1/audit/settings", self.read_settings),
            Route("/v1/event-types", self.list_types),
            Route("/v1/event-types/{name}", self.one_type, methods=["GET", "PUT", "DELETE"]),
            Route("/v1/retention", self.retention),
            Route("/v1/holds", self.all_holds, methods=["GET", "POST"]),
            Route("/v1/holds/{id}/release", self.release, methods=["POST"]),
            Route("/v1/sinks", self.sinks),
            Route("/v1/sinks/{name}/dead-letters", self.dead_letters),
            Route("/v1/sinks/{name}/{verb}", self.tell_sink, methods=["POST"]),
        ]

    def stored(self, position):
        return {"position": str(position), "event": self.events[position][0], "leaf": "00" * 32}

    def found(self, request, fields=FIELDS):
        matches = parse(request.query_params.get("q", ""), fields)
        return [n for n in range(len(self.events)) if matches(self.events[n][0])]

    async def search(self, request):
        query = request.query_params
        if set(query) - {"q", "cursor", "limit", "via"}:
            return refusal("unknown parameters", "q", 0)
        try:
            found = [n for n in reversed(self.found(request)) if n < int(query.get("cursor", 10**9))]
        except BadQuery as error:
            return refusal(str(error), "q", error.at)
        if not query.get("cursor", "0").isdigit():
            return refusal("this is not a cursor of this list", "cursor", 0)
        page = found[: int(query.get("limit", 100))]
        more = {"next": str(page[-1])} if len(found) > len(page) else {}
        return JSONResponse({"items": [self.stored(n) for n in page], **more})

    async def stream(self, request):
        last = request.headers.get("last-event-id")
        self.resumed.append(last)
        first = int(request.query_params.get("from", 0)) if last is None else int(last) + 1
        ends = self.breaks.pop(0) if self.breaks else None

        async def lines():
            yield ": beat\r\n\r\n"
            for count, n in enumerate(n for n in self.found(request) if n >= first):
                if count == ends:
                    return
                data = json.dumps(self.stored(n), ensure_ascii=False)
                yield f"id: {n}\r\ndata: {data}\r\n\r\n"

        return StreamingResponse(lines(), media_type="text/event-stream")

    async def counts(self, request):
        try:
            found = self.found(request, COUNTED)
        except BadQuery as error:
            return refusal(str(error), "q", error.at)
        names = [self.events[n][0].get(request.query_params["by"], "success") for n in found]
        counts = [{"key": name, "events": names.count(name)} for name in sorted(set(names))]
        return JSONResponse({"counts": counts, "total": len(found)})

    async def export(self, request):
        proofs = request.query_params.get("proofs") == "true"
        proof = {"sealed": "{}", "proof": "c2sp.org/tlog-proof@v1\n"} if proofs else {}
        rows = [{**self.stored(n), **proof} for n in self.found(request)]
        rows += [{"checkpoint": "c", "key": "k"}] if proofs else []
        return PlainTextResponse("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))

    async def read_settings(self, request):
        return JSONResponse(self.settings)

    # === Types, holds, sinks ===

    async def list_types(self, request):
        return JSONResponse({"items": list(self.types.values())})

    async def one_type(self, request):
        name = request.path_params["name"]
        if request.method == "PUT":
            body = await request.json()
            known = {"name", "sentence", "severity", "class", "fields", "ocsf", "ecs"}
            if set(body) - known or body["name"] != name:
                return refusal("unknown fields", "name", 0)
            self.types[name] = {**body, "origin": "api"}
        elif name not in self.types:
            return refusal("no such type", "name", 0, 404, "not-found")
        elif request.method == "DELETE":
            del self.types[name]
            return Response(status_code=204)
        return JSONResponse(self.types[name])

    async def retention(self, request):
        kinds = [{"class": "audit", "days": 365, "source": "default", "expired_up_to": 5}]
        return JSONResponse({"classes": kinds, "first_position": 3, "holds": 2})

    async def all_holds(self, request):
        if request.method == "GET":
            return JSONResponse({"items": self.holds})
        body = await request.json()
        made = {"id": f"hold-{len(self.holds)}", "q": "", "placed_at": "2026-11-01T00:00:00Z", **body}
        self.holds.append(made)
        return JSONResponse(made, 201)

    async def release(self, request):
        [hold] = [hold for hold in self.holds if hold["id"] == request.path_params["id"]]
        hold["released_at"] = "2026-11-02T00:00:00Z"
        assert (await request.json())["reason"]
        return JSONResponse(hold)

    async def sinks(self, request):
        numbers = {"cursor": 5, "size": 7, "behind": 2, "dead_letters": 1}
        since = "2026-11-02T00:00:00Z"
        sink = {"name": "opensearch", **numbers, "state": "waiting", "error": "no answer", "since": since}
        return JSONResponse({"items": [sink]})

    async def dead_letters(self, request):
        if "cursor" in request.query_params:
            return JSONResponse({"items": [letter("2")]})
        return JSONResponse({"items": [letter("1")], "next": "1"})

    async def tell_sink(self, request):
        verb = request.path_params["verb"]
        self.asked.append((request.path_params["name"], verb, await request.body()))
        if verb == "reconcile":
            numbers = {"up_to": 7, "ledger": 7, "cluster": 6}
            differences = {"missing": ["event-1"], "extra": [], "changed": ["event-3"]}
            return JSONResponse({**numbers, **differences, "equal": False})
        if verb == "retry":
            return JSONResponse({"taken": 2, "refused": 1})
        return Response(status_code=202)


def letter(position):
    return {"position": position, "reason": "no address", "refused_at": "2026-11-02T00:00:00Z"}


def parse(q, fields):
    """A function that says whether an event is meant."""
    tests, at = [], 0
    while q[at:].strip():
        found = TERM.match(q, at)
        if found is None:
            raise BadQuery("this is no term", at)
        minus, field, values = found.groups()
        if field is not None and field not in fields:
            raise BadQuery(f"there is no field `{field}`", found.start())
        if field is None and fields is COUNTED:
            raise BadQuery("words cannot be counted", found.start())
        wanted = [unquoted(value) for value in VALUE.findall(values)]
        tests.append((field, wanted, bool(minus)))
        at = found.end()
    return lambda event: all(fits(event, field, wanted) != minus for field, wanted, minus in tests)


def unquoted(text):
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text


def fits(event, field, wanted):
    if field is None:
        return any(word.lower() in json.dumps(event, ensure_ascii=False).lower() for word in wanted)
    if field in ("after", "before"):
        time = datetime.fromisoformat(event.get("time", "2026-11-01T00:00:00Z").replace("Z", "+00:00"))
        bound = datetime.fromisoformat(wanted[0].replace("Z", "+00:00"))
        bound = bound if bound.tzinfo else bound.replace(tzinfo=timezone.utc)
        return time >= bound if field == "after" else time < bound
    held = event.get("source", {}).get("ip") if field == "ip" else event.get(field)
    if isinstance(held, dict):
        held = f"{held['namespace']}:{held['value']}" if field == "actor" else f"{held['type']}/{held['id']}"
    return held is not None and any(fnmatchcase(held, pattern) for pattern in wanted)


def refusal(message, field, at, status=422, kind="invalid"):
    errors = [{"field": field, "message": message, "at": at}]
    body = {"type": f"urn:tutela:problem:{kind}", "title": "t", "status": status, "detail": message}
    return JSONResponse({**body, "errors": errors}, status, media_type="application/problem+json")
