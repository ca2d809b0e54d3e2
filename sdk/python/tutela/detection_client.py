"""`Tutela.detection`: rules over the ledger, incidents, alerts and blocked addresses.

Needs `detection:read`; what changes something needs `detection:write`, and `raise_alert` `alerts:write`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .errors import Corrupt, Invalid
from .ledger_answers import parsed, text
from .transport import segment

if TYPE_CHECKING:
    from .client import Tutela


@dataclass(frozen=True)
class Rule:
    """A rule that runs there. `mode` is `shadow`, `alert`, `act` or `off`; `text` is all of it, as YAML.

    `condition` is None of a rule in Sigma's spelling.
    """

    name: str
    mode: str
    window: str
    condition: str | None
    actions: tuple[str, ...]
    level: str
    text: str


@dataclass(frozen=True)
class Incident:
    """Alerts that belong together. `state`: `open`, `acknowledged`, `contained`, `resolved`, `reviewed`.

    `about` has for each member whom and what it is about, such as `{"ip": ("192.0.2.7",)}`.
    """

    id: str
    state: str
    level: str
    title: str
    alerts: int
    rules: tuple[str, ...] = ()
    about: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Block:
    """A network that the gateway refuses until a time; `ended_at` where somebody lifted it before."""

    id: str
    network: str
    until: str
    rule: str | None = None
    ended_at: str | None = None


class DetectionClient:
    """The calls under `/v1/rules`, `/v1/incidents`, `/v1/alerts`, `/v1/blocks`. A `Tutela` makes its own."""

    def __init__(self, client: Tutela) -> None:
        self._client = client

    async def rules(self) -> list[Rule]:
        """The rules, by name, those that are off too."""
        return [_rule(item) for item in _list(await self._client._get("/v1/rules"))]

    async def rule(self, name: str) -> Rule:
        """One rule. Raises `NotFound`."""
        return _rule(await self._client._get(f"/v1/rules/{segment(name, 'the name of a rule')}"))

    async def set_rule(
        self, name: str, *, text: str | None = None, mode: str | None = None, reason: str
    ) -> Rule:
        """Write a rule while the server runs, or say how far one goes. `Invalid` where its tests fail."""
        body = {"text": text, "mode": mode, "reason": reason}
        path = f"/v1/rules/{segment(name, 'the name of a rule')}"
        return _rule(parsed((await self._client._send("PUT", path, body=body)).text))

    async def reset_rule(self, name: str, *, reason: str) -> None:
        """Take back what was written over a rule. Only the admin address has this call."""
        path = f"/v1/rules/{segment(name, 'the name of a rule')}"
        await self._client._send("DELETE", path, params={"reason": reason})

    async def raise_alert(
        self, *, level: str, title: str, details: Any, about: Mapping[str, str] | None = None
    ) -> str | None:
        """Tell of something that the application has found itself; the incident that it opened or joined.

        `level`: `informational`, `low`, `medium`, `high` or `critical`. `details` is a text, or anything
        that JSON can write. `about` ties it to other alerts: `ip`, `account`, `email`, `session` and so on.
        """
        body = {"level": level, "title": title, "details": _words(details), "about": dict(about or {})}
        answer = await self._client._post("/v1/alerts", body)
        found = answer.get("incident") if isinstance(answer, dict) else None
        return None if found is None else str(found)

    async def alert_settings(self) -> Mapping[str, Any]:
        """Who is told of alerts: `email`, `slack`, `pagerduty` and `webhook`, lists of names."""
        answer = await self._client._get("/v1/alerts/settings")
        if not isinstance(answer, dict):
            raise Corrupt("the server does not say who is told of alerts", remote=True)
        return answer

    async def incidents(self, state: str = "live", *, before: str | None = None) -> list[Incident]:
        """Incidents that are `live`, `all`, or in one state; the newest hundred, below `before`."""
        params = {"state": state} | ({"before": before} if before else {})
        return [_incident(item) for item in _list(await self._client._get("/v1/incidents", params))]

    async def incident(self, incident: str) -> Incident:
        """One incident. Raises `NotFound`."""
        return _incident(await self._client._get(f"/v1/incidents/{segment(incident, 'an incident')}"))

    async def move(self, incident: str, state: str, *, reason: str) -> None:
        """Move an incident on. Raises `Conflict` where it does not go there."""
        path = f"/v1/incidents/{segment(incident, 'an incident')}/state"
        await self._client._send("POST", path, body={"state": state, "reason": reason})

    async def contain(self, incident: str, action: str, *, reason: str) -> tuple[int, tuple[str, ...]]:
        """Do something about everybody whom an incident names: to how many, and what stood in the way.

        `action`: `block_ip`, `revoke_session`, `revoke_sessions`, `step_up`, `lock_account`,
        `disable_client`.
        """
        path = f"/v1/incidents/{segment(incident, 'an incident')}/contain"
        answer = await self._client._post(path, {"action": action, "reason": reason})
        if not isinstance(answer, dict) or not isinstance(answer.get("done"), int):
            raise Corrupt("the server does not say what was done", remote=True)
        return answer["done"], tuple(str(why) for why in answer.get("refused") or ())

    async def undo(self, incident: str, *, reason: str) -> int:
        """Lift the blocks of what an incident names; how many there were."""
        path = f"/v1/incidents/{segment(incident, 'an incident')}/undo"
        answer = await self._client._post(path, {"reason": reason})
        return int(answer.get("lifted", 0)) if isinstance(answer, dict) else 0

    async def blocks(self) -> list[Block]:
        """What is blocked, the newest first, what has ended too."""
        return [_block(item) for item in _list(await self._client._get("/v1/blocks"))]

    async def block(self, network: str, *, minutes: int = 60, reason: str) -> None:
        """Have the gateway refuse an address or network from the next request on."""
        body = {"network": network, "minutes": minutes, "reason": reason}
        await self._client._send("POST", "/v1/blocks", body=body)

    async def lift(self, block: str, *, reason: str) -> None:
        """Lift a block by its id, or all of an address. Raises `NotFound`."""
        await self._client._send("POST", "/v1/blocks/lift", body={"block": block, "reason": reason})


def _words(details: Any) -> str:
    if isinstance(details, str):
        return details
    try:
        return json.dumps(details, ensure_ascii=False, default=str)
    except (TypeError, ValueError) as error:
        raise Invalid(f"`details` cannot be written as JSON: {error}") from error


def _list(answer: Any) -> list[Any]:
    if not isinstance(answer, list):
        raise Corrupt("the server did not answer with a list", remote=True)
    return answer


def _names(item: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(str(value) for value in item.get(name) or ())


def _rule(item: Any) -> Rule:
    words = {name: text(item, name) for name in ("name", "mode", "window", "level", "text")}
    condition = item.get("condition")
    return Rule(
        **words, condition=None if condition is None else str(condition), actions=_names(item, "actions")
    )


def _incident(item: Any) -> Incident:
    words = {name: text(item, name) for name in ("id", "state", "level", "title")}
    about = {str(name): tuple(map(str, values)) for name, values in (item.get("about") or {}).items()}
    return Incident(**words, alerts=int(item.get("alerts") or 0), rules=_names(item, "rules"), about=about)


def _block(item: Any) -> Block:
    words = {name: text(item, name) for name in ("id", "network", "until")}
    return Block(**words, rule=item.get("rule"), ended_at=item.get("ended_at"))
