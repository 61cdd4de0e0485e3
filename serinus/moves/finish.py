"""End a release that is promoted: route as it was found, record ended, evidence whole."""

from __future__ import annotations

from serinus.moves.engine import Engine
from serinus.moves.roll_back import end, retire
from serinus.release.record import Outcome, State


async def finish(engine: Engine, why: str = "") -> None:
    """The last move of a good release; what a rollback needs stays in the record.

    Args:
        why: one sentence; default: how many phases were passed
    """
    if engine.record.ended:
        return
    await retire(engine)
    passed = f"{engine.plan.version} serves everything; {len(engine.plan.phases)} phases and the bake passed"
    await end(engine, State.PROMOTED, Outcome(why or passed))
