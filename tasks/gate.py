"""May the release go on?"""

from __future__ import annotations

from prefect import task
from prefect.client.schemas.objects import State

from serinus import wiring
from serinus.moves.check import decide
from tasks.moved import Moved
from tasks.retry import RETRIED
from tasks.show import told


@task(task_run_name="gate {what}", timeout_seconds=180, **RETRIED)
async def gate(what: str, before: Moved) -> State[Moved]:
    """One fresh check; where the hold has ended the release already, its verdict stands.

    Returns:
        `Passed`, `Holding` (more is to be seen first) or `Breached`, red in the UI, with the reason as message.
    """
    action = before.action if before.ends else (await decide(wiring.held()))[1]
    gated = told(f"gate {what}", Moved(action, before.weight))
    return gated.state(bad="Breached", good="Holding" if gated.holds else "Passed")
