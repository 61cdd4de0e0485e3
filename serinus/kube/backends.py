"""What share of the requests do two Services get among the weighted backends of one rule, and how is it changed? Pure.

Only the weight of stable's entry and the canary's entry are touched: every other backend and field stays as others have it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serinus.release.weight import NOTHING, WHOLE, Weight

Backend = dict[str, Any]
PERCENT = 100


@dataclass(frozen=True, slots=True)
class Pair:
    """The two Services.

    Args:
        stable, canary: their names
        unsaid: the weight of a backend that names none
        expected: fields that a backend of ours has with these values, or not at all
    """

    stable: str
    canary: str
    unsaid: int
    expected: Mapping[str, Any]

    def owns(self, backend: Backend) -> bool:
        """It is one of the two."""
        return self.matches(backend, self.stable) or self.matches(backend, self.canary)

    def matches(self, backend: Backend, name: str) -> bool:
        """It is this Service, and gets requests to answer."""
        return backend.get("name") == name and all(
            backend.get(key, value) == value for key, value in self.expected.items()
        )

    def weight(self, backends: Sequence[Backend]) -> Weight:
        """The canary's part of what both get."""
        here = {name: [one for one in backends if self.matches(one, name)] for name in (self.stable, self.canary)}
        stable, canary = (sum(int(one.get("weight", self.unsaid)) for one in here[name]) for name in here)
        if stable + canary == 0:
            # Contour splits nothing by nothing evenly, others answer with errors: neither is a way to leave it.
            stable, canary = len(here[self.stable]), len(here[self.canary])
        points = round(canary * WHOLE / (stable + canary))
        return Weight(max(points, 1) if canary else points)

    def named(self, backends: Sequence[Backend], name: str) -> Backend | None:
        """The first that is this Service."""
        return next((one for one in backends if self.matches(one, name)), None)

    def weighed(self, backends: Sequence[Backend], weight: Weight, wanted: bool) -> list[Backend]:
        """The same with another weight.

        Args:
            weight: the canary's
            wanted: a canary that is not there is added, like stable but for its name
        """
        stable, canary = self.named(backends, self.stable), self.named(backends, self.canary)
        weights = shares(weight)
        mine = {**(stable or canary or {}), "name": self.stable, "weight": weights[0]}
        theirs = {**(canary or stable or {}), "name": self.canary, "weight": weights[1]}
        kept = [mine if one is stable else theirs if one is canary else one for one in backends]
        return [*([] if stable else [mine]), *kept, *([theirs] if wanted and not canary else [])]

    def restored(self, backends: Sequence[Backend], before: Sequence[Backend]) -> list[Backend]:
        """Ours as they were, in what others have made of the rest since; a canary that was there gets nothing."""
        stable, canary = self.named(before, self.stable), self.named(before, self.canary)
        there = self.weighed(backends, NOTHING, wanted=canary is not None)
        kept = [one for one in there if canary or not self.matches(one, self.canary)]
        if stable is None and len(kept) > 1:
            return kept
        before_by_name = {self.stable: stable or {}}
        if canary is not None and canary.get("weight", self.unsaid) == 0:
            before_by_name[self.canary] = canary
        return [_like(one, before_by_name[one["name"]]) if self._was(one, before_by_name) else one for one in kept]

    def _was(self, backend: Backend, known: Mapping[str, Backend]) -> bool:
        return any(self.matches(backend, name) for name in known)

    def others(self, backends: Sequence[Backend]) -> tuple[str, ...]:
        """Besides these two once each: their part could not be kept where these two share."""
        served = [one for one in backends if not one.get("mirror")]
        kept = [one for name in (self.stable, self.canary) if (one := self.named(served, name)) is not None]
        return tuple(str(one.get("name")) for one in served if all(one is not mine for mine in kept))


def shares(weight: Weight) -> tuple[int, int]:
    """Stable's and the canary's number: percent where it is a whole one, else hundredths of a percent; never both 0."""
    if weight.points % PERCENT == 0:
        return weight.stable_points // PERCENT, weight.points // PERCENT
    return weight.stable_points, weight.points


def _like(backend: Backend, before: Backend) -> Backend:
    """With the weight that it had before, or none."""
    rest = {key: value for key, value in backend.items() if key != "weight"}
    return rest | {"weight": before["weight"]} if "weight" in before else rest
