"""Give stable the version that was analysed."""

from __future__ import annotations

from prefect import task
from prefect.client.schemas.objects import State

from serinus import wiring
from serinus.moves.promote import promote as roll_out
from tasks.hold import LONGEST_SECONDS
from tasks.moved import Moved
from tasks.retry import RETRIED
from tasks.show import told


@task(task_run_name="roll out {version}", timeout_seconds=LONGEST_SECONDS, **RETRIED)
async def promote(version: str, before: Moved) -> State[Moved]:
    """Stable rolled out, all traffic on it, canary retired.

    Hundreds of instances take hours: the time-out is a backstop, and that no more of them get ready ends the move.
    """
    return told(f"roll out {version}", Moved(await roll_out(wiring.held()))).state()
