"""Whether the canary gets what was set: the share of each weight, from the increments that the evidence keeps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from serinus.release.evidence import parse


@dataclass(frozen=True, slots=True)
class Share:
    """Requests counted at one weight.

    Args:
        weight: as set, percent
        canary, all: requests
    """

    weight: float
    canary: float
    all: float

    @property
    def z(self) -> float:
        """How many standard errors the share is from the weight, for a split that is random request by request."""
        part = self.weight / 100
        return (self.canary - self.all * part) / math.sqrt(self.all * part * (1 - part))


def shares(evidence: Path) -> tuple[Share, ...]:
    """Every weight below 100 %; the first increment after a change is left out, as it holds requests of before it."""
    if not evidence.is_file():
        return ()
    counted: dict[float, tuple[float, float]] = {}
    fresh = True
    for text in evidence.read_text().splitlines():
        line = parse(text)
        if line.kind in ("weight", "state"):
            fresh = True
        if line.kind != "check" or "increment" not in line.data or not 0 < line.data["weight"] < 100:
            continue
        if not fresh:
            canary, stable = line.data["increment"]["canary"][0], line.data["increment"]["stable"][0]
            before = counted.get(line.data["weight"], (0.0, 0.0))
            counted[line.data["weight"]] = (before[0] + canary, before[1] + canary + stable)
        fresh = False
    return tuple(Share(weight, canary, whole) for weight, (canary, whole) in counted.items() if whole)
