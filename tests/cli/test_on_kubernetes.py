"""Whoever has a kubeconfig and no policy sees a release of a namespace, asks something of it, takes it back, and has its evidence."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from serinus.kube import image
from serinus.moves.engine import Engine
from serinus.release.record import State
from tests.cli.real import Answer, Typed
from tests.cluster.access import Access
from tests.kube.test_release import STABLE, Users, acquired, counted, leftovers, policy, users
from tests.moves.driver import carry_out
from tests.routers.on_kubernetes import FORMS
from tests.workloads.on_kubernetes import a_deployment, a_service
from tests.workloads.test_rights import granted

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]
SLOW = [{"weight": weight, "soak": "60s"} for weight in ("10%", "100%")]
"""Longer than any test waits: what ends a phase is what a person asks."""
LIMITS = {"no_traffic": "20s", "metrics_down": "15s", "duration": "5m", "rollback": "10s"}


@dataclass(frozen=True)
class Terminal:
    """A shell of somebody with the account's kubeconfig, in an empty folder."""

    space: Access
    folder: Path

    async def begin(self, *words: str) -> Typed:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "serinus.cli", *words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.folder,
            env={**os.environ, "SERINUS_STATE": str(self.folder), "KUBECONFIG": str(self.space.kubeconfig)},
            limit=2**22,
        )
        return Typed(process)

    async def type(self, *words: str, here: bool = True) -> Answer:
        named = ("--namespace", self.space.namespace) if here else ()
        return await (await self.begin(*words, *named, "--json")).answer()

    async def at(self, percent: int) -> dict[str, Any]:
        """Until its route has this weight."""
        async with asyncio.timeout(60):
            while True:
                # Read first: a process of ours for each look would keep a processor busy.
                while (await asyncio.to_thread(columns, self.space, "deployment", "shop"))[1] != str(percent):
                    await asyncio.sleep(0.2)
                status: dict[str, Any] = (await self.type("status", "shop")).last
                if status["live"] and status["weight"] == percent and status["taken_up"]:
                    return status


@dataclass(frozen=True)
class Going:
    """A release that an engine of another process' pace holds."""

    engine: Engine
    work: asyncio.Task[None]
    asked: Users


@asynccontextmanager
async def going(space: Access, folder: Path, version: str) -> AsyncIterator[Going]:
    granted(space, folder)
    host = f"{space.namespace}.example"
    space.apply(a_deployment(containers=[STABLE]), a_service(), a_service("files"), FORMS["contour"].object(host))
    async with users(space.cluster.ingress, host) as asked:
        await counted(space.cluster.prometheus, space.namespace)
        async with acquired(space, "contour", version, folder, phases=SLOW, limits=LIMITS) as (engine, template):
            work = asyncio.ensure_future(carry_out(engine, template))
            try:
                yield Going(engine, work, asked)
            finally:
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)


def a_terminal(space: Access, folder: Path) -> Terminal:
    home = folder / "home"
    home.mkdir()
    return Terminal(Access(space.cluster, space.namespace, folder / "serinus.kubeconfig"), home)


def reasons(space: Access) -> list[str]:
    """Of the Events on the Deployment, as `kubectl describe` finds them: by its uid."""
    uid = space.get("deployment", "shop")["metadata"]["uid"]
    fields = f"--field-selector=involvedObject.uid={uid},reportingComponent=serinus"
    items = json.loads(space.kubectl("get", "events", fields, "-o=json"))["items"]
    return [one["reason"] for one in sorted(items, key=lambda one: str(one["eventTime"]))]


def columns(space: Access, *words: str) -> list[str]:
    """What `kubectl get -L` shows of a release: state, weight, version."""
    wanted = "-Lserinus.dev/state,serinus.dev/weight,serinus.dev/version"
    return space.kubectl("get", *words, wanted, "--no-headers").split()[-3:]


def fatal(answer: Answer) -> list[str]:
    """What of the service hinders a release."""
    items = [item for item in answer.last["items"] if item["what"].startswith("shop: ")]
    assert items, answer.err
    return [item["what"] for item in items if item["mend"] and item["fatal"]]


async def test_a_release_is_seen_asked_promoted_and_taken_back(space: Access, tmp_path: Path) -> None:
    async with going(space, tmp_path, "v1.1") as there:
        here = a_terminal(space, tmp_path)
        status = await here.at(10)
        assert (status["canary"]["version"], status["release"]["state"]) == ("v1.1", "phase")
        assert (await here.type("status")).last["services"][0]["service"] == "shop"
        assert (await here.type("pause", "shop", "--why", "lunch")).code == 0
        assert (await here.type("resume", "shop")).code == 0
        before = image.version(str(STABLE["image"]))
        assert columns(space, "deployment", "shop") == ["phase", "10", before]
        assert columns(space, "deployment", "shop-canary") == ["phase", "10", "v1.1"]
        live = await here.type("evidence", "verify")
        assert (live.code, live.last["logs"]) == (0, 1), live.out
        watching = await here.begin("watch", "shop", "--namespace", space.namespace, "--json")
        assert (await here.type("promote", "shop", "--despite-gate", "--why", "seen enough")).code == 0
        await there.work
        assert there.engine.record.state is State.PROMOTED
        watched = await watching.answer()
        assert (watched.code, watched.last["outcome"]) == (0, "promoted")
        assert watched.last["evidence"].startswith("ConfigMaps ")
        release = there.engine.release
        pulled = await here.type("evidence", "pull")
        file = here.folder / "TEST" / "canary" / f"{release}.log"
        assert (pulled.code, pulled.last["held_by"], pulled.last["file"]) == (0, ["its record"], str(file)), pulled.out
        file.write_text(file.read_text().replace("lunch", "dinner"))
        assert (await here.type("evidence", "verify", str(file))).code == 1
        assert "move it away" in (await here.type("evidence", "pull", release)).err
        file.unlink()
        assert "lunch" in (await here.type("evidence", "show", release)).out
        back = await here.type("rollback", "shop", "--why", "changed my mind")
        assert (back.code, back.last["outcome"], back.last["evidence"]) == (0, "rolled back", str(file)), back.err
        assert (await here.type("evidence", "verify", str(file))).last["held_by"] == ["its record"]
        container = space.get("deployment", "shop")["spec"]["template"]["spec"]["containers"][0]
        assert container["image"] == STABLE["image"]
    assert leftovers(space) == []
    assert there.asked.failed == 0, there.asked.seen
    told = reasons(space)
    assert told[:4] == ["Started", "WeightSet", "Paused", "Resumed"]
    assert [one for one in told if one in ("Promoting", "Baking", "Promoted", "Undoing", "RolledBack")] == [
        *("Promoting", "Baking", "Promoted", "Undoing", "RolledBack")
    ]
    assert columns(space, "deployment", "shop") == ["rolled-back", "0", before]
    records = columns(space, "configmap", "-lapp.kubernetes.io/managed-by=serinus,serinus.dev/state")
    assert records == ["rolled-back", "0", "v1.1"]


async def test_a_release_is_aborted_by_whoever_may(space: Access, tmp_path: Path) -> None:
    async with going(space, tmp_path, "v1.1") as there:
        here = a_terminal(space, tmp_path)
        await here.at(10)
        aborted = await here.type("abort", "shop", "--why", "no good")
        assert (aborted.code, aborted.last["closed"]) == (0, True), aborted.err
        await there.work
        assert there.engine.record.state is State.ROLLED_BACK
        assert there.engine.record.outcome is not None
        assert "no good" in there.engine.record.outcome.why
        again = await here.type("abort", "shop")
        assert (again.code, "No release of shop is going" in again.err) == (2, True)
        nobody = await here.type("abort", "till")
        assert nobody.code == 2
        assert f"namespace {space.namespace} knows no service till; it knows shop." in nobody.err
        file = here.folder / "shop.yaml"
        file.write_text(json.dumps(policy(space, "contour", space.cluster.prometheus)))
        looked = await here.type("doctor", str(file), here=False)
        assert fatal(looked) == []
        [unguarded] = [item for item in looked.last["items"] if "no Deployment serinus-guard" in item["found"]]
        assert f"serinus guard -n {space.namespace}" in unguarded["mend"]
        space.apply(a_service("legacy", selector={"tier": "web"}))
        for words in ((str(file),), ("shop",)):
            assert fatal(await here.type("doctor", *words)) == ["shop: Service legacy"]
        nowhere = await here.type("status", here=False)
        assert (nowhere.code, "--namespace" in nowhere.err) == (2, True)
    assert there.asked.failed == 0, there.asked.seen
    assert {"RollingBack", "RolledBack"} <= set(reasons(space))
