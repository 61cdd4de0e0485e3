"""Sentences for tests: a service that is scraped, a plan's gates, a check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from serinus.analysis import gate
from serinus.analysis.reading import REQUESTS, TIMED, UNANSWERED, Arm, Counter, History, Outage, Reading, within
from serinus.analysis.setting import Setting
from serinus.analysis.state import GateState
from serinus.analysis.threshold import ERRORS, SERVER_ERRORS, Bound, Checks, Gates, Guards, RateGate, slow
from serinus.analysis.verdict import Verdict

T0 = 1_764_000_000.0
EDGES = (0.1, 0.5, 2.0)

GENERAL = Bound(ERRORS, 0.01, "max 1%")
ERROR_RATE = RateGate("error_rate", GENERAL, Bound(ERRORS, 0.05, "abort above 5%"))
NO_ERRORS = replace(ERROR_RATE, limit=Bound(ERRORS, 0.0, "max 0%"), slo=GENERAL)
SUCCESS_RATE = RateGate(
    "success_rate", Bound(SERVER_ERRORS, 0.01, "min 99%"), Bound(SERVER_ERRORS, 0.05, "abort below 95%")
)
SERVER = RateGate("server_errors", Bound(SERVER_ERRORS, 0.001, "max 0.1%"), None)
P50 = RateGate("latency_p50", Bound(slow(0.1), 0.5, "max 100ms"), None)
P99 = RateGate("latency_p99", Bound(slow(0.5), 0.01, "max 500ms"), Bound(slow(2.0), 0.01, "abort above 2s"))
PLAN = Gates((SUCCESS_RATE, ERROR_RATE, SERVER, P50, P99))
FIRST = Gates((SUCCESS_RATE, NO_ERRORS, SERVER, P50, P99))


def every_second(**changes: Any) -> Checks:
    """The demo's checks: 1 s scrapes, 5 s windows."""
    return replace(Checks(interval_seconds=1.0, scrape_seconds=1.0, window_seconds=5.0), **changes)


def every_quarter_minute(**changes: Any) -> Checks:
    """The plan's checks: 15 s scrapes, one-minute windows."""
    return replace(Checks(interval_seconds=15.0, scrape_seconds=15.0, window_seconds=60.0), **changes)


def literally(checks: Checks) -> Checks:
    return replace(checks, guards=Guards.OFF)


@dataclass
class Service:
    """One Envoy that counts both arms, scraped whenever somebody looks.

    Args:
        at: its clock, seconds since the epoch
        counts: raw counters by arm and figure
    """

    at: float = T0
    target: str = "envoy"
    counts: dict[Arm, dict[str, float]] = field(default_factory=dict)

    def serves(self, arm: Arm, requests: int, errors: int = 0, unanswered: int = 0, slow: int = 0) -> Service:
        """So many requests, that many of them bad; `slow` ones take 0.3 s, all others 0.02 s."""
        figures = self.counts.setdefault(arm, {})
        answered = requests - unanswered
        for figure, more in (
            (REQUESTS, requests),
            (SERVER_ERRORS, errors),
            (UNANSWERED, unanswered),
            (TIMED, answered),
            (within(0.1), answered - slow),
            (within(0.5), answered),
            (within(2.0), answered),
        ):
            if more or figure in figures or figure not in (SERVER_ERRORS, UNANSWERED):
                figures[figure] = figures.get(figure, 0.0) + more
        return self

    def canary(self, requests: int, errors: int = 0, **more: int) -> Service:
        return self.serves(Arm.CANARY, requests, errors, **more)

    def stable(self, requests: int, errors: int = 0, **more: int) -> Service:
        return self.serves(Arm.STABLE, requests, errors, **more)

    def after(self, seconds: float) -> Service:
        self.at += seconds
        return self

    def restarts(self) -> Service:
        self.counts = {arm: dict.fromkeys(figures, 0.0) for arm, figures in self.counts.items()}
        return self

    def counters(self) -> tuple[Counter, ...]:
        return tuple(
            Counter(arm, self.target, figure, value, self.at)
            for arm, figures in self.counts.items()
            for figure, value in figures.items()
        )

    def scraped(
        self, late: float = 0.05, up: bool = True, queries: Mapping[str, tuple[float, ...]] | None = None
    ) -> Reading:
        return Reading(self.at + late, self.counters(), {self.target: up}, queries or {})


@dataclass
class Watch:
    """A gate that is asked again and again, its state kept as the record keeps it."""

    setting: Setting
    state: GateState
    verdicts: list[Verdict] = field(default_factory=list)

    def sees(self, reading: Reading | Outage) -> Verdict:
        self.state, verdict = gate.judge(self.state, reading, self.setting)
        self.verdicts.append(verdict)
        return verdict

    def now(self, **changes: Any) -> Watch:
        self.setting = replace(self.setting, **changes)
        return self


def at(
    percent: float | None, gates: Gates = PLAN, checks: Checks | None = None, seconds: float = 3600.0, **more: Any
) -> Setting:
    """The setting of a phase; None: one arm serves all."""
    weight = None if percent is None else percent / 100
    setting = Setting(gates, checks or every_second(), weight, seconds_at_weight=seconds)
    return replace(setting, **more)


def watching(service: Service, setting: Setting, history: History | None = None) -> Watch:
    return Watch(setting, gate.begin(service.scraped(), setting.checks, history))
