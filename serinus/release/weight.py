"""How much of the traffic the canary gets.

One number, so that the two sides cannot disagree; who may change it is `mark`'s question.
"""

from __future__ import annotations

from dataclasses import dataclass

WHOLE = 10_000
"""Points in all: hundredths of a percent, Envoy's finest step."""


@dataclass(frozen=True, slots=True, order=True)
class Weight:
    """The canary's part of the traffic, in hundredths of a percent; stable has the rest.

    Args:
        points: 0 to 10,000

    Raises:
        ValueError: outside of that
    """

    points: int

    def __post_init__(self) -> None:
        if not 0 <= self.points <= WHOLE:
            raise ValueError(f"a weight is 0 to 100 %, not {self.points / 100:g} %")

    @classmethod
    def of(cls, percent: float) -> Weight:
        """The weight of so many percent, to a hundredth."""
        return cls(round(percent * 100))

    @property
    def stable_points(self) -> int:
        return WHOLE - self.points

    @property
    def percent(self) -> float:
        return self.points / 100

    @property
    def fraction(self) -> float:
        return self.points / WHOLE

    def __str__(self) -> str:
        return f"{self.percent:g} %"


NOTHING = Weight(0)
EVERYTHING = Weight(WHOLE)
