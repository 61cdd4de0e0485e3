"""End a good release."""

from __future__ import annotations

from prefect import task

from serinus import wiring
from serinus.moves.finish import finish as end
from tasks.moved import Moved
from tasks.retry import RETRIED
from tasks.show import told


@task(task_run_name="finish", timeout_seconds=600, **RETRIED)
async def finish(before: Moved) -> Moved:
    """Route as it was found, record and evidence closed."""
    await end(wiring.held())
    return told("finish", before)
