"""A Deployment of a user's own with users of its own on a real Kubernetes: where releases are run and broken."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from serinus.errors import Fenced, PlatformError, PreflightError, Unrecorded
from serinus.ground import There
from serinus.kube.client import DEPLOYMENT, SERVICE, Kube
from serinus.kube.connecting import connect
from serinus.kube.split_router import SplitRouter
from serinus.ledgers.kubernetes import KubernetesLedger
from serinus.local.child import tail, tied
from serinus.moves.acquire import acquire
from serinus.moves.close import close_unrecorded
from serinus.moves.engine import Engine, Timing
from serinus.moves.look import look_at_all
from serinus.moves.preflight import preflight
from serinus.ports import Notice, Ports, Route
from serinus.release.record import Record, State
from serinus.release.weight import NOTHING
from serinus.settings import Folders
from serinus.wiring import open_ports, plan_of
from tests.cluster.access import Access
from tests.faults.engine import taken_back
from tests.faults.ground import until
from tests.kube.test_release import STABLE, Users, counted, policy, users
from tests.moves.driver import carry_out
from tests.routers.on_kubernetes import FORMS
from tests.workloads.on_kubernetes import a_deployment, a_service
from tests.workloads.test_rights import granted

QUICK = Timing(ready_seconds=60.0)
RATE = 25.0
PAUSE = 0.1
"""Between two looks, in seconds: each is a call or two, and several releases go on at a time."""
BEFORE, HEALTHY = "v1.0", "v1.1"
"""Without errors of their own: any failed request is ours."""
LONG: dict[str, Any] = {
    "phases": [
        {"weight": "10%", "soak": "2s"},
        {"weight": "50%", "soak": "90s"},
        {"weight": "100%", "soak": "1s"},
    ]
}
"""Stays at 50 % until something ends it."""
SHORT: dict[str, Any] = {"phases": [{"weight": weight, "soak": "2s"} for weight in ("10%", "100%")], "bake": "2s"}


@dataclass
class Told:
    """`ports.Notifier`: whom a release pages."""

    notices: list[Notice] = field(default_factory=list)

    async def tell(self, notice: Notice) -> None:
        self.notices.append(notice)


@dataclass
class Release:
    """One that runs in this process.

    Args:
        ports: its own
    """

    ports: Ports
    told: Told
    engine: Engine | None = None
    task: asyncio.Task[tuple[str, str]] | None = None

    async def ended(self, seconds: float = 90.0) -> tuple[str, str]:
        """How, and why."""
        assert self.task is not None
        return await asyncio.wait_for(asyncio.shield(self.task), seconds)


@dataclass(eq=False)
class Shop:
    """One service in a namespace of its own.

    Args:
        space: with every right
        account: with those that the manifests give
        opening: held while a release or guard is connected: which kubeconfig is meant is said to the whole process
    """

    space: Access
    account: Access
    folder: Path
    form: str
    kube: Kube
    stack: AsyncExitStack
    opening: asyncio.Lock

    def __post_init__(self) -> None:
        self.router: SplitRouter = FORMS[self.form].router(self.kube)
        self.ledger = KubernetesLedger(self.kube, "shop")
        self.processes: list[asyncio.subprocess.Process] = []
        self.going: list[asyncio.Task[tuple[str, str]]] = []

    @property
    def front(self) -> dict[str, Any]:
        return self.space.get(FORMS[self.form].kind, "front")

    def policy(self, **more: Any) -> dict[str, Any]:
        """`limits` adds to those that stand there, everything else replaces."""
        whole = policy(self.space, self.form, self.space.cluster.prometheus)
        return whole | {"limits": whole["limits"] | more.pop("limits", {})} | more

    async def hand(self, *words: str, given: str | None = None) -> str:
        """Somebody's kubectl."""
        return await asyncio.to_thread(self.space.kubectl, *words, given=given)

    async def edit(self, *operations: Mapping[str, Any]) -> None:
        """Somebody else's hand on the route."""
        await self.hand("patch", FORMS[self.form].kind, "front", "--type=json", f"-p={json.dumps(operations)}")

    # Releasing

    async def begin(
        self, version: str = HEALTHY, kubeconfig: Path | None = None, timing: Timing = QUICK, **more: Any
    ) -> Release:
        """A release in this process; not waited for."""
        plan = plan_of("shop", version, self.policy(**more))
        async with self.opening:
            with pytest.MonkeyPatch.context() as patched:
                where = str(kubeconfig or self.account.kubeconfig)
                patched.setattr("serinus.kube.connecting.KUBE_CONFIG_DEFAULT_LOCATION", where)
                folders = Folders.at(self.folder / "state")
                ports = await self.stack.enter_async_context(open_ports("shop", folders, plan))
        told = Told()
        going = Release(replace(ports, notifier=told), told)

        async def story() -> tuple[str, str]:
            try:
                facts = await preflight(going.ports, plan)
                owner = {"release": f"shop-{version}", "owner": f"engine-{id(going)}"}
                going.engine = await acquire(going.ports, plan, facts, **owner, timing=timing)
                try:
                    await carry_out(going.engine, facts.template)
                except PlatformError as trouble:
                    await taken_back(going.engine, f"stopped: {trouble}")
            except Unrecorded as gone:
                assert going.engine is not None
                return "fenced", await close_unrecorded(going.engine, str(gone))
            except Fenced as fenced:
                return "fenced", str(fenced)
            except PreflightError as refused:
                return "refused", str(refused)
            record = going.engine.record
            return str(record.state), record.outcome.why if record.outcome else ""

        going.task = asyncio.ensure_future(story())
        self.going.append(going.task)
        self.stack.push_async_callback(_dropped, going.task)
        return going

    async def process(self, version: str = HEALTHY, **more: Any) -> asyncio.subprocess.Process:
        """A release as a process of its own, that can be stopped and killed; its last line says how it ended."""
        number = len(self.processes)
        written = self.folder / f"policy-{number}.json"
        written.write_text(json.dumps(self.policy(**more)))
        words = (sys.executable, "-m", "tests.faults.engine", str(self.folder / "state"), "shop", version, str(written))
        with (self.folder / f"engine-{number}.log").open("wb") as log:
            made = await asyncio.create_subprocess_exec(
                *tied((*words, "60")),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=self.environment,
                start_new_session=True,  # a shell that ends wakes what is stopped in its jobs
            )
        self.processes.append(made)
        self.stack.push_async_callback(_killed, made)
        return made

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": str(self.account.kubeconfig), "SERINUS_STATE": str(self.folder / "none")}

    async def said(self, process: asyncio.subprocess.Process) -> dict[str, Any]:
        """The last line of a process."""
        out, _ = await asyncio.wait_for(process.communicate(), 90)
        words = out.decode().strip().splitlines()
        assert words, tail(self.folder / f"engine-{self.processes.index(process)}.log", 20)
        return dict(json.loads(words[-1]))

    @asynccontextmanager
    async def guarded(self, dead_seconds: float = 5.0) -> AsyncIterator[list[str]]:
        """A guard that looks each second while the block lasts; what it said."""
        said: list[str] = []
        there = There(
            Folders.at(self.folder / "guard"),
            self.space.namespace,
            kubeconfig=str(self.account.kubeconfig),
            timing=replace(QUICK, dead_seconds=dead_seconds),
        )
        guards = await self.stack.enter_async_context(there.guards())

        async def looking() -> None:
            while True:
                watched, troubles = await guards.current()
                said.extend(troubles + await look_at_all(watched))
                await asyncio.sleep(1.0)

        going = asyncio.ensure_future(looking())
        try:
            yield said
        finally:
            await _dropped(going)

    # Seeing

    async def record(self) -> Record | None:
        kept = await self.ledger.read()
        return kept.record if kept and isinstance(kept.record, Record) else None

    async def at(self, seen: Callable[[Record, Route], object], what: str, seconds: float = 60.0) -> Record:
        """Until a live release is as asked for."""
        found: list[Record] = []

        async def looked() -> bool:
            record, route = await self.record(), await self.router.read()
            if record and not record.ended and seen(record, route):
                found.append(record)
            assert found or not (record and record.ended), f"ended before it was {what}: {record and record.outcome}"
            assert found or self._one_goes_on(), f"{[task.result() for task in self.going]} before it was {what}"
            return bool(found)

        await until(looked, what, seconds, PAUSE)
        return found[0]

    def _one_goes_on(self) -> bool:
        """Of the releases in this process, where there are any."""
        return not self.going or not all(task.done() for task in self.going)

    async def at_percent(self, percent: float) -> Record:
        def held(record: Record, route: Route) -> bool:
            soaking = record.state is State.PHASE and record.current.weight.percent == percent
            return soaking and route.weight.percent == percent and record.soaked_seconds > 0

        return await self.at(held, f"held at {percent:g} %")

    async def returned(self, seconds: float = 60.0) -> float:
        """Until the route gives the canary nothing; how long that took."""

        async def is_zero() -> bool:
            return (await self.router.read()).weight == NOTHING

        return await until(is_zero, "weight 0", seconds, PAUSE)

    async def over(self, seconds: float = 60.0) -> Record:
        """Until the record has ended."""

        async def is_over() -> bool:
            record = await self.record()
            return record is not None and record.ended

        await until(is_over, "ended", seconds, PAUSE)
        record = await self.record()
        assert record is not None
        return record

    async def whole(self, version: str) -> None:
        """Nothing of a release is left; stable runs this with everything it has."""

        async def is_whole() -> bool:
            route = await self.router.read()
            deployment = await self.kube.get(DEPLOYMENT, "shop")
            spec, status = deployment["spec"], deployment["status"]
            image = spec["template"]["spec"]["containers"][0]["image"]
            ready = status.get("readyReplicas") == status.get("updatedReplicas") == spec["replicas"]
            gone = route.mark is None and route.weight == NOTHING
            return gone and ready and image.endswith(f":{version}") and not await self._leftovers()

        await until(is_whole, f"whole with {version}", pause=PAUSE)

    async def _leftovers(self) -> bool:
        """Whether something of a canary is still there."""
        return any([await self.kube.find(kind, "shop-canary") for kind in (DEPLOYMENT, SERVICE)])

    @asynccontextmanager
    async def users(self) -> AsyncIterator[Users]:
        where = self.space.cluster.ingress if self.form == "contour" else self.space.cluster.gateway
        async with users(where, f"{self.space.namespace}.example", RATE) as asked:
            await counted(self.space.cluster.prometheus, self.space.namespace)
            yield asked


async def _dropped(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.wait({task})


async def _killed(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()


async def stopped(process: asyncio.subprocess.Process) -> None:
    """SIGSTOP, and seen to stand still."""
    process.send_signal(signal.SIGSTOP)

    async def stands_still() -> bool:
        stat = Path(f"/proc/{process.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"

    await until(stands_still, "stopped")


@asynccontextmanager
async def a_shop(
    space: Access, folder: Path, form: str = "contour", opening: asyncio.Lock | None = None
) -> AsyncIterator[Shop]:
    """A Deployment of two that serve, its Service and its route, with the rights of `deployments/kubernetes`."""
    folder.mkdir(parents=True, exist_ok=True)
    front = FORMS[form].object(f"{space.namespace}.example")

    def made() -> Access:
        granted(space, folder, form)
        space.apply(a_deployment(containers=[STABLE]), a_service(), a_service("files"), front)
        space.kubectl("rollout", "status", "deployment/shop", "--timeout=60s")
        return space.as_account("serinus", folder)

    account = await asyncio.to_thread(made)
    async with AsyncExitStack() as stack:
        kube = await connect(str(space.kubeconfig), namespace=space.namespace)
        stack.push_async_callback(kube.aclose)
        yield Shop(space, account, folder, form, kube, stack, opening or asyncio.Lock())


Scenario = Callable[[Shop], Awaitable[str]]


async def play(
    cluster: Any,
    folder: Path,
    scenarios: Mapping[str, tuple[str, Scenario]],
    at_once: int,
    seconds: Callable[[str], float],
) -> dict[str, Any]:
    """What came of each, a namespace each; one that fails keeps none from its end.

    Args:
        seconds: that one of this name may take
    """
    free, opening = asyncio.Semaphore(at_once), asyncio.Lock()

    async def one(number: int, name: str, form: str, scenario: Scenario) -> str | BaseException:
        async with free:
            space = Access.of(cluster, f"fault-{secrets.token_hex(3)}-{number}")
            began = time.monotonic()
            await asyncio.to_thread(space.create)
            try:
                async with asyncio.timeout(seconds(name)), a_shop(space, folder / str(number), form, opening) as shop:
                    return f"{await scenario(shop)} [{time.monotonic() - began:.0f} s]"
            except (Exception, pytest.skip.Exception) as wrong:
                return wrong
            finally:
                await asyncio.to_thread(space.delete)

    came = await asyncio.gather(*(one(n, name, *scenario) for n, (name, scenario) in enumerate(scenarios.items())))
    return dict(zip(scenarios, came, strict=True))
