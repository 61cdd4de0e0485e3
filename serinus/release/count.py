"""Which weights can be had where the canary's part is its number of instances beside stable's? Pure.

Nobody splits then: whoever asks meets one instance of both sides at random. Who counts and scales is the router's business.
"""

from __future__ import annotations

from dataclasses import replace

from serinus.release.plan import Plan
from serinus.release.weight import NOTHING, WHOLE, Weight

MOST = Weight.of(50)
"""At more, stable could not carry everything at once again, and its instances would be outnumbered."""


def share(instances: int, stable: int) -> Weight:
    """What so many get beside so many of stable's."""
    return Weight(round(WHOLE * instances / (instances + stable))) if instances else NOTHING


def instances(weight: Weight, stable: int) -> int:
    """How many have this share, or come nearest; at least one where there is a weight."""
    return max(round(stable * weight.points / weight.stable_points), 1) if weight != NOTHING else 0


def had(weight: Weight, stable: int) -> Weight:
    """The weight that can be had: never more than was asked, unless a single instance is more already."""
    nearest = instances(weight, stable)
    if nearest > 1 and share(nearest, stable) > weight:
        nearest -= 1
    return share(nearest, stable)


def attainable(plan: Plan, stable: int | None) -> Plan:
    """The plan with the weights that can be had; as it is where any can.

    Args:
        stable: instances that the canary's are counted beside; None: the router splits
    """
    if not stable:
        return plan
    phases = (replace(phase, weight=had(phase.weight, stable)) for phase in plan.phases)
    return replace(plan, phases=tuple(phases))


def told(plan: Plan, stable: int) -> str:
    """What becomes of the plan's weights, for a person; empty where they can be had as they are."""
    asked = [phase.weight for phase in plan.phases]
    return ", ".join(_told(weight, stable) for weight in asked if had(weight, stable) != weight)


def _told(weight: Weight, stable: int) -> str:
    given = had(weight, stable)
    count = instances(given, stable)
    return f"{weight} becomes {given} ({count} of {count + stable})"


def choices(stable: int, most: int = 5) -> str:
    """The weights that there are, from the smallest."""
    shown = [str(share(count, stable)) for count in range(1, min(stable, most) + 1)]
    return ", ".join(shown) + (f" and so on to {MOST}" if stable > most else "")
