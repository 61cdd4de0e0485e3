"""How does one instance of the demo service behave, and what does it answer? As its version and its faults have it."""

from __future__ import annotations

import asyncio
import json
import os
import random
from dataclasses import dataclass, field

from serinus.local.catalogue import Behaviour, Dead, Start
from serinus.local.fault import NONE, Fault
from serinus.local.meter import Meter

REASONS = {
    200: "OK",
    400: "Bad Request",
    411: "Length Required",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


@dataclass(slots=True)
class Instance:
    """What all connections of one instance share."""

    service: str
    pod: str
    arm: str
    version: str
    behaviour: Behaviour
    fault: Fault = NONE
    meter: Meter = field(default_factory=Meter)
    first_request: float | None = None
    leaving: bool = False
    left: asyncio.Event = field(default_factory=asyncio.Event)
    connections: set[asyncio.Transport] = field(default_factory=set)
    leaked: list[bytes] = field(default_factory=list)
    dice: random.Random = field(default_factory=random.Random)

    def refuses(self) -> bool:
        """Whether nobody may connect."""
        served = self.first_request is not None
        return self.fault.dead or (self.behaviour.dead is Dead.REFUSES and served)

    def error_rate(self, now: float) -> float:
        """The version's own and the fault's, as independent causes."""
        own = self.behaviour.error_rate
        late = self.behaviour.late_error_rate
        if (
            late is not None
            and self.first_request is not None
            and now - self.first_request >= self.behaviour.late_after_seconds
        ):
            own = late
        return 1 - (1 - own) * (1 - self.fault.error_rate)

    def latency(self) -> float:
        """Seconds; about 2 ms for a healthy version."""
        slow = (
            self.behaviour.slow_seconds * self.dice.uniform(1, 2)
            if self.dice.random() < self.behaviour.slow_share
            else 0.0
        )
        return 0.001 + self.dice.expovariate(1000) + slow + self.fault.latency_seconds

    def status(self, path: str, now: float) -> int:
        """The answer to a request that arrives now."""
        if path == "/healthz":
            return 503 if self.behaviour.start is Start.NEVER_READY or self.leaving else 200
        if self.first_request is None:
            self.first_request = now
        if self.behaviour.leak_bytes:
            self.leaked.append(os.urandom(self.behaviour.leak_bytes))
        return 500 if self.dice.random() < self.error_rate(now) else 200

    def answer(self, status: int, close: bool) -> bytes:
        body = json.dumps({"service": self.service, "version": self.version, "pod": self.pod}).encode() + b"\n"
        return self.written(status, close, body, "application/json")

    def written(self, status: int, close: bool, body: bytes, content_type: str) -> bytes:
        head = (
            f"HTTP/1.1 {status} {REASONS[status]}",
            f"content-type: {content_type}",
            f"content-length: {len(body)}",
            f"x-version: {self.version}",
            f"x-pod: {self.pod}",
            *(("connection: close",) if close else ()),
        )
        return "\r\n".join((*head, "", "")).encode() + body
