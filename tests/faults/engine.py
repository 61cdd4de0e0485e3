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

from serinus.errors import Fenced, PlatformError, PreflightError
from serinus.moves.acquire import acquire
from serinus.moves.check import decide
from serinus.moves.close import close_held
from serinus.moves.engine import Engine, Timing
from serinus.moves.finish import finish
from serinus.moves.preflight import preflight
from serinus.moves.promote import promote
from serinus.moves.roll_back import roll_back
from serinus.moves.set_weight import set_weight
from serinus.moves.soak import soak
from serinus.moves.start import start
from serinus.moves.undo import touches_stable
from serinus.release.lifecycle import Action, Step
from serinus.settings import Folders
from serinus.wiring import Run, enter

TRIES = 3


async def story(run: Run, timing: Timing) -> None:
    """From preflight to the record's end."""
    facts = await preflight(run.ports, run.plan)
    engine = run.engine = await acquire(run.ports, run.plan, facts, release=run.release, owner=run.owner, timing=timing)
    action = await start(engine, facts.template)
    for phase in range(len(run.plan.phases)):
        if action.step is Step.ADVANCE:
            action = await set_weight(engine, phase)
            action = action if action.ends else await watch(engine)
    if action.step is Step.PROMOTE:
        action = await promote(engine)
        action = action if action.ends else await watch(engine)
    await (finish(engine) if action.step is Step.FINISH else roll_back(engine, action))


async def watch(engine: Engine) -> Action:
    """Hold and gate until something follows."""
    while True:
        action = await soak(engine)
        if not action.ends:
            _, action = await decide(engine)
        if action.step is not Step.HOLD:
            return action


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
