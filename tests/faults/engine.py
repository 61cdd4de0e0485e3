"""One release as a process of its own that can be killed: the moves in their order, as the flow makes them, without Prefect.

python -m tests.faults.engine STATE SERVICE VERSION POLICY.json [READY_SECONDS]

Its last line is JSON: how it ended, and why.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from pathlib import Path

from serinus.errors import Fenced, PlatformError, PreflightError, Unrecorded
from serinus.moves.acquire import acquire
from serinus.moves.close import close_held, close_unrecorded
from serinus.moves.engine import Engine, Timing
from serinus.moves.preflight import preflight
from serinus.moves.roll_back import roll_back
from serinus.moves.undo import touches_stable
from serinus.release.lifecycle import Action, Step
from serinus.settings import Folders
from serinus.wiring import Run, enter
from tests.moves.driver import carry_out

TRIES = 3


async def story(run: Run, timing: Timing) -> None:
    """From preflight to the record's end."""
    facts = await preflight(run.ports, run.plan)
    engine = run.engine = await acquire(run.ports, run.plan, facts, release=run.release, owner=run.owner, timing=timing)
    await carry_out(engine, facts.template)


async def taken_back(engine: Engine, why: str) -> None:
    """The flow's way back where a move failed: the traffic first, the rest as often as a task is tried."""
    if not touches_stable(engine.record):
        await close_held(engine, why)
    for left in reversed(range(TRIES)):
        try:
            await roll_back(engine, Action(Step.ROLL_BACK, why, "engine", "stopped"))
            return
        except PlatformError:
            if not left:
                raise
            await asyncio.sleep(1.0)


async def main(state: str, service: str, version: str, policy: str, ready_seconds: str = "30") -> dict[str, str]:
    given = json.loads(Path(policy).read_text())
    async with enter(service, version, given, Folders.at(Path(state))) as run:
        try:
            await story(run, Timing(ready_seconds=float(ready_seconds)))
        except PreflightError as refused:
            return {"outcome": "refused", "why": str(refused)}
        except Unrecorded as gone:
            assert run.engine is not None
            return {"outcome": "fenced", "why": await close_unrecorded(run.engine, str(gone))}
        except Fenced as fenced:
            return {"outcome": "fenced", "why": str(fenced)}
        except PlatformError as trouble:
            if run.engine is None:
                return {"outcome": "refused", "why": str(trouble)}
            try:
                await taken_back(run.engine, f"stopped: {trouble}")
            except PlatformError as late:
                return {"outcome": "rollback failed", "why": str(late)}
            except Fenced as fenced:
                return {"outcome": "fenced", "why": str(fenced)}
        assert run.engine is not None
        record = run.engine.record
        return {"outcome": str(record.state), "why": record.outcome.why if record.outcome else ""}


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    print(json.dumps(asyncio.run(main(*sys.argv[1:]))), flush=True)
