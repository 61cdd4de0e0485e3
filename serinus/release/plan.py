"""What will happen: a policy with every default resolved, frozen for one release.

A running release keeps the plan that it was started with. How a user writes it is `serinus.policy`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from serinus.analysis.threshold import Checks, Gates, QueryGate
from serinus.release.weight import Weight


class Inconclusive(StrEnum):
    """What becomes of a phase whose figures do not suffice, once its extension is spent."""

    ADVANCE = "advance"
    HOLD = "hold"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class Phase:
    """A weight, held and watched.

    Args:
        weight: the canary's part
        soak_seconds: how long every check must have passed; 0 is one check
        gates: what is asked in this phase
    """

    weight: Weight
    soak_seconds: float
    gates: Gates


@dataclass(frozen=True, slots=True)
class Limits:
    """What ends a release whatever its gates say.

    Args:
        bad_requests: canary errors above what stable's rate explains; None is no budget
        duration_seconds: from `starting`, pauses included
        extension: how much longer than its soak a phase may take for want of samples (fraction of the soak)
        rollback_seconds: from the verdict to weight 0 read back; past it a person is paged
        no_traffic_seconds, metrics_down_seconds: how long such a hold may last
    """

    bad_requests: int | None
    duration_seconds: float
    extension: float
    rollback_seconds: float
    no_traffic_seconds: float
    metrics_down_seconds: float


@dataclass(frozen=True, slots=True)
class On:
    """What to do where the policy decides."""

    inconclusive: Inconclusive = Inconclusive.ADVANCE


@dataclass(frozen=True, slots=True)
class Target:
    """Where a release happens, by the names of the policy; only `serinus.wiring` reads the options.

    Args:
        workload, router, source: kinds, such as `local`, `envoy`, `envoy`
        workload_options, router_options, telemetry_options: their keys of the policy, secrets still as `${NAME}`
        notify: addresses of notices, secrets still as `${NAME}`
    """

    workload: str
    router: str
    source: str
    workload_options: Mapping[str, str] = field(default_factory=dict)
    router_options: Mapping[str, str] = field(default_factory=dict)
    telemetry_options: Mapping[str, str] = field(default_factory=dict)
    notify: tuple[str, ...] = ()

    def typed(self, verb: str, service: str = "") -> str:
        """What a person types to mean this place: `serinus abort shop -n market`; without a service, `serinus guard -n market`."""
        named = (("-n", "namespace"), ("--context", "context"))
        options = [f"{flag} {self.workload_options[key]}" for flag, key in named if self.workload_options.get(key)]
        return " ".join(("serinus", *filter(None, (verb, service)), *options))


@dataclass(frozen=True, slots=True)
class Plan:
    """One release of one version, every number resolved.

    Args:
        phases: weights that rise, the last the highest
        bake: watched once more after stable runs the new version; its weight is 0, its gates one-armed
        min_replicas: least canary replicas while it has weight
    """

    service: str
    version: str
    phases: tuple[Phase, ...]
    bake: Phase
    checks: Checks
    limits: Limits
    on: On
    target: Target
    min_replicas: int = 1

    @property
    def queries(self) -> Mapping[str, str]:
        """Every custom query of the release by its key, the bake's too."""
        return {self.key(gate): gate.query for gate in self._custom()}

    def key(self, gate: QueryGate) -> str:
        """By which its answers are told apart: its name, as long as every phase asks the same by it."""
        same = all(other.query == gate.query for other in self._custom() if other.name == gate.name)
        return gate.name if same else f"{gate.name}: {gate.query}"

    def _custom(self) -> Iterator[QueryGate]:
        return (gate for phase in (*self.phases, self.bake) for gate in phase.gates.queries)
