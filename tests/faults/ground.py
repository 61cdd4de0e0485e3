"""A real local platform with several services, each with users of its own: where releases are run and broken."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from serinus.errors import SerinusError
from serinus.ledgers.file import FileLedger
from serinus.local.child import registered, tail, tied
from serinus.local.envoy import Files
from serinus.local.platform import Platform, read_platform
from serinus.local.prometheus import sees_envoy
from serinus.local.traffic import Load, Sent, Served, counts, sending
from serinus.ports import Route
from serinus.release.evidence import verify
from serinus.release.mark import Mode
from serinus.release.record import Foreign, Record, State
from serinus.release.record import from_json as record_from
from serinus.release.weight import NOTHING
from serinus.settings import Folders
from serinus.stores.process import Identity, identity_of
from serinus.stores.revisions import Store
from serinus.stores.route import from_json as route_from
from tests.faults.policies import policy
from tests.local.running import Stores

GUARD_SECONDS, DEAD_SECONDS = 2.0, 5.0
BOUND_SECONDS = 5 * (GUARD_SECONDS + DEAD_SECONDS)
"""G + D, with the slack that a busy machine is given."""
UP_SECONDS = 150.0
END_SECONDS = 90.0
RATE = 50.0
HEALTHY = ("v1.0", "v1.1")
"""Without errors of their own: any failed request is ours."""


async def until(
    seen: Callable[[], Awaitable[object]], what: str, seconds: float = END_SECONDS, pause: float = 0.05
) -> float:
    """Wait for a condition, asked of the platform itself; how long it took.

    Args:
        pause: seconds between two looks
    """
    began = time.monotonic()
    last: object = None
    while time.monotonic() - began < seconds:
        try:
            last = await seen()
        except (SerinusError, httpx.HTTPError) as cause:
            last = cause
        if last and not isinstance(last, Exception):
            return time.monotonic() - began
        await asyncio.sleep(pause)
    raise AssertionError(f"not within {seconds:.0f} s: {what} ({last})")


@dataclass
class Ground:
    """The platform, as `serinus local up` runs it.

    Args:
        process: the supervisor
    """

    folders: Folders
    services: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folders.state / "up.log"

    @property
    def platform(self) -> Platform:
        found = read_platform(self.folders)
        assert found is not None, f"no platform runs: {tail(self.log)}"
        return found

    def begin(self) -> None:
        """Start it; not waited for."""
        self.folders.state.mkdir(parents=True, exist_ok=True)
        words = [word for name in self.services for word in ("--service", f"{name}:{HEALTHY[0]}:2")]
        with self.log.open("ab") as file:
            self.process = subprocess.Popen(
                tied((sys.executable, "-m", "serinus.cli", "local", "up", *words)),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env={**os.environ, "SERINUS_STATE": str(self.folders.state)},
            )

    async def ready(self) -> None:
        """Until everything answers and releases can begin."""

        async def is_ready() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, f"it ended: {tail(self.log, 30)}"
            platform = read_platform(self.folders)
            if platform is None or not platform.ready or platform.pid != self.process.pid:
                return False
            async with httpx.AsyncClient(trust_env=False, verify=False) as client:
                return await sees_envoy(client, platform.prometheus)

        await until(is_ready, f"the platform is ready: {tail(self.log)}", UP_SECONDS)

    async def deployed(self) -> None:
        """Until the flows are deployed to this run's server."""
        said = f"{self.platform.prefect_api}"

        async def is_deployed() -> bool:
            async with httpx.AsyncClient(trust_env=False, verify=False, timeout=2.0) as client:
                answer = await client.get(f"{said}/deployments/name/release/release")
                return answer.status_code == 200

        await until(is_deployed, "the flows are deployed", UP_SECONDS)

    async def kill(self) -> tuple[Identity, ...]:
        """`kill -9` of the supervisor; the children that it had."""
        assert self.process is not None
        children = registered(self.folders.state / "processes.json")
        self.process.kill()
        await asyncio.to_thread(self.process.wait, 10)
        return children

    def down(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)

    def guard_said(self) -> str:
        with suppress(FileNotFoundError):
            return (self.folders.state / "logs" / "guard.log").read_text()
        return ""


@dataclass
class Engine:
    """A release that runs as a child process."""

    process: asyncio.subprocess.Process
    log: Path

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def stop(self) -> None:
        """SIGSTOP, and seen to stand still: until then it may finish what it was writing."""
        self.signal(signal.SIGSTOP)

        async def stands_still() -> bool:
            stat = Path(f"/proc/{self.process.pid}/stat").read_text()
            return stat.rpartition(")")[2].split()[0] == "T"

        await until(stands_still, "it was stopped")

    async def ended(self) -> dict[str, Any]:
        """The last line that it said; empty where it was killed before."""
        out, _ = await asyncio.wait_for(self.process.communicate(), END_SECONDS)
        words = self.log.read_text(errors="replace")
        assert "Traceback" not in words, words[-3000:]
        lines = out.decode().strip().splitlines()
        return dict(json.loads(lines[-1])) if lines and self.process.returncode != -signal.SIGKILL else {}

    async def put_down(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


@dataclass
class Users:
    """What a service's users sent while they were there, and what Envoy counted."""

    load: Load
    before: dict[str, Served]
    why: Path
    sent: Sent | None = None
    served: dict[str, Served] = field(default_factory=dict)

    @property
    def failed(self) -> int:
        """Requests without a good answer, as users saw it."""
        assert self.sent is not None
        return self.sent.failed

    def say(self) -> str:
        return f"{self.sent} {self.served}; Envoy answered itself: {tail(self.why, 12) if self.why.exists() else 'nothing'}"


@dataclass(eq=False)
class Shop:
    """One service of the platform."""

    ground: Ground
    name: str
    engines: list[Engine] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folders = self.ground.folders
        self.stores = Stores(self.folders, self.name)
        self.ledger = FileLedger(self.folders, self.name)

    # Reading

    async def record(self) -> Record | Foreign | None:
        found = self._store("record").read()
        return record_from(found[1]) if found else None

    async def mine(self) -> Record:
        record = await self.record()
        assert isinstance(record, Record)
        return record

    async def route(self) -> Route:
        found = self._store("route").read()
        assert found is not None
        return route_from(found[1], str(found[0]))

    def _store(self, name: str) -> Store:
        """Read here and now: a thread for each look would keep those that are looked at from theirs."""
        return Store(self.folders.service(self.name) / name)

    def held(self, store: str) -> tuple[int, dict[str, Any]]:
        """The newest revision of a store, and its content."""
        found = self._store(store).read()
        return (found[0], json.loads(found[1])) if found else (0, {})

    def revisions(self) -> dict[str, int]:
        """Where each store stands: the same twice, nothing was written in between."""
        return {store: self.held(store)[0] for store in ("record", "route", "stable", "canary")}

    @property
    def stable(self) -> str:
        return str(self.held("stable")[1]["template"]["version"])

    @property
    def other(self) -> str:
        """A healthy version that is not stable."""
        return next(version for version in HEALTHY if version != self.stable)

    def canary_processes(self) -> tuple[Identity, ...]:
        found = (identity_of(pod.pid) for pod in self.stores.pods("canary") if pod.pid)
        return tuple(identity for identity in found if identity)

    async def served_weight(self) -> int:
        """The canary's weight by which Envoy itself serves, in hundredths of a percent."""
        async with httpx.AsyncClient(trust_env=False, verify=False, timeout=2.0) as client:
            dump = await client.get(f"{self.ground.platform.envoy_admin}/config_dump?resource=dynamic_route_configs")
        configs = [found["route_config"] for found in dump.json().get("configs", [])]
        mine = next((config for config in configs if config["name"] == self.name), None)
        if mine is None:
            raise httpx.TransportError(f"Envoy has no route of {self.name} yet")
        clusters = mine["virtual_hosts"][0]["routes"][0]["route"]["weighted_clusters"]["clusters"]
        return sum(found.get("weight", 0) for found in clusters if found["name"] == f"{self.name}-canary")

    # Doing

    async def begin(self, version: str = "", *, ready_seconds: float = 30.0, **more: Any) -> Engine:
        """An engine as a process of its own; `more` is the policy's."""
        place = self.folders.state / "engines"
        place.mkdir(exist_ok=True)
        written = place / f"{self.name}.json"
        written.write_text(json.dumps(policy(self.name, **more)))
        words = (str(self.folders.state), self.name, version or self.other, str(written), str(ready_seconds))
        return await self._begin(("tests.faults.engine", *words))

    async def begin_product(self, version: str = "", **more: Any) -> Engine:
        """`serinus release`, as a person types it."""
        written = self.folders.state / f"{self.name}.yaml"
        written.write_text(json.dumps(policy(self.name, **more)))
        words = ("release", self.name, version or self.other, "--policy", str(written), "--json")
        return await self._begin(("serinus.cli", *words))

    async def _begin(self, words: tuple[str, ...]) -> Engine:
        log = self.folders.state / "logs" / f"engine-{self.name}-{len(self.engines)}.log"
        with log.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                *tied((sys.executable, "-m", *words)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=file,
                env={**os.environ, "SERINUS_STATE": str(self.folders.state)},
                start_new_session=True,
                limit=2**22,
            )
        engine = Engine(process, log)
        self.engines.append(engine)
        return engine

    @asynccontextmanager
    async def users(self, rate: float = RATE) -> AsyncIterator[Users]:
        """Steady requests while the block lasts; counted by who sent them and by who served them."""
        admin = self.ground.platform.envoy_admin
        before = await self._counted()
        async with sending(self.ground.platform.traffic[self.name], rate) as load:
            users = Users(load, before, Files(self.folders.state).unanswered)
            yield users
        users.sent = load.result()
        with suppress(SerinusError):
            after = await counts(admin, self.name)
            users.served = {arm: after[arm].since(before[arm]) for arm in after}

    async def _counted(self) -> dict[str, Served]:
        """As `counts`, once Envoy has the time to say it: on a busy machine not within its second."""
        found: list[dict[str, Served]] = []

        async def told() -> bool:
            found.append(await counts(self.ground.platform.envoy_admin, self.name))
            return True

        await until(told, f"{self.name}: Envoy says what it has counted")
        return found[0]

    # Waiting

    async def at(self, seen: Callable[[Record, Route], object], what: str) -> Record:
        """Until a live release of this service is as asked for; at once an error where the engine has ended before."""
        found: list[Record] = []
        engine = self.engines[-1].process

        async def looked() -> bool:
            over = engine.returncode is not None
            record, route = await self.record(), await self.route()
            if isinstance(record, Record) and not record.ended and seen(record, route):
                found.append(record)
            told = (record.state, record.outcome, record.tally) if isinstance(record, Record) else record
            assert found or not over, f"{self.name}: ended before it was seen {what}: {told}; {self._last_words(40)}"
            return bool(found)

        await until(looked, f"{self.name}: {what}; {self._last_words()}")
        return found[0]

    async def at_percent(self, percent: float, soaked: float = 0.5) -> Record:
        def held(record: Record, route: Route) -> bool:
            return record.state is State.PHASE and route.weight.percent == percent and record.soaked_seconds >= soaked

        return await self.at(held, f"held at {percent:g} %")

    async def ended(self, seconds: float = BOUND_SECONDS) -> Record:
        """Until its record has ended."""

        async def is_ended() -> bool:
            record = await self.record()
            return record is not None and record.ended

        await until(is_ended, f"{self.name} has ended; {self._last_words()}", seconds)
        return await self.mine()

    async def returned(self, seconds: float = BOUND_SECONDS) -> float:
        """Until Envoy itself serves by weight 0; how long that took."""

        async def is_zero() -> bool:
            return await self.served_weight() == 0

        return await until(is_zero, f"{self.name} is at weight 0; {self._last_words()}", seconds)

    async def whole(self, version: str, processes: tuple[Identity, ...] = ()) -> None:
        """Nothing of a release is left: weight, mark, canary processes; stable serves with everything it has."""

        async def is_whole() -> bool:
            route = await self.route()
            return (
                route.mark is None
                and route.weight == NOTHING
                and not self.stores.pods("canary")
                and not any(one.alive for one in processes)
                and self.stores.all_serve("stable", version, 2)
                and await self.served_weight() == 0
            )

        await until(is_whole, f"{self.name} is whole with {version}; {self._last_words()}")
        assert self.held("canary")[1].get("removed", True)

    async def sound_evidence(self) -> None:
        """Every line of the release's evidence is there, once, and its chain whole."""
        record = await self.mine()
        copied: tuple[str, ...] = ()

        async def read() -> bool:
            nonlocal copied
            copied = await self.ledger.lines(record.release)
            return True

        await until(read, f"the evidence of {record.release} is read")  # a busy disk may answer late
        assert verify(copied, record.head) == ()

    async def put_down(self) -> None:
        """No engine left, and the guard has ended what they did."""
        for engine in self.engines:
            await engine.put_down()
        self.engines.clear()

        async def is_quiet() -> bool:
            record = await self.record()
            route = await self.route()
            return (record is None or record.ended) and route.mark is None and not self.stores.pods("canary")

        await until(is_quiet, f"{self.name} is quiet; the guard said {self.ground.guard_said()[-500:]}")

    def _last_words(self, lines: int = 3) -> str:
        return " ".join(tail(engine.log, lines) for engine in self.engines[-1:])


def is_open(route: Route) -> bool:
    return route.mark is not None and route.mark.mode is Mode.OPEN
