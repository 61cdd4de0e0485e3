"""Deployments as a workload: the user's own stays the stable one, a second one beside it is the canary.

Every write holds only for what was read. What was there before is adopted and given back as it was, never deleted. Of what a canary
is made says `kube.canary`, how its pods are `kube.pods`; traffic is the router's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from serinus.errors import Conflict, Finding, Missing, PlatformError, Refused, Unavailable
from serinus.kube import (
    autoscaler,
    canary,
    canary_service,
    config,
    image,
    names,
    rollout,
    selector,
    stable,
    writer,
)
from serinus.kube.analysed import Analysed
from serinus.kube.budget import Budgets
from serinus.kube.client import CONFIG_MAP, DEPLOYMENT, SERVICE, Kind, Kube
from serinus.kube.named import Named
from serinus.kube.patch import Object
from serinus.kube.pods import Pods
from serinus.kube.seen import Reader, Seen
from serinus.kube.surroundings import Surroundings
from serinus.kube.template import Template, version
from serinus.ports import Pod, Side
from serinus.release.record import Note

SECRET = Kind("", "v1", "secrets", "Secret")
_MOUNTED = {"ConfigMap": CONFIG_MAP, "Secret": SECRET}
_WRITES = 20
"""Tries of a write: a controller writes the status of what is being rolled out several times a second."""


class KubernetesWorkload:
    """`ports.Workload` of one service in one namespace.

    Args:
        kube: closed by whoever opened it
        seen: shows what is looked at in every check; what is written over without a condition is read from `kube`
        around: what is looked at before a release
        monotonic: this process' own clock, seconds
    """

    def __init__(
        self,
        kube: Kube,
        seen: Seen,
        named: Named,
        around: Surroundings | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kube = kube
        self._seen = seen
        self._named = named
        self._around = around or Surroundings(kube, named)
        self._budgets = Budgets(kube, named.canary)
        self._pods = Pods(kube, named.container, monotonic)
        self._canary_pods = Pods(kube, named.container, monotonic)
        self._unread: set[config.Reference] = set()
        self._images = Analysed(named.container)

    async def stable(self) -> Side:
        return await self._stable_side(*await self._read_stable(self._seen))

    async def canary(self) -> Side | None:
        found = await self._seen.find(DEPLOYMENT, self._named.canary)
        if found is None or not canary.release_of(found) or found["metadata"].get("deletionTimestamp"):
            return None
        return await self._canary_side(found)

    async def unready(self) -> tuple[Pod, ...]:
        """See `ports.Workload`."""
        found = await self._seen.find(DEPLOYMENT, self._named.canary)
        if found is None or not canary.release_of(found):
            return ()
        return await self._canary_pods.unready(await self._pods_of_canary(self._seen, found))

    async def template_for(self, version: str, stable: Side) -> str:
        """See `ports.Workload`. Whether the version exists only its registry knows: the pods will say so."""
        template = Template.of(stable.template)
        present = template.container(self._named.container).get("image", "")
        wanted = image.of(self._named.image or image.repository(present), version)
        return template.running(self._named.container, wanted).text()

    async def findings(self, template: str | None, replicas: int) -> tuple[Finding, ...]:
        """See `ports.Workload`."""
        where = f"Deployment {self._named.deployment}"
        try:
            found = await self._around.look(None if template is None else Template.of(template), replicas)
        except Unavailable:
            raise
        except PlatformError as cause:
            return (cause.finding(where, "without it no canary can be made beside it"),)
        self._budgets.found(found.budgets)
        return found.findings

    async def put_canary(self, release: str, template: str, replicas: int) -> Side:
        wanted, scale = Template.of(template), replicas if self._named.service else None
        found = await self._own_canary(release)
        for _ in range(_WRITES):
            whose = canary.release_of(found) if found else ""
            if whose and whose != release:
                raise Conflict(f"the Deployment {self._named.canary} belongs to {whose}")
            if found is not None and found["metadata"].get("deletionTimestamp"):
                raise Unavailable(f"the Deployment {self._named.canary} is still being deleted")
            try:
                if found is not None and whose:
                    written = await self._changed(found, wanted, scale)
                else:
                    written = await self._begun(found, wanted, release, scale)
            except Conflict:
                found = await self._kube.find(DEPLOYMENT, self._named.canary)
                continue
            self._seen.wrote(DEPLOYMENT, written)
            await self._budget(written, release)
            return await self._canary_side(written)
        raise self._busy(self._named.canary)

    async def remove_canary(self, release: str) -> None:
        """Its Service stays as long as a route names it; `router.restore` takes it away then."""
        for _ in range(_WRITES):
            found = await self._kube.find(DEPLOYMENT, self._named.canary)
            if found is not None and canary.release_of(found) not in ("", release):
                return
            # Its Deployment last: as long as that is there, whoever goes on from here knows that there is something left to do.
            await self._budgets.discard(release)
            if self._named.service:
                await canary_service.discard(self._kube, names.canary_name(self._named.service), release)
            try:
                if found is not None and canary.release_of(found) == release:
                    await self._taken_away(found)
            except Conflict:
                continue
            return
        raise self._busy(self._named.canary)

    async def free_stable(self, release: str) -> None:
        """See `ports.Workload`."""
        if self._named.autoscaler:
            await autoscaler.give_back(self._kube, self._named.autoscaler, release)

    async def put_stable(self, template: str, note: Note, seen: Side) -> Side:
        """See `ports.Workload`. What its controller writes of the rollout's progress is no change by others."""
        wanted = Template.of(template)
        may_run = await self._analysed(note.release) if note.step == stable.NEW else {}
        for _ in range(_WRITES):
            found, present = await self._read_stable(self._kube)
            if stable.note(found) == note != seen.note and present.pod == wanted.pod:  # our own, its answer lost
                return await self._wrote_stable(found, wanted)
            if (present.text(), stable.note(found)) != (seen.template, seen.note):
                self._seen.wrote(DEPLOYMENT, found)  # whoever looks again does so at once, and a watch may lag
                raise Conflict(f"the Deployment {self._named.deployment} is not as it was read")
            operations = stable.written(found, wanted, note, may_run)
            try:
                written = await self._kube.patch(DEPLOYMENT, self._named.deployment, operations)
            except Conflict:
                continue
            return await self._wrote_stable(written, wanted)
        raise self._busy(self._named.deployment)

    async def _wrote_stable(self, written: Object, wanted: Template) -> Side:
        self._seen.wrote(DEPLOYMENT, written)
        return await self._stable_side(written, Template(written["spec"]["template"], wanted.config))

    async def _read_stable(self, reader: Reader) -> tuple[Object, Template]:
        try:
            found = await reader.get(DEPLOYMENT, self._named.deployment)
        except Missing as cause:
            raise Missing(cause.what, "name yours in workload.kubernetes.deployment, or create it") from cause
        pod = found["spec"]["template"]
        mounted = config.references(pod["spec"])
        sums = await asyncio.gather(*(self._checksum(reader, one) for one in mounted))
        return found, Template(pod, {str(one): sum for one, sum in zip(mounted, sums, strict=True)})

    async def _checksum(self, reader: Reader, mounted: config.Reference) -> str:
        """Of one object; `unread` where we have no right to read it: then nobody here can tell whether it changed."""
        if mounted not in self._unread:
            try:
                return config.checksum(await reader.find(_MOUNTED[mounted.kind], mounted.name))
            except Refused:
                if mounted.kind != "Secret" or await self._kube.may("get", SECRET, mounted.name):
                    raise
                self._unread.add(mounted)
        return "unread"

    async def _begun(self, found: Object | None, wanted: Template, release: str, replicas: int | None) -> Object:
        """A canary Deployment and its Service; one of the user's own is adopted."""
        beside = await self._kube.get(DEPLOYMENT, self._named.deployment)
        changed = await self._labels(beside, wanted, found)
        if self._named.autoscaler:
            least, scaled = beside["spec"]["replicas"], (self._named.autoscaler, self._named.deployment)
            await autoscaler.raise_minimum(self._kube, *scaled, release, least)
        if found is None:
            made = canary.deployment(beside, wanted, release, replicas, changed)
            written = await self._kube.create(DEPLOYMENT, made)
        else:
            operations = canary.adopted(found, wanted, release, replicas, changed)
            written = await self._kube.patch(DEPLOYMENT, self._named.canary, operations)
        await self._service(release)
        return written

    async def _own_canary(self, release: str) -> Object | None:
        """This release's as it is seen, for a write that holds for it alone; any other, or none, as the server has it."""
        found = await self._seen.find(DEPLOYMENT, self._named.canary)
        ours = found is not None and canary.release_of(found) == release
        return found if ours else await self._kube.find(DEPLOYMENT, self._named.canary)

    async def _labels(self, stable: Object, wanted: Template, found: Object | None) -> dict[str, str]:
        """The labels that the canary's pods have in another form."""
        service = await self._kube.get(SERVICE, self._named.service) if self._named.service else None
        return canary.changed_beside(stable, service, wanted, found)

    async def _service(self, release: str) -> None:
        if self._named.service:
            name = names.canary_name(self._named.service)
            await canary_service.ensure(self._kube, self._named.service, name, release, self._named.canary)

    async def _budget(self, written: Object, release: str) -> None:
        labels = written["spec"]["template"]["metadata"]["labels"]
        beside = await self._seen.get(DEPLOYMENT, self._named.deployment)
        await self._budgets.ensure(beside, labels, release)

    async def _changed(self, found: Object, wanted: Template, replicas: int | None) -> Object:
        """The canary scaled, and given its template where somebody has edited it; written only where it differs."""
        await self._service(canary.release_of(found))
        operations = canary.rewritten(found, wanted, replicas)
        return await self._kube.patch(DEPLOYMENT, self._named.canary, operations) if operations else found

    async def _taken_away(self, found: Object) -> None:
        back = canary.given_back(found)
        if back is None:
            await self._kube.delete(DEPLOYMENT, self._named.canary, found["metadata"]["uid"])
            self._seen.removed(DEPLOYMENT, self._named.canary)
        else:
            self._seen.wrote(DEPLOYMENT, await self._kube.patch(DEPLOYMENT, self._named.canary, back))

    async def _analysed(self, release: str) -> Mapping[str, Any]:
        found = await self._kube.find(DEPLOYMENT, self._named.canary)
        if found is None or canary.release_of(found) != release:
            return {}
        return self._images.best(found, await self._pods_of_canary(self._kube, found))

    async def _pods_of_canary(self, reader: Reader, found: Object) -> list[Object]:
        own = canary.own_labels(self._named.canary, canary.release_of(found))
        # Not by the release: whoever lives long, as a guard does, would watch those of every release that ever was.
        every = await self._canary_pods.found(
            reader, selector.asked({"matchLabels": {names.CANARY: own[names.CANARY]}})
        )
        return [pod for pod in every if selector.matches({"matchLabels": own}, pod["metadata"].get("labels") or {})]

    async def _stable_side(self, found: Object, template: Template) -> Side:
        pods = await self._pods.found(self._seen, selector.asked(found["spec"]["selector"]), without=names.CANARY)
        told = await self._pods.told(pods, stable.may_run(found))
        others = any(pod.trouble.startswith("OtherImage") for pod in told)
        settled = rollout.settled(found) and found["spec"]["replicas"] > 0 and not others  # none at all serve nobody
        return self._side(found, template, told, rollout.late(found), settled=settled)

    async def _canary_side(self, found: Object) -> Side:
        pods = await self._pods_of_canary(self._seen, found)
        told = await self._canary_pods.told(pods, self._images.first(found, pods))
        stalled = rollout.late(found) or rollout.refused(found)
        return self._side(found, canary.analysed(found), told, stalled, settled=rollout.settled(found))

    def _side(self, found: Object, template: Template, pods: tuple[Pod, ...], stalled: str, *, settled: bool) -> Side:
        name, runs = found["metadata"]["name"], version(template.pod["spec"], self._named.container)
        # Pods that are not made have no status of their own: their Deployment tells of them.
        unmade = (Pod(name, runs, False, stalled),) if stalled and not any(pod.trouble for pod in pods) else ()
        return Side(
            template=template.text(),
            version=runs,
            replicas=found["spec"]["replicas"],
            pods=(*pods, *unmade),
            settled=settled,
            revision=found["metadata"]["resourceVersion"],
            note=stable.note(found),
            release=canary.release_of(found),
            code=template.code,
            mounts=template.config,
            writer=writer.of_template(found),
            spare=rollout.spare(found),
        )

    def _busy(self, name: str) -> Conflict:
        return Conflict(f"the Deployment {name} is written by others faster than it can be read")
