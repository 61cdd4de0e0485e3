"""Hold a phase and watch it."""

from __future__ import annotations

from prefect import task

from serinus import wiring
from serinus.moves.soak import soak
from tasks.moved import Moved
from tasks.retry import RETRIED
from tasks.show import told

LONGEST_SECONDS = 24 * 3600.0
GRACE_SECONDS = 60.0


@task(name="hold", task_run_name="hold {what}", timeout_seconds=LONGEST_SECONDS, **RETRIED)
async def watched(what: str, before: Moved) -> Moved:
    """Check until the soak is done or something else is to be done; on an abort the traffic is returned here, at once."""
    return told(f"hold {what}", Moved(await soak(wiring.held()), before.weight))


async def hold(what: str, before: Moved) -> Moved:
    """Hold a phase (`5 %`) or the `bake`; its time-out is a backstop, the loop's own deadlines end it."""
    engine = wiring.held()
    left = max(engine.plan.limits.duration_seconds - engine.now(), 0.0) + GRACE_SECONDS
    return await watched.with_options(timeout_seconds=left)(what, before)
