"""What can be shown on the local platform: which version is released, what happens meanwhile, how it should end.

Data alone; `stage` plays it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

PROMOTED, ROLLED_BACK = "promoted", "rolled back"
HEALTHY = (("v1.0", "v1.1", "v1.2"), ("v1", "v2", "v3"), ("v1-noisy", "v2-noisy"))
"""Versions that are as good as each other: a good release takes the one after stable."""


class Meanwhile(StrEnum):
    """What happens while the release goes on."""

    NOTHING = "nothing"
    INCIDENT = "both versions fail for a while"
    KILL = "the engine is killed"
    RESTART = "the Prefect server is killed and comes back"
    SILENCE = "no user comes"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One thing that is shown.

    Args:
        about: one sentence for people
        version: of the catalogue; empty: one that is as good as stable's
        outcome: of the summary, as it should be
        meanwhile: what happens while the release goes on
    """

    name: str
    about: str
    version: str
    outcome: str
    meanwhile: Meanwhile = Meanwhile.NOTHING


SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        scenario.name: scenario
        for scenario in (
            Scenario("good", "a healthy version goes through every phase and becomes stable", "", PROMOTED),
            Scenario("errors", "30 % of the new version's answers are errors", "v2-errors", ROLLED_BACK),
            Scenario("slow", "a tenth of the new version's answers take about a second", "v2-slow", ROLLED_BACK),
            Scenario("dead", "the new version gets ready, then refuses every connection", "v2-dead", ROLLED_BACK),
            Scenario("late", "the new version turns bad after six seconds", "v2-late", ROLLED_BACK),
            Scenario(
                "incident", "both versions fail for a while: the canary is innocent", "", PROMOTED, Meanwhile.INCIDENT
            ),
            Scenario(
                "no-traffic", "no user comes: nothing can be said of the version", "", ROLLED_BACK, Meanwhile.SILENCE
            ),
            Scenario(
                "engine-killed",
                "kill -9 of the engine in mid-phase: the guard returns the traffic",
                "",
                ROLLED_BACK,
                Meanwhile.KILL,
            ),
        )
    }
)


def version_for(scenario: Scenario, stable: str) -> str:
    """The version to release while `stable` serves."""
    if scenario.version:
        return scenario.version
    family = next((versions for versions in HEALTHY if stable in versions), HEALTHY[0])
    after = family.index(stable) + 1 if stable in family else 0
    return family[after % len(family)]
