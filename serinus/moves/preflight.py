"""Is the target fit for a release? Reads, and tries what closing needs; changes nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_fixed

from serinus.errors import Finding, PlatformError, PreflightError, Unavailable
from serinus.moves.scale import canary_replicas
from serinus.ports import Ports, Route, Side
from serinus.release import count
from serinus.release.plan import Plan
from serinus.release.weight import NOTHING

T = TypeVar("T")
ATTEMPTS, ASK_SECONDS = 3, 12.0
"""A question is asked so often at least, and again as long as all of them together have not taken so long: a platform that is slow
or wrong for a moment, as where several releases start together, is no reason to refuse one."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a release starts from; read again after it was acquired.

    Args:
        stable, route: as they were found
        template: stable's, with the new version
        notes: what a release can go on with and a person should know
    """

    stable: Side
    route: Route
    template: str
    notes: tuple[Finding, ...] = ()


async def preflight(ports: Ports, plan: Plan) -> Facts:
    """Every fact a release starts from.

    Raises:
        PreflightError: with every finding; nothing was touched
    """
    asking = Asking(ports)
    findings, where = asking.findings, plan.service
    # Before the route: where stable is missing, what the route lacks may only follow from its wrong name.
    stable = await asking.of(ports.workload.stable, f"stable {where}", "start it, or correct its name in `workload`")
    template = None
    if stable is not None:
        findings += _stable_findings(plan, stable)
        made = partial(ports.workload.template_for, plan.version, stable)
        template = await asking.of(made, f"version {plan.version}", "name a version that exists")
    route = await asking.of(ports.router.read, f"route of {where}", "start the router, or create its object")
    if route is not None:
        await asking.of(ports.router.rehearse_close, f"route of {where}", "without it traffic cannot be returned")
        findings += _route_findings(plan, route)
    if asking.unanswered:
        raise PreflightError(tuple(findings))
    around = partial(ports.workload.findings, template, _most(plan, stable, route))
    unfit = await asking.of(around, f"workload of {where}", "without it no canary can be made") or ()
    if await asking.of(ports.metrics.read, "metrics", "start Prometheus, or mend `telemetry`"):
        unfit = (*unfit, *await ports.metrics.findings())
    if route is not None:
        unfit = (*unfit, *_weight_findings(plan, route))
    findings += [finding for finding in unfit if finding.fatal]
    notes = tuple(finding for finding in unfit if not finding.fatal)
    if findings or route is None or stable is None or template is None:
        raise PreflightError((*findings, *notes))
    return Facts(stable, route, template, notes)


def _most(plan: Plan, stable: Side | None, route: Route | None) -> int:
    """Instances of the canary at its largest weight."""
    if route is not None and route.beside:
        return max(count.instances(phase.weight, route.beside) for phase in plan.phases)
    replicas = stable.replicas if stable else 1
    return max(canary_replicas(replicas, phase.weight, plan.min_replicas) for phase in plan.phases)


class Asking:
    """Questions to the platform; what cannot be answered becomes a finding."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._until = ports.clock.monotonic() + ASK_SECONDS
        self.findings: list[Finding] = []
        self.unanswered = False
        """Something could not be asked: the platform is away, and there is no use in asking it more."""

    async def of(self, ask: Callable[[], Awaitable[T]], where: str, mend: str) -> T | None:
        """The answer; asked again where none came in time."""
        again = AsyncRetrying(
            retry=retry_if_exception_type(Unavailable),
            stop=self._enough,
            wait=wait_fixed(1),
            sleep=self._ports.clock.sleep,
            reraise=True,
        )
        try:
            return await again(ask)
        except PlatformError as cause:
            found = cause.finding(where, mend)
            self.findings += [found] if found not in self.findings else []
            self.unanswered = self.unanswered or isinstance(cause, Unavailable)
            return None

    def _enough(self, tries: RetryCallState) -> bool:
        return tries.attempt_number >= ATTEMPTS and self._ports.clock.monotonic() >= self._until


def _route_findings(plan: Plan, route: Route) -> list[Finding]:
    if route.weight != NOTHING and route.mark is None:
        what = f"{route.weight} goes to a canary that no release owns"
        return [Finding(what, f"route of {plan.service}", "set it to 0 % by hand: no release of ours has a mark on it")]
    return []


def _weight_findings(plan: Plan, route: Route) -> list[Finding]:
    """Where the weight is a number of instances: which can be had."""
    where, stable = f"weights of {plan.service}", route.beside
    if stable is None:
        return []
    if not stable:
        return [Finding("stable has no instance to have some beside", where, "scale it up, or split by a proxy")]
    told = count.told(plan, stable)
    if not told:
        return []
    there = f"there are {count.choices(stable)}"
    mend = f"{there}: write one of these, give stable more instances, or split by a proxy"
    return [Finding(f"stable has {stable}, so {told}", where, mend, fatal=False)]


def _stable_findings(plan: Plan, stable: Side) -> list[Finding]:
    findings = []
    if not stable.settled:
        what = f"{stable.ready} of {stable.replicas} instances of {stable.version} are ready"
        findings.append(Finding(what, f"stable {plan.service}", "wait until it is wholly rolled out"))
    if stable.version == plan.version:
        what = f"already runs {plan.version}"
        findings.append(Finding(what, f"stable {plan.service}", "name the version to release"))
    return findings
