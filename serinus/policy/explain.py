"""What will happen, phase by phase, and what will not be proved: a policy explained before anything is touched.

Data only; `serinus plan` draws it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from serinus.analysis.one_sample import needed
from serinus.analysis.threshold import ERRORS, SERVER_ERRORS, Bound, Guards, QueryGate, RateGate
from serinus.errors import Problem
from serinus.policy.model import Policy
from serinus.policy.setting import Setting, settings
from serinus.policy.settle import rehearsed, settled
from serinus.release.lifecycle import extension_seconds
from serinus.release.plan import Inconclusive, Phase, Plan

ALPHA = 0.05
"""Level at which a limit counts as certified."""


@dataclass(frozen=True, slots=True)
class GateView:
    """One gate of one phase.

    Args:
        limit, abort: as text, such as `max 1%`; empty where there is none
        warm_up_seconds: how long after the weight change it is not asked
        needed: canary requests without a bad one that certify the limit; None where nothing can (0 %, or a query)
        expected: canary requests that it will see in the phase; None without a rate
    """

    name: str
    limit: str
    abort: str
    warm_up_seconds: float = 0.0
    needed: int | None = None
    expected: float | None = None

    @property
    def missing(self) -> int | None:
        """Requests that lack for a certificate; 0: it can be certified; None: not known, or nothing can."""
        if self.needed is None or self.expected is None:
            return None
        return max(0, self.needed - int(self.expected))


@dataclass(frozen=True, slots=True)
class PhaseView:
    """One phase; the bake has weight 0, and stable serves everyone in it.

    Args:
        soak_seconds: as it will be; `written_seconds` as it was written, before a rehearsal
        requests: expected of the judged arm during the soak; None without a rate
        thin: whether they are fewer than `min_requests`
        extension_seconds: how long it waits for more beyond its soak
    """

    weight_percent: float
    soak_seconds: float
    written_seconds: float
    gates: tuple[GateView, ...]
    requests: float | None
    thin: bool
    extension_seconds: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """What `serinus plan` shows.

    Args:
        requests_per_second: the rate that was assumed, None: none
        seconds: phases and bake when every check passes
        canary_requests: expected over all phases, None without a rate
        settings: every key besides phases and gates
        min_requests: that a phase waits for
        inconclusive: what follows where they do not come
        idle: sentences on limits that add nothing to others
        warnings: what is allowed and probably not meant
    """

    service: str
    version: str
    requests_per_second: float | None
    phases: tuple[PhaseView, ...]
    bake: PhaseView
    seconds: float
    canary_requests: float | None
    settings: tuple[Setting, ...]
    min_requests: int
    inconclusive: Inconclusive
    idle: tuple[str, ...]
    warnings: tuple[Problem, ...]


def explain(policy: Policy, version: str, requests_per_second: float | None = None) -> Explanation:
    """The policy explained for one version.

    Args:
        requests_per_second: the service's whole rate, where it is known

    Raises:
        PolicyError: a version that is neither tag nor digest
    """
    written = settled(policy.content, version)
    speed = policy.content.rehearsal.speed if policy.content.rehearsal else 1.0
    plan = rehearsed(written, speed) if speed > 1 else written
    pairs = zip(plan.phases, written.phases, strict=True)
    phases = tuple(_phase(phase, before, plan, requests_per_second) for phase, before in pairs)
    expected = [phase.requests for phase in phases if phase.requests is not None]
    return Explanation(
        service=plan.service,
        version=version,
        requests_per_second=requests_per_second,
        phases=phases,
        bake=_phase(plan.bake, written.bake, plan, requests_per_second),
        seconds=sum(phase.soak_seconds for phase in (*plan.phases, plan.bake)),
        canary_requests=sum(expected) if expected else None,
        settings=tuple(settings(policy, written, plan)),
        min_requests=plan.checks.min_requests,
        inconclusive=plan.on.inconclusive,
        idle=idle(written),
        warnings=policy.warnings,
    )


def idle(plan: Plan) -> tuple[str, ...]:
    """A sentence for each limit that adds nothing, because another is broken whenever it is."""
    where: dict[str, list[str]] = {}
    for phase in plan.phases:
        for sentence in _idle(phase.gates.rates, plan.checks.guards):
            where.setdefault(sentence, []).append(str(phase.weight))
    every = len(plan.phases)
    return tuple(s if len(places) == every else f"{s} (at {', '.join(places)})" for s, places in where.items())


def _idle(rates: tuple[RateGate, ...], guards: Guards) -> Iterator[str]:
    kinds: tuple[Callable[[RateGate], Bound | None], ...] = (lambda gate: gate.limit, lambda gate: gate.abort)
    for kind in kinds:
        bounds = [(gate, bound) for gate in rates if (bound := kind(gate)) is not None]
        for index, (gate, bound) in enumerate(bounds):
            over = [
                (other, stricter)
                for place, (other, stricter) in enumerate(bounds)
                if place != index
                and other.warm_up_seconds <= gate.warm_up_seconds
                and _covers(stricter, bound, guards)
                and (place < index or (stricter.bad, stricter.allowed) != (bound.bad, bound.allowed))
            ]
            if over:
                other, stricter = min(over, key=lambda pair: pair[1].allowed)
                yield f"{gate.name} {bound.text} adds nothing: {other.name} {stricter.text} is as strict or stricter"


def _covers(stricter: Bound, bound: Bound, guards: Guards) -> bool:
    """Whether a breach of `bound` is always one of `stricter`; a guarded 0 % is judged only once, at the end of the soak."""
    if stricter.allowed > bound.allowed or (stricter.allowed == 0 and guards is Guards.STRICT):
        return False
    if stricter.bad == bound.bad or (bound.bad == SERVER_ERRORS and stricter.bad == ERRORS):
        return True
    edges = (stricter.bad.partition("slow:")[2], bound.bad.partition("slow:")[2])
    return all(edges) and float(edges[0]) <= float(edges[1])


def _phase(phase: Phase, written: Phase, plan: Plan, rate: float | None) -> PhaseView:
    served = None if rate is None else rate * (phase.weight.fraction or 1.0)
    requests = None if served is None else served * phase.soak_seconds
    rates = (_rate(gate, phase.soak_seconds, served) for gate in phase.gates.rates)
    return PhaseView(
        weight_percent=phase.weight.percent,
        soak_seconds=phase.soak_seconds,
        written_seconds=written.soak_seconds,
        gates=(*rates, *(_query(gate) for gate in phase.gates.queries)),
        requests=requests,
        thin=requests is not None and phase.weight.points > 0 and requests < plan.checks.min_requests,
        extension_seconds=extension_seconds(plan, phase),
    )


def _rate(gate: RateGate, soak_seconds: float, served: float | None) -> GateView:
    """Certified from the phase's own requests: what an earlier phase saw was seen at another weight."""
    limit = gate.limit
    return GateView(
        name=gate.name,
        limit=limit.text if limit else "",
        abort=gate.abort.text if gate.abort else "",
        warm_up_seconds=gate.warm_up_seconds,
        needed=needed(limit.allowed, 0, ALPHA) if limit is not None and 0 < limit.allowed < 1 else None,
        expected=None if served is None else served * max(0.0, soak_seconds - gate.warm_up_seconds),
    )


def _query(gate: QueryGate) -> GateView:
    def bounds(**given: float | None) -> str:
        unit = f" {gate.unit}" if gate.unit else ""
        return ", ".join(f"{word.replace('_', ' ')} {v:g}{unit}" for word, v in given.items() if v is not None)

    return GateView(
        gate.name,
        bounds(max=gate.maximum, min=gate.minimum),
        bounds(abort_above=gate.abort_above, abort_below=gate.abort_below),
    )
