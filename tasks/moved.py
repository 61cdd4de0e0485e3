"""What one task hands on to the next."""

from __future__ import annotations

from typing import Any

from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from serinus.release.lifecycle import Action, Step


class Moved:
    """What a move came to.

    A plain class, not a dataclass: Prefect draws an arrow from the task that returned one to the task that takes it, and would
    walk into a dataclass and draw an arrow for every equal value inside.

    Args:
        action: what is to be done now, and why
        weight: of the canary, as a person reads it
        facts: what preflight found, for `acquire` alone
    """

    def __init__(self, action: Action, weight: str = "0 %", facts: Any = None) -> None:
        self.action = action
        self.weight = weight
        self.facts = facts

    @property
    def why(self) -> str:
        return self.action.why

    @property
    def reason(self) -> str:
        """Why, and where: `error_rate 6.1 % > 1 % at 25 %`."""
        return f"{self.why} at {self.weight}" if self.weight != "0 %" else self.why

    @property
    def advances(self) -> bool:
        return self.action.step is Step.ADVANCE

    @property
    def holds(self) -> bool:
        return self.action.step is Step.HOLD

    @property
    def promotes(self) -> bool:
        return self.action.step is Step.PROMOTE

    @property
    def finishes(self) -> bool:
        return self.action.step is Step.FINISH

    @property
    def ends(self) -> bool:
        """The traffic is to be returned."""
        return self.action.ends

    def state(self, bad: str = "Ended", good: str = "Completed") -> State[Moved]:
        """The state of the task that made this move: red in the UI where the traffic is to be returned."""
        if self.ends:
            return Failed(name=bad, message=self.why, data=self)
        return Completed(name=good, message=self.why, data=self)
