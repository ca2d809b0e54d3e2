"""`SecurityMonitor`: what the rules over the ledger find, and what an application does about it.

    monitor = SecurityMonitor(
        rules=[{"name": "brute_force_detection", "condition": "failed_login_attempts > 5",
                "window": "5m", "action": "block_ip"}],
        alerts={"slack": "#security-alerts"},
    )
    asyncio.create_task(monitor.monitor_security_events())

The rules run in the server, in the commit of what they find or some milliseconds after it; what is stated
here is compared with them, so that nobody counts on a rule that is not there. `SecurityMonitor(alerts_to)`
hands each threat to an object of yours that has `send_alert(level=, title=, details=)`.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio

from .client import Tutela
from .comparison import Comparison, Mismatch
from .detection_client import Rule
from .errors import Conflict, NotFound, Unavailable
from .ledger_answers import StoredEvent
from .settings import is_bool, unknown

log = logging.getLogger("tutela.monitor")


class MonitorMismatch(Mismatch):
    """The server watches for something else than the application counts on; `differences` has sentences.

    Change the server's `[detection]` and `[alerts]`, or what the application states; rules can be written
    there by `SecurityMonitor(..., apply=True)`.
    """

    says = "the server does not watch as this application counts on"


@dataclass(frozen=True)
class SecurityEvent:
    """What a rule has found. `type` is the rule's name; `details` are its numbers and reasons.

    `about` says whom and what it is about. `mode` is how far the rule goes there: with `act` its `actions`
    have been done already. `incident` is where it belongs.
    """

    id: str
    type: str
    level: str
    title: str
    time: str
    position: str
    mode: str
    details: Mapping[str, Any]
    about: Mapping[str, str] = field(default_factory=dict)
    actions: tuple[str, ...] = ()
    incident: str | None = None


class AlertService(Protocol):
    """Whoever is told of threats."""

    async def send_alert(self, *, level: str, title: str, details: Any) -> Any: ...


class SecurityMonitor:
    """Follows what the server's rules find.

    `alert_service` is told of each threat; without one the server tells whom its `[alerts]` names.
    `rules`: `{"name", "condition", "window", "action"}` each, further members as in the server's short
    form. `alerts`: `email`, `slack`, `pagerduty`, `webhook`, a name or a list of names each. Both are
    compared with the server before the first event, and `MonitorMismatch` names what differs; with `apply`
    rules that differ are written there, which needs `detection:write`. `client` defaults to `Tutela()`.
    Raises ValueError that names what is wrong.
    """

    def __init__(
        self,
        alert_service: AlertService | Tutela | None = None,
        *,
        rules: Iterable[Mapping[str, Any]] = (),
        alerts: Mapping[str, Any] | None = None,
        apply: bool = False,
        client: Tutela | None = None,
    ) -> None:
        if isinstance(alert_service, Tutela):
            # Its own server tells people already.
            client, alert_service = client or alert_service, None
        self.client = client or getattr(alert_service, "client", None) or Tutela()
        self.alert_service = alert_service
        self.rules = tuple(_rule(rule) for rule in rules)
        self.alerts = _alerts(alerts or {})
        if not is_bool(apply):
            raise ValueError(f"`apply` must be true or false, not {apply!r}")
        self.comparison = MonitorComparison(self.rules, self.alerts, apply)
        # The first entry of the ledger that was not looked at.
        self._next: int | None = None

    async def events(self) -> AsyncIterator[SecurityEvent]:
        """What rules find from now on, as they find it, without end; an interruption loses nothing."""
        await self.comparison.check(self.client)
        async for stored in self.client.ledger.stream(ALERTS, start=str(await self._start())):
            self._next = _entry(stored) + 1
            found = _event(stored)
            if found is not None:
                yield found

    async def monitor_security_events(self) -> None:
        """Handle every threat until cancelled. Where the server stays away it is tried again, for ever."""
        while True:
            try:
                async for event in self.events():
                    if self._is_security_threat(event):
                        await self._handle_security_threat(event)
            except Unavailable as error:
                log.warning("the server cannot be followed, and is tried again: %s", error)
            await anyio.sleep(AGAIN_S)

    async def send_alert(
        self, *, level: str, title: str, details: Any, about: Mapping[str, str] | None = None
    ) -> str | None:
        """Tell of something that the application has found; the incident that it opened or joined."""
        return await self.client.detection.raise_alert(level=level, title=title, details=details, about=about)

    async def block(self, address: str, *, minutes: int = 60, reason: str) -> None:
        """Have the gateway refuse an address or network from the next request on."""
        await self.client.detection.block(address, minutes=minutes, reason=reason)

    async def unblock(self, address: str, *, reason: str) -> None:
        """Let an address come again. Raises `NotFound`."""
        await self.client.detection.lift(address, reason=reason)

    async def contain(self, event: SecurityEvent, action: str, *, reason: str) -> tuple[int, tuple[str, ...]]:
        """Do something about everybody whom an event's incident names; see `DetectionClient.contain`."""
        if event.incident is None:
            raise Conflict("this event belongs to no incident: its rule only writes down what it finds")
        return await self.client.detection.contain(event.incident, action, reason=reason)

    async def _gather_security_events(self) -> list[SecurityEvent]:
        """What was found since this was asked last, oldest first; from the first time on."""
        await self.comparison.check(self.client)
        start, found = await self._start(), []
        async for stored in self.client.ledger.search(ALERTS, limit=MOST):
            if _entry(stored) < start:
                break
            found.append(stored)
        if found:
            self._next = _entry(found[0]) + 1
        return [event for stored in reversed(found) if (event := _event(stored)) is not None]

    def _is_security_threat(self, event: SecurityEvent) -> bool:
        """Whether it is grave, and not only written down."""
        return event.mode != "shadow" and event.level in GRAVE

    async def _handle_security_threat(self, event: SecurityEvent) -> None:
        if self.alert_service is not None and self.alert_service is not self:
            await self.alert_service.send_alert(
                level=event.level, title=f"Security Threat Detected: {event.type}", details=event.details
            )
        await self._take_protective_action(event)

    async def _take_protective_action(self, event: SecurityEvent) -> None:
        """Do what the rule says where the server only told; what it has done is not done again."""
        if event.mode == "act" or event.incident is None:
            return
        for action in event.actions:
            if action == "alert_admin":
                continue
            try:
                _, refused = await self.contain(event, action, reason=f"the rule {event.type}")
            except (Conflict, NotFound) as error:
                log.warning("`%s` could not be done about %s: %s", action, event.type, error)
                continue
            for why in refused:
                log.warning("`%s` was not done: %s", action, why)

    async def _start(self) -> int:
        if self._next is None:
            # The size of the ledger: what was found before is nobody's news.
            self._next = int((await self.client.checkpoint()).split("\n")[1])
        return self._next


class MonitorComparison(Comparison):
    """Compares rules and receivers once with the server, and remembers what came out."""

    what = "detection"
    log = log
    mismatch = MonitorMismatch

    def __init__(
        self, rules: tuple[Mapping[str, Any], ...], alerts: Mapping[str, tuple[str, ...]], apply: bool
    ) -> None:
        super().__init__(bool(rules or alerts))
        self._rules, self._alerts, self._apply = rules, alerts, apply

    async def ask(self, client: Tutela) -> tuple[dict[str, Rule], Mapping[str, Any]]:
        known = {rule.name: rule for rule in await client.detection.rules()} if self._rules else {}
        for stated in self._rules if self._apply else ():
            if _differs(stated, known.get(stated["name"])):
                known[stated["name"]] = await client.detection.set_rule(
                    stated["name"],
                    text=json.dumps(stated),
                    mode=stated.get("mode") or ("act" if _acts(stated) else "alert"),
                    reason="stated by an application",
                )
        return known, await client.detection.alert_settings() if self._alerts else {}

    def differences(self, server: tuple[dict[str, Rule], Mapping[str, Any]]) -> list[str]:
        known, settings = server
        found = [why for rule in self._rules for why in _differs(rule, known.get(rule["name"]))]
        for channel, names in self._alerts.items():
            there = [str(name) for name in settings[channel]]
            if sorted(there) != sorted(names):
                found.append(f"`alerts.{channel}` is {_list(there)} there and {_list(names)} here")
        return found


def _differs(stated: Mapping[str, Any], there: Rule | None) -> list[str]:
    name = stated["name"]
    if there is None:
        return [f"there is no rule `{name}` there"]
    found = []
    for member, own, other in (
        ("condition", _words(stated["condition"]), _words(there.condition or "")),
        ("window", _seconds(stated["window"]), _seconds(there.window)),
        ("action", tuple(sorted(_actions(stated))), tuple(sorted(there.actions))),
    ):
        if own != other:
            here = stated["window"] if member == "window" else own
            over = there.window if member == "window" else other
            found.append(f"`{name}`: `{member}` is {_plain(over)} there and {_plain(here)} here")
    if "mode" in stated and stated["mode"] != there.mode:
        found.append(f"`{name}`: `mode` is `{there.mode}` there and `{stated['mode']}` here")
    elif "mode" not in stated and there.mode in ("off", "shadow"):
        found.append(f"`{name}` is in mode `{there.mode}` there, which tells nobody")
    elif "mode" not in stated and _acts(stated) and there.mode != "act":
        found.append(f"`{name}` is in mode `{there.mode}` there, which does not act")
    return found


def _event(stored: StoredEvent) -> SecurityEvent | None:
    event = stored.event
    data, personal = event.get("data") or {}, event.get("personal") or {}
    rule = data.get("rule")
    # What an application has raised itself is no news to it, and would be told for ever.
    if rule is None or rule == "application":
        return None
    about = {str(name): str(value) for name, value in (personal.get("about") or {}).items()}
    details = {
        "count": data.get("count"),
        "about": about,
        "reasons": list(personal.get("reasons") or ()),
        "evidence": list(data.get("evidence") or ()),
    }
    return SecurityEvent(
        id=str((event.get("resource") or {}).get("id", "")),
        type=str(rule),
        level=str(data.get("level", "")),
        title=str(data.get("title", "")),
        time=str(event.get("time", "")),
        position=stored.position,
        mode=str(data.get("mode", "")),
        details=details,
        about=about,
        actions=tuple(str(action) for action in data.get("actions") or ()),
        incident=data.get("incident"),
    )


def _rule(given: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise ValueError('`rules` is a list of {"name", "condition", "window", "action"}')
    for name in given:
        if name not in MEMBERS:
            raise ValueError(unknown("rules", name, MEMBERS))
    for name in ("name", "condition", "window"):
        if not isinstance(given.get(name), str) or not given[name].strip():
            raise ValueError(f"`rules`: `{name}` must be a text, not {given.get(name)!r}")
    _seconds(given["window"])
    for action in _actions(given):
        if action not in ACTIONS:
            raise ValueError(unknown("rules.action", action, ACTIONS))
    return dict(given)


def _alerts(given: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for channel, names in given.items():
        if channel not in CHANNELS:
            raise ValueError(unknown("alerts", channel, CHANNELS))
        listed = (names,) if isinstance(names, str) else tuple(names)
        if not all(isinstance(name, str) and name for name in listed):
            raise ValueError(f"`alerts.{channel}` is a name or a list of names, not {names!r}")
        found[channel] = listed
    return found


def _actions(rule: Mapping[str, Any]) -> tuple[str, ...]:
    more = rule.get("actions") or ()
    return tuple(str(action) for action in (rule.get("action"), *more) if action is not None)


def _acts(rule: Mapping[str, Any]) -> bool:
    return any(action != "alert_admin" for action in _actions(rule))


def _words(condition: str) -> str:
    return " ".join(re.findall(r"[<>=!]+|[^\s<>=!]+", condition))


def _seconds(span: Any) -> int:
    found = _SPAN.fullmatch(span.strip()) if isinstance(span, str) else None
    if not found:
        raise ValueError(f"`window` is a number and s, m, h or d, such as `5m`, not {span!r}")
    return int(found[1]) * _UNITS[found[2][0]]


def _entry(stored: StoredEvent) -> int:
    return int(stored.position.partition(".")[0])


def _plain(value: Any) -> str:
    return f"`{', '.join(value) if isinstance(value, tuple) else value}`"


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "nobody"


ALERTS = "type:alert.raised"
MOST = 1_000
AGAIN_S = 1.0
GRAVE = ("high", "critical")
CHANNELS = ("email", "slack", "pagerduty", "webhook")
ACTIONS = (
    "alert_admin",
    "block_ip",
    "disable_client",
    "lock_account",
    "revoke_session",
    "revoke_sessions",
    "step_up",
)
MEMBERS = (
    "name",
    "condition",
    "window",
    "action",
    "actions",
    "description",
    "events",
    "history",
    "key",
    "level",
    "mode",
    "suppress",
    "tests",
    "title",
    "where",
)
_SPAN = re.compile(r"(\d+)\s*(s|m|h|d|seconds?|minutes?|hours?|days?)")
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
