"""End a release that is promoted: route as it was found, record ended, evidence whole."""

from __future__ import annotations

from functools import partial

from serinus.moves.engine import Engine
from serinus.moves.patience import endingly
from serinus.moves.roll_back import drained, end, remove, restore
from serinus.release.record import Outcome, State


async def finish(engine: Engine, why: str = "") -> None:
    """The last move of a good release; what a rollback needs stays in the record. Each step is waited for by itself.

    Args:
        why: one sentence; default: how many phases were passed

    Raises:
        Unavailable: a step came to nothing for long; calling again goes on from there
    """
    if engine.record.ended:
        return
    if await endingly(engine, "the canary to be drained", partial(drained, engine)):  # promotion has done it, as a rule
        await endingly(engine, "the canary to be removed", partial(remove, engine, True))
    await restore(engine)
    passed = f"{engine.plan.version} serves everything; {len(engine.plan.phases)} phases and the bake passed"
    await end(engine, State.PROMOTED, Outcome(why or passed))
