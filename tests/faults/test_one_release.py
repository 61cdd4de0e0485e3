"""One fault in one release, each on a service of its own: as many at a time as there are services."""

from __future__ import annotations

import pytest

from tests.faults import by_hand, canary_fails, engine_dies, metrics_fail
from tests.faults.conftest import Played

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]
SCENARIOS = engine_dies.SCENARIOS | metrics_fail.SCENARIOS | by_hand.SCENARIOS | canary_fails.SCENARIOS


@pytest.mark.parametrize("scenario", SCENARIOS.items(), ids=[name.replace(" ", "-") for name in SCENARIOS])
def test_a_fault(scenario: tuple[str, object], played: Played) -> None:
    """What was done is the scenario's; here is only what came of it."""
    name, _ = scenario
    came = played[name]
    if isinstance(came, BaseException):
        raise came
    print(f"{name}: {came}")
