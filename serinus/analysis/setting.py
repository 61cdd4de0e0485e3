"""Under which circumstances a check is made: what the release knows and the metrics do not."""

from __future__ import annotations

from dataclasses import dataclass

from serinus.analysis.reading import Arm
from serinus.analysis.threshold import Checks, Gates
from serinus.analysis.verdict import Judgement


@dataclass(frozen=True)
class Setting:
    """Where the release stands when the gate is asked.

    Args:
        gates: of the phase
        checks: of the plan
        weight_fraction: the canary's part, 0 to 1; None where one arm serves all (100 %, bake)
        arm_served: which arm serves all then: `CANARY` at 100 %, `STABLE` in the bake
        soak_over: the phase has passed long enough, so that only what is missing may still hold it
        extension_over: and nothing more is waited for
        seconds_at_weight: since the router was seen to serve by this weight
        troubles: what fails in the judged version's pods, a sentence each
        bad_requests: how many canary errors above what stable's rate explains end the release; None: no budget
        inconclusive_advances: `on.inconclusive` is `advance`
        changed: what somebody has changed of what is compared, already judged
    """

    gates: Gates
    checks: Checks
    weight_fraction: float | None
    arm_served: Arm = Arm.CANARY
    soak_over: bool = False
    extension_over: bool = False
    seconds_at_weight: float = 0.0
    troubles: tuple[str, ...] = ()
    bad_requests: int | None = None
    inconclusive_advances: bool = True
    changed: tuple[Judgement, ...] = ()

    @property
    def one_armed(self) -> bool:
        return self.weight_fraction is None

    @property
    def judged(self) -> Arm:
        """The arm that the new version is."""
        return self.arm_served if self.one_armed else Arm.CANARY

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms that should have traffic."""
        return (self.arm_served,) if self.one_armed else (Arm.CANARY, Arm.STABLE)
