"""Tell people how it ended."""

from __future__ import annotations

from prefect import task

from serinus import wiring
from serinus.ports import Notice
from tasks.moved import Moved
from tasks.retry import RETRIED


@task(task_run_name="tell people", timeout_seconds=30, **RETRIED)
async def announce(before: Moved) -> Moved:
    """One notice; the release has ended already, nothing waits for it."""
    engine = wiring.held()
    record = engine.record
    text = f"{record.plan.service} {record.plan.version} {record.state}: {before.why}"
    await engine.ports.notifier.tell(Notice(record.plan.service, record.release, text, f"{record.release}/end"))
    return before
