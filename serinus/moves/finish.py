"""End a release that is promoted: route as it was found, record ended, evidence whole."""

from __future__ import annotations

from functools import partial

from serinus.errors import Conflict, Refused
from serinus.moves.close import page
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
    for what, step in (("its canary", _retire), ("its mark on the route", restore)):
        try:
            await step(engine)
        except (Conflict, Refused) as cause:  # a version that has passed is not undone for that
            text = f"{engine.release} is promoted, and {what} is left to the guard: {cause}"
            await page(engine.ports, engine.plan.service, engine.release, text, "left")
    await end(engine, State.PROMOTED, Outcome(why or _passed(engine.record)))


async def _retire(engine: Engine) -> None:
    """Promotion has done it, as a rule."""
    if await endingly(engine, "the canary to be drained", partial(drained, engine)):
        await endingly(engine, "the canary to be removed", partial(remove, engine, True))


def _passed(record: Record) -> str:
    """A person's promotion leaves phases out, and is not called a pass of theirs."""
    plan, asked = record.plan, record.promote_asked
    serves = f"{plan.version} serves everything"
    if asked is None:
        return f"{serves}; {len(plan.phases)} phase{'s' * (len(plan.phases) > 1)} and the bake passed"
    reason = f" ({asked.why})" if asked.why else ""
    return f"{serves}; promoted by {asked.who}{reason} in phase {record.phase + 1} of {len(plan.phases)}, and the bake passed"
