"""How are the pods of one Deployment? Asked of the API server; what lasts too long is told by this process' own clock.

What is trouble at once, and what only when it lasts, is `trouble`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from serinus.errors import PlatformError
from serinus.kube import image, template, trouble
from serinus.kube.client import POD, Kube
from serinus.kube.patch import Object
from serinus.kube.seen import Reader
from serinus.ports import Pod
from serinus.within import within

LASTS_SECONDS = {"NotReady": 15.0}
"""How long something must last to be trouble; anything else, such as waiting for a node that is being added, `LONG_SECONDS`."""
LONG_SECONDS = 120.0
LOG_LINES = 20
LOGS, LOG_SECONDS = 3, 2.0
"""As many are read as people are told of, all at once, and not waited for any longer: a dead node's kubelet answers none."""


@dataclass(slots=True)
class _Seen:
    """What is remembered of one pod.

    Args:
        well_restarts: how often it had restarted when it was first seen ready
        waits, since: what it waits for, and since when on our clock
        logs: by container and restarts, asked for once each; empty where none came
    """

    well_restarts: int | None = None
    waits: str = ""
    since: float = 0.0
    logs: dict[tuple[str, int], str] = field(default_factory=dict)


class Pods:
    """Looks at pods, and remembers them from look to look.

    Args:
        container: the one that runs the service; empty: the only one
        monotonic: this process' own clock, seconds
    """

    def __init__(self, kube: Kube, container: str, monotonic: Callable[[], float]) -> None:
        self._kube = kube
        self._container = container
        self._monotonic = monotonic
        self._seen: dict[str, _Seen] = {}

    async def found(self, reader: Reader, selector: str, without: str = "") -> list[Object]:
        """Those that serve or should: neither being deleted nor ended for good.

        Args:
            reader: shows them
            without: a label that those of others have
        """
        there = await reader.select(POD, selector)
        return [
            pod
            for pod in there
            if not trouble.leaving(pod)
            and not trouble.over(pod)
            and without not in (pod["metadata"].get("labels") or {})
        ]

    async def told(self, found: list[Object], analysed: Mapping[str, Any]) -> tuple[Pod, ...]:
        """Each as a person is told of it.

        Args:
            analysed: `image` and the `ids` that it may have; empty: any
        """
        uids = {pod["metadata"]["uid"] for pod in found}
        self._seen = {uid: seen for uid, seen in self._seen.items() if uid in uids}
        looked = [self._looked(pod, analysed) for pod in found]
        troubled = [(pod, why, seen) for pod, why, seen in looked if why][:LOGS]
        await asyncio.gather(*(self._read_log(*one) for one in troubled))
        return tuple(self._told(*one) for one in looked)

    async def unready(self, found: list[Object]) -> tuple[Pod, ...]:
        """Those that are not ready: what each waits for is its trouble."""
        waiting = [(pod, self._waiting(pod), _Seen()) for pod in found if not trouble.ready(pod)][:LOGS]
        await asyncio.gather(*(self._read_log(*one) for one in waiting))
        return tuple(self._told(*one) for one in waiting)

    def _waiting(self, pod: Object) -> trouble.Trouble:
        name = template.containers(pod["spec"], self._container)["name"]
        return trouble.of(pod, None) or trouble.Trouble(trouble.waits(pod, was_ready=True), name)

    def _looked(self, pod: Object, analysed: Mapping[str, Any]) -> tuple[Object, trouble.Trouble | None, _Seen]:
        seen = self._seen.setdefault(pod["metadata"]["uid"], _Seen())
        if seen.well_restarts is None and trouble.ready(pod):
            seen.well_restarts = trouble.restarts(pod)
        why = trouble.of(pod, seen.well_restarts) or self._lasting(pod, seen) or self._other_image(pod, analysed)
        return pod, why, seen

    def _told(self, pod: Object, why: trouble.Trouble | None, seen: _Seen) -> Pod:
        log = seen.logs.get(_life(pod, why), "") if why else ""
        version = template.version(pod["spec"], self._container)
        return Pod(pod["metadata"]["name"], version, trouble.ready(pod), why.reason if why else "", log)

    def _lasting(self, pod: Object, seen: _Seen) -> trouble.Trouble | None:
        waits, now = trouble.waits(pod, seen.well_restarts is not None), self._monotonic()
        kind = waits.partition(":")[0]
        if kind != seen.waits:
            seen.waits, seen.since = kind, now
        lasted = now - seen.since
        if not waits or lasted < LASTS_SECONDS.get(kind, LONG_SECONDS):
            return None
        name = template.containers(pod["spec"], self._container)["name"]
        return trouble.Trouble(f"{waits} (for {lasted:.0f} s)", name if kind == "NotReady" else "")

    def _other_image(self, pod: Object, analysed: Mapping[str, Any]) -> trouble.Trouble | None:
        """The tag means another image by now than when it was analysed."""
        mine, ids = template.containers(pod["spec"], self._container), analysed.get("ids") or ()
        runs = image_id(pod, mine["name"])
        if not ids or not runs or mine.get("image") != analysed.get("image") or runs in ids:
            return None
        return trouble.Trouble(f"OtherImage: {mine['image']} is {runs}, what was analysed is {', '.join(ids)}")

    async def _read_log(self, pod: Object, why: trouble.Trouble, seen: _Seen) -> None:
        """The container's last lines; that they cannot be had is remembered too: they only explain, and every look would wait."""
        life, text = _life(pod, why), ""
        if not why.container or life in seen.logs:
            return
        with suppress(PlatformError, TimeoutError):
            async with within(LOG_SECONDS):
                name = pod["metadata"]["name"]
                text = await self._kube.log(name, why.container, LOG_LINES, previous=why.previous)
        seen.logs[life] = text


def _life(pod: Object, why: trouble.Trouble) -> tuple[str, int]:
    return why.container, trouble.restarts(pod)


def image_id(pod: Object, container: str) -> str:
    """The digest of the image that a container runs; empty where that is not known yet."""
    for status in trouble.statuses(pod):
        if status["name"] == container:
            return image.content(status.get("imageID") or "")
    return ""
