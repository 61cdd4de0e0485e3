"""Where are there services: on the local platform, or in a namespace of a cluster? Finds one, and opens a guard for each.

What a guard does is `serinus.moves.look`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from serinus import wiring
from serinus.adapters import KUBERNETES as ON_CLUSTER
from serinus.errors import Finding, PolicyError, PreflightError, Refused
from serinus.guards import Guards, guarding
from serinus.local.platform import read_platform
from serinus.moves.engine import KUBERNETES, LOCAL, Timing
from serinus.moves.look import Guard
from serinus.release.plan import Target
from serinus.release.record import Record, target_in
from serinus.settings import Folders
from serinus.stores import process

if TYPE_CHECKING:
    from serinus.kube.client import Kube
    from serinus.kube.patch import Object


log = logging.getLogger("serinus.ground")


class Ground(Protocol):
    """Where services are."""

    @property
    def timing(self) -> Timing: ...

    @property
    def every_seconds(self) -> float:
        """Between two looks."""
        ...

    async def services(self) -> frozenset[str]:
        """Those that there are now."""
        ...

    async def target(self, service: str) -> Target | None:
        """Where its objects are; None where nobody here knows of it."""
        ...

    def guards(self) -> AbstractAsyncContextManager[Guards]:
        """One for each of them."""
        ...


@dataclass(frozen=True)
class Here:
    """The local platform's folder."""

    folders: Folders
    timing: Timing = LOCAL
    every_seconds: float = 2.0

    def __str__(self) -> str:
        return f"what {self.folders.state} knows"

    async def services(self) -> frozenset[str]:
        return frozenset(wiring.services(self.folders))

    async def target(self, service: str) -> Target | None:
        """On this platform, else where its own policy says that it is on Kubernetes."""
        if service in wiring.services(self.folders):
            return wiring.LOCAL
        target = wiring.target_of(service, self.folders)
        return target if target.workload == ON_CLUSTER else None

    def guards(self) -> AbstractAsyncContextManager[Guards]:
        async def targets() -> Mapping[str, Target | None]:
            return dict.fromkeys(wiring.services(self.folders), wiring.LOCAL)

        return guarding(targets, lambda service, _: wiring.guard(service, self.folders))


@dataclass(frozen=True)
class There:
    """A namespace of a cluster: whatever has a record in it.

    Args:
        namespace: empty: the one that we run in, or the kubeconfig's
        context: of the kubeconfig; empty: the cluster that we run in, or its current one
        kubeconfig: a path; empty: as `kube.connecting` has it
    """

    folders: Folders
    namespace: str = ""
    context: str = ""
    kubeconfig: str = ""
    timing: Timing = KUBERNETES
    every_seconds: float = 10.0

    def __str__(self) -> str:
        return f"the releases of namespace {self.namespace or '(our own)'}"

    async def services(self) -> frozenset[str]:
        async with self.connected() as kube:
            return frozenset(map(_service, await _recorded(kube)))

    async def spread(self) -> Mapping[str, tuple[str, ...]]:
        """The namespaces of the whole cluster that have a record of it, by service; for who may look into all of it."""
        from serinus.kube.client import CONFIG_MAP

        found: dict[str, tuple[str, ...]] = {}
        async with self.connected() as kube:
            for one in await kube.spread(CONFIG_MAP, _records()):
                service = _service(one)
                found[service] = (*found.get(service, ()), one["metadata"]["namespace"])
        return found

    async def target(self, service: str) -> Target | None:
        """As its record has it, for whoever has no policy; else as its policy says, where that is about this namespace.

        Raises:
            Refused: there is a record that cannot be read, and no policy
        """
        async with self.connected() as kube:
            return await self._target(kube, service)

    def guards(self) -> AbstractAsyncContextManager[Guards]:
        return guarding(self._guarded, self._guard)

    @asynccontextmanager
    async def _guard(self, service: str, target: Target) -> AsyncIterator[Guard]:
        """A process elsewhere proves nothing of itself: only silence tells that an owner is gone."""
        async with wiring.open_ports(service, self.folders, target=target) as ports:
            yield Guard(ports, service, process.owner, timing=self.timing)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Kube]:
        """Its API server."""
        from serinus.kube.connecting import connect

        kube = await connect(self.kubeconfig, context=self.context, namespace=self.namespace)
        try:
            yield kube
        finally:
            await kube.aclose()

    async def _guarded(self) -> Mapping[str, Target | None]:
        """One that cannot be found must not keep the others from being guarded; it is said each time."""
        found: dict[str, Target | None] = {}
        async with self.connected() as kube:
            for record in await _recorded(kube):
                service = _service(record)
                try:
                    found[service] = self._target_of(kube, service, record)
                except Refused as cause:
                    log.error("%s: %s", service, cause)
                    found[service] = None
        return found

    async def _target(self, kube: Kube, service: str) -> Target | None:
        from serinus.kube.client import CONFIG_MAP
        from serinus.kube.names import record_name

        return self._target_of(kube, service, await kube.find(CONFIG_MAP, record_name(service)))

    def _target_of(self, kube: Kube, service: str, found: Object | None) -> Target | None:
        """By its record, where it has one that can be read; else by its policy."""
        from serinus.ledgers.kubernetes import record_in, text_in

        unread = ""
        try:
            record = found and record_in(found)
            if isinstance(record, Record):
                return self._from_here(kube, record.plan.target)
            if found and record:
                if target := target_in(text_in(found)):
                    return self._from_here(kube, target)
                unread = f"the record of {service} has schema {record.schema}"
        except Refused as cause:
            unread = str(cause)
        planned = _planned(service, self.folders)
        if planned.workload == ON_CLUSTER and planned.workload_options["namespace"] == kube.namespace:
            return self._from_here(kube, planned)
        if unread:
            raise Refused(f"{unread}; where its route is would be known from its policy, and none is deployed here")
        return None

    def _from_here(self, kube: Kube, target: Target) -> Target:
        """The same objects, reached as we reach them: a context is a name in the kubeconfig of whoever wrote it."""
        options = {key: value for key, value in target.workload_options.items() if key != "context"}
        reached = {"namespace": kube.namespace, "context": self.context, "kubeconfig": self.kubeconfig}
        named = {key: value for key, value in reached.items() if value}
        return replace(target, workload_options={**options, **named})


async def located(service: str, folders: Folders, namespace: str = "") -> Target:
    """Where a service that was released is, for whoever was sent no policy of it, such as a run of the deployment `rollback`.

    On the local platform, else where its deployed policy says, else in our own namespace: the pod's, or the kubeconfig's.

    Args:
        namespace: of it on Kubernetes; nothing else is asked then

    Raises:
        PreflightError: nobody here knows of it
        PlatformError: the cluster does not answer
    """
    context = ""
    if not namespace:
        if service in wiring.services(folders):
            return wiring.LOCAL
        planned = _planned(service, folders).workload_options
        namespace, context = planned.get("namespace", ""), planned.get("context", "")
    try:
        async with (there := There(folders, namespace, context)).connected() as kube:
            found, what = await there.target(service), f"namespace {kube.namespace} has no record of a release"
    except Refused as cause:
        found, what = None, f"its record was not found: {cause}"
    if found is None:
        mend = "name its namespace on Kubernetes, or deploy its policy where this runs"
        raise PreflightError((Finding(what, f"service {service}", mend),))
    return found


def _planned(service: str, folders: Folders) -> Target:
    with suppress(PolicyError):
        return wiring.target_of(service, folders)
    return wiring.LOCAL


async def _recorded(kube: Kube) -> list[Object]:
    """Every record in the namespace."""
    from serinus.kube.client import CONFIG_MAP
    from serinus.kube.names import record_name

    found = await kube.select(CONFIG_MAP, _records())
    return [one for one in found if one["metadata"]["name"] == record_name(_service(one))]  # and no copy of one


def _records() -> str:
    """Whose labels a record has."""
    from serinus.kube.names import MANAGED_BY, SERINUS, SERVICE, STATE

    return f"{STATE},{MANAGED_BY}={SERINUS},{SERVICE}"


def _service(record: Object) -> str:
    """Whose record it is."""
    from serinus.kube.names import SERVICE

    return str(record["metadata"]["labels"][SERVICE])


def beside(folders: Folders) -> There | None:
    """The Kubernetes that `serinus local up --kubernetes` runs in this folder; None where none is ready."""
    platform = read_platform(folders)
    if platform is None or platform.kubernetes is None or not platform.ready:
        return None
    return There(folders, platform.kubernetes.namespace, kubeconfig=platform.kubernetes.kubeconfig)


def ground(folders: Folders, namespace: str = "", context: str = "") -> Here | There:
    """The cluster where one is named, or where we run in one and no local platform was ever here."""
    inside = bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and not folders.state.exists()
    return There(folders, namespace, context) if namespace or context or inside else Here(folders)
