"""What does a run, a guard or somebody who asks hold of a service? Opens it from policy and settings; `adapters` chooses.

`enter` opens it for one run and hands it on in a ContextVar, so that tasks and subflows take names only. No logic of a release.
Policies are imported where they are read: an abort needs none, and waits for no import.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from serinus import adapters
from serinus.adapters import KUBERNETES
from serinus.clock import SystemClock
from serinus.errors import Finding, PolicyError, PreflightError, Problem, SerinusError
from serinus.local.platform import read_platform
from serinus.metrics.absent import AbsentMetrics
from serinus.moves.engine import KUBERNETES as ON_KUBERNETES
from serinus.moves.engine import LOCAL as ON_THIS_MACHINE
from serinus.moves.engine import Engine, Timing
from serinus.moves.look import Guard
from serinus.notifiers.log import LogNotifier
from serinus.ports import Metrics, Ports
from serinus.release.plan import Plan, Target
from serinus.release.record import Foreign
from serinus.settings import Folders
from serinus.stores import process

LOCAL = Target("local", "envoy", "envoy")
"""What a service of the local platform runs on where nobody says more."""


@dataclass
class Run:
    """What one run of the flow holds: a container, so that a task that acquires hands the engine to those after it.

    Args:
        release: id of this attempt, also where it is refused
        owner: this holder's name
        engine: once the record is ours
    """

    plan: Plan
    ports: Ports
    folders: Folders
    release: str
    owner: str = field(default_factory=process.owner)
    engine: Engine | None = None

    @property
    def evidence(self) -> str:
        return evidence_of(self.plan.target, self.folders, self.release)

    @property
    def timing(self) -> Timing:
        return timing(self.plan.target)

    def pages(self) -> dict[str, str]:
        """Where the live figures are, by name; empty where nobody here knows."""
        if self.plan.target.workload == KUBERNETES:
            return {"Prometheus": self.plan.target.telemetry_options["url"]}
        with suppress(SerinusError):
            platform = read_platform(self.folders)
            if platform:
                return {"Prometheus": platform.prometheus, "Envoy": platform.envoy_admin}
        return {}


_current: ContextVar[Run] = ContextVar("serinus_run")


def current() -> Run:
    """The run that this code belongs to."""
    return _current.get()


def held() -> Engine:
    """The release that this run holds.

    Raises:
        SerinusError: it was not acquired
    """
    engine = current().engine
    if engine is None:
        raise SerinusError("this run holds no release: acquire comes first")
    return engine


def release_id(service: str) -> str:
    """A new id: sortable by time, random at its end."""
    return f"{service}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def plan_of(service: str, version: str, policy: Mapping[str, Any] | None) -> Plan:
    """The plan of a policy sent whole, or else of the service's own file.

    Raises:
        PolicyError: with every problem; nothing was touched
    """
    from serinus.policy.load import by_name, parse, read, to_plan
    from serinus.policy.unit import shown

    chosen = read(by_name(service)) if policy is None else parse(policy)
    plan = to_plan(chosen, version)
    if plan.service != service:
        found = f"the policy is for {shown(plan.service)}, the release for {shown(service)}"
        raise PolicyError("policy", (Problem("service", found, "send the policy of that service"),))
    return plan


@asynccontextmanager
async def enter(
    service: str, version: str, policy: Mapping[str, Any] | None = None, folders: Folders | None = None
) -> AsyncIterator[Run]:
    """Open everything that a release needs, for one run.

    Raises:
        PolicyError: the policy is wrong
        PreflightError: what it names is not there
    """
    plan = plan_of(service, version, policy)
    where = folders or Folders.resolve()
    async with open_ports(service, where, plan) as ports:
        token = _current.set(Run(plan, ports, where, release_id(service)))
        try:
            yield _current.get()
        finally:
            _current.reset(token)


@asynccontextmanager
async def resume(service: str, target: Target, folders: Folders | None = None) -> AsyncIterator[Run]:
    """Open a service whose record says what was planned: to take its release back, or to ask something of it.

    Args:
        target: where it is, reached from here: see `ground.located`

    Raises:
        PreflightError: there is no release
    """
    where = folders or Folders.resolve()
    async with open_to_ask(service, where, target) as asked:
        kept = await asked.ledger.read()
    if kept is None or isinstance(kept.record, Foreign):
        raise PreflightError((Finding("there has been no release", f"service {service}", "see: serinus status"),))
    plan = kept.record.plan if target == LOCAL else replace(kept.record.plan, target=target)
    # Elsewhere as a guard does: what figures and notices take from the environment may not be in this worker's.
    async with open_ports(service, where, plan if target == LOCAL else None, target) as ports:
        token = _current.set(Run(plan, ports, where, kept.record.release))
        try:
            yield _current.get()
        finally:
            _current.reset(token)


@asynccontextmanager
async def open_ports(
    service: str, folders: Folders, plan: Plan | None = None, target: Target | None = None
) -> AsyncIterator[Ports]:
    """One service's world, whole: for a release, and without a plan, as its platform has it, for its guard.

    Args:
        target: where it is, for a guard that knows by its record

    Raises:
        PreflightError: a release is planned, and what runs in this folder has no such services
        Refused: no cluster is known here
    """
    target = plan.target if plan else target or target_of(service, folders)
    platform = read_platform(folders)
    async with AsyncExitStack() as stack:
        url = target.telemetry_options.get("url", platform.prometheus if platform else "")
        if plan and not url:
            finding = Finding(f"no local platform runs in {folders.state}", service, "start it: serinus local up")
            raise PreflightError((finding,))
        if plan and target.workload != KUBERNETES and platform and platform.kubernetes:
            found = f"the platform in {folders.state} is a Kubernetes, and this policy says workload: {target.workload}"
            raise PreflightError((Finding(found, service, f"add --policy {platform.kubernetes.policy}"),))
        metrics: Metrics = await stack.enter_async_context(adapters.figures(service, url, target, plan))
        router, workload, ledger, wake = await adapters.platform(stack, service, folders, target)
        notifier = await adapters.notifier(stack, target.notify) if plan else adapters.AsPlanned(ledger, target.notify)
        yield Ports(router, workload, metrics, ledger, notifier, SystemClock(), wake)


@asynccontextmanager
async def open_to_ask(service: str, folders: Folders, target: Target | None = None) -> AsyncIterator[Ports]:
    """Record, route and workload of a service, for who looks at a release or asks something of it: no metrics, no notices.

    Args:
        target: where it is, for who knows; else as `target_of` says
    """
    async with AsyncExitStack() as stack:
        router, workload, ledger, wake = await adapters.platform(
            stack, service, folders, target or target_of(service, folders)
        )
        metrics = AbsentMetrics("nobody asked for them")
        yield Ports(router, workload, metrics, ledger, LogNotifier(), SystemClock(), wake)


def target_of(service: str, folders: Folders) -> Target:
    """Where a service is that nobody sent a policy of: on the local platform, else where its own policy says.

    Raises:
        PolicyError: that cannot be read
    """
    if folders.service(service).exists():
        return LOCAL
    from serinus.policy.load import by_name, read
    from serinus.policy.platform import target

    try:
        file = by_name(service)
    except PolicyError:
        return LOCAL
    return target(read(file).content)


def evidence_of(target: Target, folders: Folders, release: str) -> str:
    """Where the lines of a release lie, for people: the file here where there is one, else the objects that hold them."""
    file = folders.evidence / f"{release}.log"
    if target.workload != KUBERNETES or file.is_file():
        return str(file)
    return f"ConfigMaps serinus-{release}-* in namespace {target.workload_options['namespace']}"


def timing(target: Target) -> Timing:
    """How fast holders and guards act there."""
    return ON_KUBERNETES if target.workload == KUBERNETES else ON_THIS_MACHINE


def services(folders: Folders) -> tuple[str, ...]:
    """Every service that has ever been in this folder."""
    found = (folders.state / "services").glob("*/route")
    return tuple(sorted(path.parent.name for path in found if re.fullmatch(r"[a-z0-9-]+", path.parent.name)))


@asynccontextmanager
async def guard(service: str, folders: Folders) -> AsyncIterator[Guard]:
    """The guard of a service in this folder, which can prove that an owner's process is gone."""
    async with open_ports(service, folders) as ports:
        yield Guard(ports, service, process.owner, process.gone)
