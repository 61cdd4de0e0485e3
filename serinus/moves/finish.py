"""End a release that is promoted: route as it was found, record ended, evidence whole."""

from __future__ import annotations

from functools import partial

from serinus.moves.engine import Engine
from serinus.moves.patience import endingly
from serinus.moves.roll_back import drained, end, remove, restore
from serinus.release.record import Outcome, Record, State


async def finish(engine: Engine, why: str = "") -> None:
    """The last move of a good release; what a rollback needs stays in the record. Each step is waited for by itself.

    Args:
        why: one sentence; default: what was passed

    Raises:
        Unavailable: a step came to nothing for long; calling again goes on from there
    """
    if engine.record.ended:
        return
    if await endingly(engine, "the canary to be drained", partial(drained, engine)):  # promotion has done it, as a rule
        await endingly(engine, "the canary to be removed", partial(remove, engine, True))
    await restore(engine)
    await end(engine, State.PROMOTED, Outcome(why or _passed(engine.record)))


def _passed(record: Record) -> str:
    """A person's promotion leaves phases out, and is not called a pass of theirs."""
    plan, asked = record.plan, record.promote_asked
    serves = f"{plan.version} serves everything"
    if asked is None:
        return f"{serves}; {len(plan.phases)} phase{'s' * (len(plan.phases) > 1)} and the bake passed"
    reason = f" ({asked.why})" if asked.why else ""
    return f"{serves}; promoted by {asked.who}{reason} in phase {record.phase + 1} of {len(plan.phases)}, and the bake passed"
