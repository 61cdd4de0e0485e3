"""Which versions of the demo service exist, and how each behaves? Data alone; `shop` does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Dead(StrEnum):
    """How a dead instance treats its clients."""

    REFUSES = "refuses"
    HANGS = "hangs"


class Start(StrEnum):
    """What happens at its start."""

    READY = "ready"
    CRASHES = "crashes"
    NEVER_READY = "never ready"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One version.

    Args:
        about: one phrase for people
        error_rate: part of the requests answered with 500
        late_error_rate, late_after_seconds: the error rate from so long after the first request on; None: as before
        slow_share, slow_seconds: part of the requests that take so much longer, about
        start: what happens at its start
        dead: how it is dead from its first request on; None: it lives
        leak_bytes: memory lost with each request
    """

    about: str
    error_rate: float = 0.0005
    late_error_rate: float | None = None
    late_after_seconds: float = 0.0
    slow_share: float = 0.0
    slow_seconds: float = 0.0
    start: Start = Start.READY
    dead: Dead | None = None
    leak_bytes: int = 0


CATALOGUE: Mapping[str, Behaviour] = MappingProxyType(
    {
        "v1.0": Behaviour("healthy, no errors of its own", error_rate=0.0),
        "v1.1": Behaviour("healthy, no errors of its own", error_rate=0.0),
        "v1.2": Behaviour("healthy, no errors of its own", error_rate=0.0),
        "v1": Behaviour("healthy, .05 % errors"),
        "v2": Behaviour("healthy, .05 % errors"),
        "v3": Behaviour("healthy, .05 % errors"),
        "v1-noisy": Behaviour("as it has always been: .5 % errors", error_rate=0.005),
        "v2-noisy": Behaviour("as it has always been: .5 % errors", error_rate=0.005),
        "v2-errors": Behaviour("30 % errors", error_rate=0.3),
        "v2-slow": Behaviour("10 % of the requests take 0.6 to 1.2 s", slow_share=0.1, slow_seconds=0.6),
        "v2-dead": Behaviour("gets ready, then refuses every connection", dead=Dead.REFUSES),
        "v2-hung": Behaviour("gets ready, then answers nobody", dead=Dead.HANGS),
        "v2-crash": Behaviour("exits at its start", start=Start.CRASHES),
        "v2-unready": Behaviour("never gets ready", start=Start.NEVER_READY),
        "v2-late": Behaviour(
            "30 % errors from 6 s after its first request on", late_error_rate=0.3, late_after_seconds=6.0
        ),
        "v2-leak": Behaviour("loses 1 MiB of memory with each request", leak_bytes=1 << 20),
    }
)
