"""Bring the canary up, without traffic."""

from __future__ import annotations

from prefect import task
from prefect.client.schemas.objects import State

from serinus import wiring
from serinus.moves.start import start as bring_up
from tasks.moved import Moved
from tasks.retry import RETRIED
from tasks.show import told


@task(task_run_name="start {version}", timeout_seconds=1200, **RETRIED)
async def start(version: str, owner: Moved) -> State[Moved]:
    """Instances ready, mark open at 0 %, watermarks taken."""
    moved = Moved(await bring_up(wiring.held(), owner.facts.template))
    return told(f"start {version}", moved).state()
