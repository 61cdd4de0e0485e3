"""Put the previous version back, once stable may have been touched."""

from __future__ import annotations

from prefect import task

from serinus import wiring
from serinus.moves.undo import undo as put_back
from tasks.hold import LONGEST_SECONDS
from tasks.moved import Moved
from tasks.retry import RETRIED
from tasks.show import told


@task(task_run_name="put {version} back", timeout_seconds=LONGEST_SECONDS, **RETRIED)
async def undo(version: str, before: Moved) -> Moved:
    """Stable runs the previous version again and serves everything."""
    await put_back(wiring.held(), before.action)
    return told(f"put {version} back", before)
