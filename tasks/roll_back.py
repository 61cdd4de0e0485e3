"""End a bad release."""

from __future__ import annotations

from prefect import task

from serinus import wiring
from serinus.moves.roll_back import roll_back as end
from tasks.moved import Moved
from tasks.retry import RETRIED
from tasks.show import told


@task(task_run_name="retire canary", timeout_seconds=600, **RETRIED)
async def roll_back(before: Moved) -> Moved:
    """Canary drained and removed, route as it was found, record and evidence closed."""
    await end(wiring.held(), before.action)
    return told("retire canary", before)
