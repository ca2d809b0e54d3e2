"""Rules, alerts and incidents from an application, against the real program. `TUTELA_BIN` names it.

Mail, Slack and PagerDuty are stood in for by receivers that keep what they get.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import anyio
import httpx
import pytest
from documents import DOCUMENTS, described
from stage import started

from tutela import MonitorMismatch, SecurityMonitor, Tutela

SCOPES = ("detection:read", "detection:write", "alerts:write", "ledger:read", "events:write")


class Receivers:
    """Slack and PagerDuty, as far as they answer."""

    def __init__(self):
        self.got = []
        got = self.got

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                got.append((self.path, body))
                answer = json.dumps({"ok": True, "ts": "1.2", "status": "success"}).encode()
                self.send_response(202 if self.path == "/v2/enqueue" else 200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def to(self, path):
        return [body for where, body in self.got if where == path]


@pytest.fixture
def receivers():
    made = Receivers()
    yield made
    made.server.shutdown()


@pytest.fixture
def stage(tmp_path, receivers):
    (tmp_path / "slack").write_text("xoxb-1")
    (tmp_path / "pagerduty").write_text("R0UT1NGKEY")
    url = f"http://127.0.0.1:{receivers.port}"
    settings = (
        '[gateway]\ntrusted_proxies = ["127.0.0.1"]\n'
        f'[channels]\nlog = "{tmp_path}/mail"\n'
        f'[channels.slack]\ntoken_file = "slack"\nurl = "{url}/api"\n'
        f'[channels.pagerduty.security-team]\nrouting_key_file = "pagerduty"\nurl = "{url}"\n'
        '[alerts]\nemail = ["security@company.com"]\nslack = "#security-alerts"\npagerduty = "security-team"\n'
    )
    with started(tmp_path, settings, *SCOPES) as made:
        yield made


@pytest.fixture
async def client(stage, monkeypatch):
    monkeypatch.setenv("TUTELA_URL", stage.own)
    monkeypatch.setenv("TUTELA_API_KEY", stage.api_key)
    async with Tutela(stage.own, stage.api_key, timeout=20, deadline=60) as made:
        yield made


async def guess(stage, address, times=1, to="/sign-in"):
    """Wrong passwords from an address; the status of what follows."""
    headers = {"origin": stage.own, "x-forwarded-for": address}
    port = stage.own.rpartition(":")[2]
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers={"host": stage.own[7:]}
    ) as http:
        for _ in range(times):
            await http.post(
                to,
                data={"email": "ada@example.com", "password": "wrong wrong wrong", "to": ""},
                headers=headers,
            )
        return (await http.get(to, headers=headers)).status_code


async def eventually(ready, within=20.0):
    with anyio.fail_after(within):
        while not ready():
            await anyio.sleep(0.05)


@contextlib.asynccontextmanager
async def running(monitor):
    task = asyncio.create_task(monitor.monitor_security_events())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


if DOCUMENTS:

    async def test_the_documented_monitor_blocks_tells_and_opens_one_incident(stage, client, receivers):
        monitor = described("SecurityMonitor(", "rules=", known={}, without=("AuditLogger", "audit"))[
            "monitor"
        ]
        seen = []

        async def watch():
            async for event in monitor.events():
                seen.append(event)

        task = asyncio.create_task(watch())
        await eventually(lambda: monitor._next is not None)
        assert await guess(stage, "198.51.100.7", 6) == 403
        assert await guess(stage, "198.51.100.8") == 200
        await eventually(
            lambda: seen and receivers.to("/api/chat.postMessage") and receivers.to("/v2/enqueue")
        )
        task.cancel()
        [event] = seen
        assert (event.type, event.level, event.mode, event.about) == (
            "brute_force_detection",
            "high",
            "act",
            {"ip": "198.51.100.7"},
        )
        [incident] = await client.detection.incidents()
        assert (incident.id, incident.alerts, incident.about) == (
            event.incident,
            1,
            {"ip": ("198.51.100.7",)},
        )
        [slack], [page] = receivers.to("/api/chat.postMessage"), receivers.to("/v2/enqueue")
        assert (slack["channel"], page["routing_key"], page["event_action"]) == (
            "#security-alerts",
            "R0UT1NGKEY",
            "trigger",
        )
        mails = (stage.folder / "mail").read_text()
        assert mails.count("security@company.com") == 1
        await monitor.client.aclose()


if DOCUMENTS:

    async def test_the_documented_monitor_with_an_alert_service_tells_it_and_acts(stage, client):
        event_class = SimpleNamespace()
        known = {"asyncio": SimpleNamespace(sleep=lambda _: anyio.sleep(0.1)), "SecurityEvent": event_class}
        own = described("class SecurityMonitor", "alert_service", known=known)["SecurityMonitor"]

        class Monitor(own, SecurityMonitor):
            """The documents leave open how events are gathered and what protects."""

            def __init__(self, alert_service):
                SecurityMonitor.__init__(self, alert_service, client=client)
                own.__init__(self, alert_service)

        told = []

        class Service:
            async def send_alert(self, *, level, title, details):
                told.append((level, title, details))

        # A rule that tells: what it asks for is done from here.
        rule = {
            "name": "guessing",
            "condition": "failed_login_attempts >= 3",
            "window": "5m",
            "action": "block_ip",
        }
        await client.detection.set_rule("guessing", text=json.dumps(rule), mode="alert", reason="a test")
        monitor = Monitor(Service())
        async with running(monitor):
            await eventually(lambda: monitor._next is not None)
            assert await guess(stage, "198.51.100.9", 3) == 200
            await eventually(lambda: told)
            with anyio.fail_after(20):
                while await guess(stage, "198.51.100.9", 0) != 403:
                    await anyio.sleep(0.05)
        [(level, title, details)] = told
        assert (level, title, details["count"]) == ("high", "Security Threat Detected: guessing", 3)


async def test_what_is_stated_is_compared_and_can_be_written_there(stage, client):
    known = {
        "name": "brute_force_detection",
        "condition": "failed_login_attempts>5",
        "window": "5m",
        "action": "block_ip",
    }
    await SecurityMonitor(rules=[known], client=client).comparison.check(client)
    for change, said in [
        (
            {"condition": "failed_login_attempts > 3"},
            "`condition` is `failed_login_attempts > 5` there and `failed_login_attempts > 3` here",
        ),
        ({"window": "10m"}, "`window` is `5m` there and `10m` here"),
        ({"action": "alert_admin"}, "`action` is `block_ip` there and `alert_admin` here"),
        ({"mode": "shadow"}, "`mode` is `act` there and `shadow` here"),
        ({"name": "another"}, "there is no rule `another` there"),
    ]:
        with pytest.raises(MonitorMismatch, match=".*") as error:
            await SecurityMonitor(rules=[{**known, **change}], client=client).comparison.check(client)
        assert said in str(error.value)
    for alerts, said in [
        (
            {"email": ["other@company.com"]},
            "`alerts.email` is `security@company.com` there and `other@company.com` here",
        ),
        ({"slack": []}, "`alerts.slack` is `#security-alerts` there and nobody here"),
    ]:
        with pytest.raises(MonitorMismatch) as error:
            await SecurityMonitor(alerts=alerts, client=client).comparison.check(client)
        assert said in str(error.value)
    mine = {"name": "mine", "condition": "failed_login_attempts > 2", "window": "1h", "action": "block_ip"}
    await SecurityMonitor(rules=[known, mine], apply=True, client=client).comparison.check(client)
    assert (await client.detection.rule("mine")).mode == "act"
    assert await guess(stage, "198.51.100.10", 3) == 403
    await client.detection.set_rule("mine", mode="shadow", reason="a test")
    with pytest.raises(MonitorMismatch, match="mode `shadow` there, which tells nobody"):
        await SecurityMonitor(rules=[mine], client=client).comparison.check(client)


async def test_alerts_blocks_and_incidents_by_hand(stage, client):
    monitor = SecurityMonitor(client=client)
    incident = await monitor.send_alert(
        level="high",
        title="Security Threat Detected: card_testing",
        details={"cards": 40},
        about={"ip": "203.0.113.4"},
    )
    await monitor.block("203.0.113.4", reason="cards")
    assert await guess(stage, "203.0.113.4", 0) == 403
    await monitor.unblock("203.0.113.4", reason="a test")
    assert await guess(stage, "203.0.113.4", 0) == 200
    assert await client.detection.contain(incident, "block_ip", reason="again") == (1, ())
    assert [block.network for block in await client.detection.blocks() if block.ended_at is None] == [
        "203.0.113.4/32"
    ]
    assert await client.detection.undo(incident, reason="over") == 1
    await client.detection.move(incident, "resolved", reason="over")
    assert (await client.detection.incident(incident)).state == "resolved"
    assert await client.detection.incidents() == []


def test_what_cannot_be_meant_is_refused_at_once():
    rule = {"name": "x", "condition": "failed_login_attempts > 5", "window": "5m", "action": "block_ip"}
    for bad, said in [
        ({"actoin": "block_ip"}, "did you mean `action`"),
        ({"action": "block_ips"}, "did you mean `block_ip`"),
        ({"window": "5 fortnights"}, "`window` is a number"),
        ({"condition": ""}, "`condition` must be a text"),
    ]:
        with pytest.raises(ValueError, match=".*") as error:
            SecurityMonitor(rules=[{**rule, **bad}])
        assert said in str(error.value)
    with pytest.raises(ValueError, match="did you mean `slack`"):
        SecurityMonitor(alerts={"slak": "#x"})
