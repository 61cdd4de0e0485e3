"""Give the canary its next weight."""

from __future__ import annotations

from prefect import task
from prefect.client.schemas.objects import State

from serinus import wiring
from serinus.moves.set_weight import set_weight
from tasks.moved import Moved
from tasks.retry import RETRIED
from tasks.show import told


@task(task_run_name="shift {weight}", timeout_seconds=1200, **RETRIED)
async def shift(weight: str, phase: int, before: Moved) -> State[Moved]:
    """Scaled, written, read back, taken up by the router.

    Args:
        weight: the phase's, for people
        phase: index into the plan's phases
    """
    return told(f"shift {weight}", Moved(await set_weight(wiring.held(), phase), weight)).state()
