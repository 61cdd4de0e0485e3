"""What is played, by whom, and how often? Data alone: a row is what runs at one time, each of its lanes one thing after another."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from bench.row import SLOW_SCRAPES

RATE = 200.0
"""Requests a second, in every play."""
SERINUS, FLAGGER, NOBODY = "serinus", "flagger", "nobody"
DEMO = Path(__file__).parents[2] / "deployments" / "policies" / "shop.yaml"
VERSIONS: Mapping[str, str] = {
    "good": "v1.1",
    "errors": "v2-errors",
    "dead": "v2-dead",
    "slow": "v2-slow",
    "soak": "v2-late",
    "steady": "",
}
"""What each scenario releases; `soak` turns bad while it has everything, `steady` releases nothing."""


@dataclass(frozen=True, slots=True)
class Play:
    """One scenario by one of them, so many times.

    Args:
        tool: who releases
        scrape: how often Prometheus looks, seconds
        interval, threshold: Flagger's, as its documentation calls them
    """

    scenario: str
    times: int
    tool: str = SERINUS
    router: str = "contour"
    scrape: int = 1
    interval: str = ""
    threshold: int = 0

    @property
    def ours(self) -> bool:
        return self.tool != FLAGGER

    @property
    def version(self) -> str:
        return VERSIONS[self.scenario]

    @property
    def name(self) -> str:
        """Of everything but how often."""
        set_to = f" {self.interval} x {self.threshold}" if self.interval else ""
        return f"{self.scenario}, {self.tool}{set_to}, {self.router}, scrapes {self.scrape} s"

    @property
    def policy(self) -> dict[str, Any]:
        """What of the product's policy is not where it runs."""
        if self.scenario == "soak":
            return {**_read(DEMO.read_text()), "phases": list(SOAK)}
        if self.scrape == 1:
            return dict(_read(DEMO.read_text()))
        slow = _read(SLOW_SCRAPES)
        return {**slow, "checks": {**slow["checks"], **_checks(self.scrape)}}


SOAK = ({"weight": "100%", "soak": "20s"},)
"""Each instance turns bad six seconds after its own first request: here all of them do at once, and have everything."""


def _checks(scrape: int) -> dict[str, str]:
    return {"interval": f"{scrape}s", "scrape": f"{scrape}s", "window": f"{4 * scrape}s"}


@cache
def _read(text: str) -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(text)
    return found


@dataclass(frozen=True, slots=True)
class Row:
    """What runs at one time."""

    name: str
    lanes: Sequence[Sequence[Play]] = field(default_factory=tuple)

    def only(self, scenarios: Collection[str]) -> Row:
        """Of these scenarios."""
        return replace(self, lanes=[[play for play in lane if play.scenario in scenarios] for lane in self.lanes])


def _own(router: str, good: int, errors: int, dead: int, soak: int) -> tuple[Play, ...]:
    times = {"good": good, "errors": errors, "dead": dead, "soak": soak}
    return tuple(Play(scenario, count, router=router) for scenario, count in times.items())


def _peer(scenarios: Mapping[str, int], interval: str, threshold: int, scrape: int) -> tuple[Play, ...]:
    by = Play("", 0, FLAGGER, scrape=scrape, interval=interval, threshold=threshold)
    return tuple(replace(by, scenario=name, times=times) for name, times in scenarios.items())


ROWS = (
    Row("steady", ((Play("steady", 1, NOBODY),),)),
    Row("contour", (_own("contour", 1, 11, 6, 8),)),
    Row("gateway-api", (_own("gateway-api", 1, 11, 6, 8),)),
    Row(
        "slow scrapes and peers",
        (
            (Play("slow", 2), Play("errors", 3, scrape=15), Play("dead", 2, scrape=15), Play("slow", 1, scrape=15)),
            (Play("errors", 3, scrape=30), Play("dead", 1, scrape=30)),
            _peer({"errors": 2, "dead": 2, "slow": 1}, "10s", 2, 1),
            _peer({"errors": 2, "dead": 2, "slow": 1}, "10s", 2, 15),
            _peer({"errors": 1}, "60s", 5, 1),
            _peer({"dead": 1}, "60s", 5, 1),
            _peer({"errors": 1}, "60s", 5, 15),
            _peer({"dead": 1}, "60s", 5, 15),
        ),
    ),
)
QUICK = (
    Row("steady", ((Play("steady", 1, NOBODY),),)),
    Row("contour", (_own("contour", 1, 1, 1, 1),)),
    Row("gateway-api", (_own("gateway-api", 0, 1, 1, 0),)),
    Row(
        "slow scrapes and peers",
        ((Play("errors", 1, scrape=15),), _peer({"errors": 1}, "10s", 2, 1), _peer({"dead": 1}, "10s", 2, 1)),
    ),
)
