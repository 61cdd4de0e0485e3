"""The route of a service without any proxy: its Service selects stable's pods and the canary's, whose number is their weight.

The canary's Deployment carries the mark. Whether it serves as it says is what the Service's endpoints say: those of them that are
ready. Connections that last are kept by whoever holds them; only new ones are spread anew.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable

from serinus.errors import Conflict, Refused
from serinus.kube import names, ratio, selector
from serinus.kube.client import DEPLOYMENT, SERVICE, Kind, Kube, Selection
from serinus.kube.patch import Object, Operation
from serinus.kube.ratio import Beside
from serinus.ports import Route
from serinus.release.mark import Mark, Mode
from serinus.release.weight import NOTHING

ENDPOINT_SLICE = Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
_OF = "kubernetes.io/service-name"
_TRIES = 3


class ReplicasRouter:
    """`ports.Router`.

    Args:
        kube: closed by whoever opened it
        service: whose release it is
        selecting: name of the Service in front of both
        stable: name of the stable Deployment
    """

    def __init__(self, kube: Kube, service: str, selecting: str, stable: str) -> None:
        self._kube, self._service = kube, service
        self._selecting, self._stable = selecting, stable
        self._canary = names.canary_name(stable)
        self._version = ""
        """Of the route as it was last read or written."""

    async def read(self) -> Route:
        return self._known(await self._route(await self._find()))

    async def write(self, mark: Mark, seen: Route) -> Route:
        write = secrets.token_hex(4)
        return await self._apply(seen, lambda now: ratio.marking(now, self._service, mark, seen.original, write), write)

    async def restore(self, original: str, seen: Route) -> Route:
        """Stable was never changed, so nothing but the mark is of the release."""
        if seen.mark is None:
            if (await self._route(await self._find())).version != seen.version:
                raise Conflict(f"the Deployment {self._canary} is not as it was read")
            return seen
        return await self._apply(seen, lambda now: ratio.restoring(now, self._service))

    async def taken_up(self, route: Route) -> bool:
        """As many of the canary's pods as the route says are ready endpoints of the Service."""
        canary, slices = await asyncio.gather(
            self._find(), self._kube.select(ENDPOINT_SLICE, f"{_OF}={self._selecting}")
        )
        if (await self._route(canary)).version != route.version:
            return False
        own = re.compile(names.pods(self._canary))
        serving = {name for one in slices for name in _ready(one) if own.fullmatch(name)}
        return len(serving) == (canary["spec"]["replicas"] if canary else 0)

    @property
    def routed(self) -> None:
        """No object splits the traffic by weights of its own."""
        return

    @property
    def selection(self) -> Selection:
        """The object with the weight, to be watched."""
        return Selection(DEPLOYMENT, self._canary)

    def knows(self, found: Object) -> bool:
        """Whether mark and number are as they were last read or written here."""
        marked = ratio.marked(found, self._service)
        return marked and ratio.route(found, self._service, None).version == self._version

    async def rehearse_close(self) -> None:
        """Closing writes a Deployment and looks at the Service's endpoints. Until a canary is made, stable's is tried, unchanged."""
        await self._selected()
        await self._kube.select(ENDPOINT_SLICE, f"{_OF}={self._selecting}")
        canary = await self._find()
        tried = canary or await self._kube.get(DEPLOYMENT, self._stable)
        route = await self._route(canary)
        if canary is not None:
            mark = route.mark or Mark("rehearsal", 0, 0, Mode.OPEN, NOTHING)
            closed = Mark(mark.release, mark.token, mark.seq + 1, Mode.CLOSED, NOTHING, "rehearsal")
            operations = ratio.marking(canary, self._service, closed, route.original, secrets.token_hex(4))
        else:
            operations = ratio.rehearsing(tried)
        try:
            await self._kube.patch(DEPLOYMENT, tried["metadata"]["name"], operations, dry_run=True)
        except Conflict:
            return  # somebody writes just now: the right to write is there, which is all that was asked

    async def project(self) -> bool:
        """The object is what serves: there is no rendering of it to mend."""
        return False

    def _known(self, route: Route) -> Route:
        self._version = route.version
        return route

    async def _find(self) -> Object | None:
        return await self._kube.find(DEPLOYMENT, self._canary)

    async def _route(self, canary: Object | None) -> Route:
        beside = None if ratio.marked(canary, self._service) else await self._beside(canary)
        return ratio.route(canary, self._service, beside)

    async def _beside(self, canary: Object | None) -> Beside:
        """What no mark says yet."""
        stable = await self._kube.get(DEPLOYMENT, self._stable)
        if canary is None or not canary["spec"]["replicas"]:
            return Beside(stable["spec"]["replicas"])
        front = await self._kube.get(SERVICE, self._selecting)
        labels = canary["spec"]["template"]["metadata"].get("labels") or {}
        wanted = front["spec"].get("selector")
        return Beside(stable["spec"]["replicas"], bool(wanted) and selector.matches({"matchLabels": wanted}, labels))

    async def _selected(self) -> None:
        """The Service must select both: the canary's pods have stable's labels, and what a Deployment that is there demands."""
        front, stable, canary = await asyncio.gather(
            self._kube.get(SERVICE, self._selecting), self._kube.get(DEPLOYMENT, self._stable), self._find()
        )
        wanted = front["spec"].get("selector") or {}
        shown = selector.asked({"matchLabels": wanted}) or "nothing"
        labels = stable["spec"]["template"]["metadata"].get("labels") or {}
        demanded = ((canary or {}).get("spec") or {}).get("selector", {}).get("matchLabels") or {}
        for whose, theirs in (("stable's", labels), ("the canary's", {**labels, **demanded})):
            if not wanted or not selector.matches({"matchLabels": wanted}, theirs):
                raise Refused(f"the Service {self._selecting} selects {shown}, which {whose} pods are not")

    async def _apply(self, seen: Route, made: Callable[[Object], list[Operation]], write: str = "") -> Route:
        """Its status and others' parts may move meanwhile: they are no reason to give up.

        Args:
            write: this very write's, where it has one: what stands between us and the server may have sent it twice, and got a Conflict
        """
        for _ in range(_TRIES):
            now = await self._find()
            if now is None:
                raise Conflict(f"the Deployment {self._canary} is not there")
            there = await self._route(now)
            if write and ratio.wrote(now, self._service, write):
                return self._known(there)
            if there.version != seen.version:
                raise Conflict(f"the Deployment {self._canary} is not as it was read")
            try:
                return self._known(await self._route(await self._kube.patch(DEPLOYMENT, self._canary, made(now))))
            except Conflict:
                continue
        raise Conflict(f"the Deployment {self._canary} is written by others faster than it can be read")


def _ready(endpoints: Object) -> list[str]:
    """Names of the pods in an EndpointSlice that get new requests; an unknown readiness counts as one."""
    return [
        str(one["targetRef"]["name"])
        for one in endpoints.get("endpoints") or ()
        if (one.get("conditions") or {}).get("ready") is not False and one.get("targetRef")
    ]
