"""Making the new version stable: the chapter of a release that passed, and a deployment that asks a release to get there now."""

from __future__ import annotations

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.phase import watch
from flows.subflow import Chapter
from serinus import wiring
from serinus.errors import SerinusError
from serinus.ground import located
from serinus.settings import Folders
from tasks.announce import announce
from tasks.ask import promote_now, until_ended
from tasks.finish import finish
from tasks.moved import Moved
from tasks.promote import promote
from tasks.report import final
from tasks.retry import handed
from tasks.show import refused


@flow(name="promotion", flow_run_name="{name}", validate_parameters=False)
async def promoting(name: str, before: Moved, chapter: Chapter) -> State[Moved]:
    """The chapter of a release that makes its version the stable one; red where the bake fails."""
    after = await chapter.make()
    return after.state(bad="Breached", good="Promoted")


async def make_stable(moved: Moved) -> Moved:
    """Stable rolled out, canary retired; watched once more; finished."""
    moved = await handed(promote(wiring.held().plan.version, moved))
    moved = await watch("bake", moved)
    return moved if moved.ends else await announce(await finish(moved))


@flow(name="promotion", flow_run_name="{service}: {why}")
async def promotion(service: str, why: str = "asked for in Prefect", namespace: str = "") -> State[Any]:
    """Ask a release that is going to promote at its next passed check, and follow it to its end.

    Args:
        service: the service, by the name of its policy
        why: for the evidence
        namespace: where it is on Kubernetes; empty: the local platform, else as its deployed policy says, else the worker's own
    """
    try:
        async with wiring.resume(service, await located(service, Folders.resolve(), namespace)) as run:
            asked = await promote_now(service, why)
            end = await until_ended(asked.why, asked)
            return final(run.plan.version, end.state, end.outcome)
    except SerinusError as error:
        return await refused(service, "promotion", error)
