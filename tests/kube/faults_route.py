"""Somebody deletes, edits, replaces or puts back a route or its stable Deployment: no canary keeps traffic that nobody owns."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

from serinus.release.record import State
from tests.kube.ground import BEFORE, LONG, SHORT, Shop
from tests.kube.test_release import STABLE
from tests.routers.on_kubernetes import FORMS
from tests.workloads.on_kubernetes import a_deployment


async def deleted(shop: Shop) -> str:
    """Nothing is served by a route that is not there: the release ends; one made anew is nobody's."""
    async with shop.users() as before:
        going = await shop.begin(**LONG)
        await shop.at_percent(50)
        assert before.failed == 0, before.seen
        await shop.hand("delete", FORMS[shop.form].kind, "front")
        outcome, why = await going.ended()
    assert outcome == State.ROLLED_BACK, (outcome, why)
    assert {answer.partition(" ")[0] for answer in before.seen} <= {"200", "404"}, before.seen
    assert "was deleted" in why, why
    made = FORMS[shop.form].object(f"{shop.space.namespace}.example")
    await asyncio.to_thread(shop.space.apply, made)
    async with shop.users() as users:
        await shop.whole(BEFORE)
    assert users.failed == 0, users.seen
    assert shop.front["spec"] == made["spec"]
    return why


async def weighed(stable: int, canary: int, shop: Shop, kubeconfig: Path | None = None) -> str:
    """Any weight but the release's own ends it, with the weight taken back; what else was edited stays.

    Args:
        kubeconfig: by which the release sees it
    """
    where = FORMS[shop.form].backends
    async with shop.users() as users:
        going = await shop.begin(kubeconfig=kubeconfig, **LONG)
        await shop.at_percent(50)
        await shop.edit(
            {"op": "add", "path": f"{where}/0/weight", "value": stable},
            {"op": "add", "path": f"{where}/1/weight", "value": canary},
            {"op": "add", "path": "/metadata/labels/team", "value": "checkout"},
        )
        outcome, why = await going.ended()
        await shop.whole(BEFORE)
    assert outcome == State.ROLLED_BACK, (outcome, why)
    assert re.search(rf"kubectl-patch at \S+ set {canary} % where 50 % was left", why), why
    assert shop.front["metadata"]["labels"]["team"] == "checkout"
    assert users.failed == 0, users.seen
    return why


async def lowered(shop: Shop, kubeconfig: Path | None = None) -> str:
    return await weighed(95, 5, shop, kubeconfig)


async def raised(shop: Shop) -> str:
    return await weighed(10, 90, shop)


async def replaced(shop: Shop) -> str:
    """As `kubectl replace` of a file without our mark does: no mark, no right to traffic, and nothing of ours is put into it."""
    made, before = FORMS[shop.form].object(f"{shop.space.namespace}.example"), shop.front["spec"]
    async with shop.users() as users:
        going = await shop.begin(**LONG)
        await shop.at_percent(50)
        await shop.hand("replace", "-f", "-", given=json.dumps(made))
        outcome, why = await going.ended()
        await shop.whole(BEFORE)
    assert outcome == State.ROLLED_BACK, (outcome, why)
    assert re.search(r"the mark on the route is gone: kubectl-replace at \S+ wrote it last", why), why
    assert shop.front["spec"] == before
    assert users.failed == 0, users.seen
    return why


async def put_back(shop: Shop) -> str:
    """As an operator does that has both in Git: it wins, the release ends, and no weight goes up a second time."""
    git = json.dumps(
        {
            "apiVersion": "v1",
            "kind": "List",
            "items": [
                FORMS[shop.form].object(f"{shop.space.namespace}.example"),
                a_deployment(containers=[STABLE]),
            ],
        }
    )
    words = ("apply", "--server-side", "--force-conflicts", "--field-manager=argocd-controller", "-f", "-")

    async def again_and_again() -> None:
        while True:
            await shop.hand(*words, given=git)
            await asyncio.sleep(3.0)

    async with shop.users() as users:
        going = await shop.begin(**SHORT)
        await shop.at_percent(10)
        operator = asyncio.ensure_future(again_and_again())
        try:
            outcome, why = await going.ended()
            await shop.whole(BEFORE)
        finally:
            operator.cancel()
            await asyncio.wait({operator})
    assert outcome == State.ROLLED_BACK, (outcome, why)
    assert "was left" in why or "stable was changed" in why, why
    assert "argocd-controller at " in why, why
    assert going.engine is not None
    ups = [percent for _, percent in going.engine.record.tally.weights if percent]
    assert len(ups) <= 2, ups
    assert users.failed == 0, users.seen
    return why


SCENARIOS: dict[str, tuple[str, Callable[[Shop], Awaitable[str]]]] = {
    "route deleted": ("contour", deleted),
    "weight lowered by hand": ("gateway-api", lowered),
    "weight raised by hand": ("contour", raised),
    "route replaced": ("gateway-api", replaced),
    "put back from Git": ("contour", put_back),
}
