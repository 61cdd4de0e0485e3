"""What can be shown on the local platform: which version is released, what happens meanwhile, how it should end.

Data alone; `stage` plays it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

PROMOTED, ROLLED_BACK = "promoted", "rolled back"
HEALTHY = ("v2", "v3", "v1")
"""Versions without a fault: a good release takes the first that is not stable already."""


class Meanwhile(StrEnum):
    """What happens while the release goes on."""

    NOTHING = "nothing"
    INCIDENT = "both versions fail for a while"
    KILL = "the engine is killed"
    SILENCE = "no user comes"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One thing that is shown.

    Args:
        about: one sentence for people
        version: of the catalogue; empty: a healthy one that is not stable already
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
    return scenario.version or next(version for version in HEALTHY if version != stable)
