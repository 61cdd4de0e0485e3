"""Which adapters does a service have? The only place where they are chosen, from the target that its policy names.

Metrics, webhooks and Kubernetes are imported where they are opened: an abort on this machine needs none, and waits for no import.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from serinus.clock import SystemClock, Ticks
from serinus.errors import PlatformError, PolicyError, Refused
from serinus.ledgers.file import FileLedger
from serinus.local.platform import read_platform
from serinus.metrics.absent import AbsentMetrics
from serinus.notifiers.log import LogNotifier
from serinus.notifiers.several import SeveralNotifiers
from serinus.policy.secret import resolve
from serinus.ports import Ledger, Notice, Notifier, Router, Wake, Workload
from serinus.release.plan import Plan, Target
from serinus.release.record import Record
from serinus.routers.envoy import EnvoyRouter
from serinus.settings import Folders
from serinus.workloads.local import LocalWorkload

if TYPE_CHECKING:
    from serinus.kube.client import Kube
    from serinus.kube.split_router import SplitRouter
    from serinus.metrics.access import Access
    from serinus.metrics.prometheus import PrometheusMetrics
    from serinus.metrics.sources import Source

KUBERNETES = "kubernetes"
"""The workload of `Target`s elsewhere than on the local platform."""
LOCAL_SECONDS, REMOTE_SECONDS = 1.0, 3.0
"""How long one question to the local platform's own Prometheus may take, and to somebody's elsewhere."""

_UNITS = {"s": 1.0, "ms": 0.001}


async def platform(
    stack: AsyncExitStack, service: str, folders: Folders, target: Target
) -> tuple[Router, Workload, Ledger, Wake]:
    """What holds route, workload and record of a service, and tells of their changes; closed with the stack."""
    if target.workload == KUBERNETES:
        from serinus.kube.connecting import connect

        options = target.workload_options
        context, namespace = options.get("context", ""), options["namespace"]
        kube = await connect(options.get("kubeconfig", ""), context=context, namespace=namespace)
        stack.push_async_callback(kube.aclose)
        return _on_kubernetes(stack, kube, service, target)
    here = read_platform(folders)
    router = EnvoyRouter(folders, service, here.envoy_admin if here else None)
    stack.push_async_callback(router.aclose)
    return router, LocalWorkload(folders, service), FileLedger(folders, service), Ticks(SystemClock())


def _on_kubernetes(
    stack: AsyncExitStack, kube: Kube, service: str, target: Target
) -> tuple[Router, Workload, Ledger, Wake]:
    from serinus.kube.client import CONFIG_MAP, Selection
    from serinus.kube.named import Named
    from serinus.kube.names import record_name
    from serinus.kube.seen import Seen
    from serinus.kube.surroundings import Surroundings
    from serinus.kube.telling import Telling
    from serinus.kube.wake import Watching
    from serinus.kube.watch import Watch
    from serinus.ledgers.kubernetes import KubernetesLedger
    from serinus.ledgers.told import ToldLedger
    from serinus.routers.contour import contour_router
    from serinus.routers.gateway_api import gateway_api_router
    from serinus.routers.replicas import ReplicasRouter
    from serinus.workloads.kubernetes import KubernetesWorkload

    options, routed = target.workload_options, target.router_options
    known = {field.name: options[field.name] for field in fields(Named) if field.name in options}
    named, ledger = Named(**known), KubernetesLedger(kube, service)
    if target.router == "replicas":
        named = replace(named, service="")  # traffic is the stable Service's: the canary has none
        router: SplitRouter | ReplicasRouter = ReplicasRouter(kube, service, options["service"], options["deployment"])
    elif target.router == "contour":
        router = contour_router(kube, routed["proxy"], service, options["service"])
    elif target.router == "gateway-api":
        router = gateway_api_router(kube, routed["route"], service, options["service"])
    else:  # by a record of another version
        raise Refused(f"{service} is routed by {target.router}, which this version of serinus does not know")
    seen, around = Seen(kube), Surroundings(kube, named, service, router.routed)
    telling = Telling(kube, seen, named.deployment, named.container)
    record, route = Selection(CONFIG_MAP, record_name(service)), router.selection
    wake = Watching((Watch(kube, record), record.name, ledger.wrote), (Watch(kube, route), route.name, router.knows))
    stack.push_async_callback(seen.aclose)
    stack.push_async_callback(wake.aclose)
    stack.push_async_callback(telling.aclose)
    return router, KubernetesWorkload(kube, seen, named, around), ToldLedger(ledger, telling), wake


def figures(service: str, url: str, target: Target, plan: Plan | None) -> PrometheusMetrics | AbsentMetrics:
    """The figures; who has no plan returns traffic, and does that without, whatever keeps them from being asked from here."""
    if not url:
        return AbsentMetrics("no local platform runs")
    try:
        return _metrics(service, url, target, plan)
    except (PolicyError, PlatformError) as cause:
        if plan:
            raise
        return AbsentMetrics(str(cause))


def _metrics(service: str, url: str, target: Target, plan: Plan | None) -> PrometheusMetrics:
    from serinus.metrics.prometheus import PrometheusMetrics

    phases = (*plan.phases, plan.bake) if plan else ()
    bounds = (bound for phase in phases for gate in phase.gates.rates for bound in (gate.limit, gate.abort))
    edges = {float(bound.bad.removeprefix("slow:")) for bound in bounds if bound and bound.bad.startswith("slow:")}
    queries = plan.queries if plan else {}
    scrape = plan.checks.scrape_seconds if plan else 1.0
    options, source = target.telemetry_options, _source(service, target)
    seconds = REMOTE_SECONDS if options else LOCAL_SECONDS
    return PrometheusMetrics(url, source, tuple(sorted(edges)), queries, scrape, access(options), seconds)


def _source(service: str, target: Target) -> Source:
    from serinus.metrics import sources

    if target.source == "envoy":
        return sources.envoy(service)
    from serinus.kube.names import canary_name, pods

    options, told = target.workload_options, target.telemetry_options
    if target.source == "contour":
        job = told.get("job", "envoy")
        return sources.contour(options["namespace"], options["service"], canary_name(options["service"]), job)
    stable = options["deployment"]
    own = {key.removeprefix("app."): value for key, value in told.items() if key.startswith("app.")}
    unit = _UNITS[own.pop("unit")]
    named = sources.Named(**own, unit_seconds=unit)
    return sources.app(options["namespace"], pods(stable), pods(canary_name(stable)), named, told.get("job", ""))


def access(options: Mapping[str, str]) -> Access:
    """What the policy's Prometheus demands, its `${NAME}`s read from the environment.

    Raises:
        PolicyError: a name that is not set
    """
    from serinus.metrics.access import Access

    known = {key: resolve(value, os.environ, f"telemetry.prometheus.{key}") for key, value in options.items()}
    user = known.get("basic.user")
    return Access(
        token=known.get("token", ""),
        basic=(user, known.get("basic.password", "")) if user else None,
        ca=known.get("ca", ""),
        headers={key.removeprefix("headers."): value for key, value in known.items() if key.startswith("headers.")},
        proxy=known.get("proxy", ""),
    )


class AsPlanned:
    """`ports.Notifier` of who has no plan, such as a guard: it tells whom the newest release's policy names; else the log.

    Args:
        named: whom the policy that is known named; told too where no record can be read now
    """

    def __init__(self, ledger: Ledger, named: tuple[str, ...] = ()) -> None:
        self._ledger = ledger
        self._named = named

    async def tell(self, notice: Notice) -> None:
        """See `ports.Notifier`."""
        with suppress(PlatformError):
            kept = await self._ledger.read()
            if kept and isinstance(kept.record, Record):
                self._named = kept.record.plan.target.notify
        async with AsyncExitStack() as stack:
            await (await notifier(stack, self._named)).tell(notice)


async def notifier(stack: AsyncExitStack, addresses: tuple[str, ...]) -> Notifier:
    told: list[Notifier] = []
    for address in addresses or ("log",):
        if address == "log":
            told.append(LogNotifier())
        else:
            from serinus.notifiers.webhook import WebhookNotifier

            told.append(await stack.enter_async_context(WebhookNotifier(resolve(address, os.environ, "notify"))))
    return SeveralNotifiers(*told)
