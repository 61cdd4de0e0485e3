"""A change of weight loses no request: forty of them under load, counted by who sends and by who serves."""

from __future__ import annotations

import pytest

from serinus.moves.acquire import acquire
from serinus.moves.preflight import preflight
from serinus.moves.roll_back import roll_back
from serinus.moves.set_weight import set_weight
from serinus.moves.start import start
from serinus.release.lifecycle import Action, Step
from serinus.wiring import enter
from tests.faults.ground import Shop
from tests.faults.policies import policy

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]
CHANGES = 40
RATE = 300.0


async def test_forty_changes_lose_no_request(shop: Shop) -> None:
    """39 up, as a release makes them, canary scaled ahead of its weight; and the return of all at once."""
    before = shop.stable
    steps = tuple((f"{100 * n / (CHANGES - 1):.2f}%", "1s") for n in range(1, CHANGES))
    async with enter(shop.name, shop.other, policy(shop.name, steps), shop.folders) as run, shop.users(RATE) as users:
        facts = await preflight(run.ports, run.plan)
        engine = await acquire(run.ports, run.plan, facts, release=run.release, owner=run.owner)
        assert (await start(engine, facts.template)).step is Step.ADVANCE
        for phase in range(len(run.plan.phases)):
            moved = await set_weight(engine, phase)
            assert moved.step is Step.ADVANCE, moved
            assert await shop.served_weight() == run.plan.phases[phase].weight.points
        await roll_back(engine, Action(Step.ROLL_BACK, "that was all"))
        await shop.whole(before)
    record = await shop.mine()
    assert len(record.tally.weights) == CHANGES
    assert users.sent is not None
    assert users.failed == 0, users.say()
    assert sum(arm.failed for arm in users.served.values()) == 0, users.say()
    assert sum(arm.completed for arm in users.served.values()) == users.sent.requests, users.say()
    assert users.served["canary"].completed > 0
    print(users.say())
