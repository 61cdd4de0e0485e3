"""Processes on this machine as a workload: what is wanted goes into stores, what is comes from the supervisor's word.

It starts and stops nothing itself: `serinus.local.node` does, as a Deployment's controller and a kubelet would.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from serinus.errors import Conflict, Finding, Refused, Unavailable
from serinus.ports import Pod, Side
from serinus.release.record import Note
from serinus.settings import Folders
from serinus.stores.disk import bounded, saying
from serinus.stores.pods import CANARY, STABLE, Pods, PodStatus, canonical, read_pods
from serinus.stores.revisions import Store

SILENT_SECONDS = 3.0
"""The supervisor speaks at least twice a second; older than this, its word is none."""
_WRITES = 3


class LocalWorkload:
    """One service's stable and canary processes.

    Args:
        folders: the platform's
        service: name of the service
        monotonic: the machine's own clock, seconds
    """

    def __init__(self, folders: Folders, service: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._service = service
        self._folder = folders.service(service)
        self._stable = Store(self._folder / STABLE)
        self._canary = Store(self._folder / CANARY)
        self._monotonic = monotonic

    async def stable(self) -> Side:
        return await bounded(f"the stable workload of {self._service}", self._read_stable)

    async def canary(self) -> Side | None:
        return await bounded(f"the canary of {self._service}", self._read_canary)

    async def unready(self) -> tuple[Pod, ...]:
        """See `ports.Workload`."""
        canary = await self.canary()
        pods = canary.pods if canary else ()
        return tuple(replace(pod, trouble=pod.trouble or "NotReady: its probe fails") for pod in pods if not pod.ready)

    async def template_for(self, version: str, stable: Side) -> str:
        pods = await bounded(f"the processes of {self._service}", self._pods)
        if version not in pods.versions:
            raise Refused(f"{self._service} has no version {version!r}; there are {', '.join(pods.versions)}")
        return canonical(json.loads(stable.template) | {"version": version})

    async def findings(self, template: str | None, replicas: int) -> tuple[Finding, ...]:
        """None: a version that is there can be started."""
        return ()

    async def put_canary(self, release: str, template: str, replicas: int) -> Side:
        return await bounded(f"the canary of {self._service}", self._put_canary, release, template, replicas)

    async def free_stable(self, release: str) -> None:
        """See `ports.Workload`: nothing scales it here."""

    async def remove_canary(self, release: str) -> None:
        await bounded(f"the canary of {self._service}", self._remove_canary, release)

    async def put_stable(self, template: str, note: Note, seen: Side) -> Side:
        return await bounded(f"the stable workload of {self._service}", self._put_stable, template, note, seen)

    def _read_stable(self) -> Side:
        found = _held(self._stable, STABLE)
        if found is None:
            raise Refused(f"there is no service {self._service} in {self._folder.parent}: `serinus local up` makes it")
        return self._side(STABLE, *found, self._pods())

    def _read_canary(self) -> Side | None:
        found = _held(self._canary)
        if found is None or found[1].get("removed"):
            return None
        return self._side(CANARY, *found, self._pods())

    def _put_canary(self, release: str, template: str, replicas: int) -> Side:
        found = _held(self._canary)
        if found and not found[1].get("removed") and found[1]["release"] != release:
            raise Conflict(f"the canary of {self._service} belongs to {found[1]['release']}")
        held = {"template": json.loads(template), "replicas": replicas, "release": release}
        word = self._pods()
        if found is None or found[1] != held:
            found = (_write(self._canary, held, found), held)
        return self._side(CANARY, *found, word)

    def _remove_canary(self, release: str) -> None:
        """A scaling of the same release may come in between: it loses, whoever wrote last."""
        for _ in range(_WRITES):
            found = _held(self._canary)
            if found is None or found[1].get("removed") or found[1]["release"] != release:
                return
            try:
                _write(self._canary, found[1] | {"replicas": 0, "removed": True}, found)
            except Conflict:
                continue
            return
        raise Conflict(f"the canary of {self._service} is being written by somebody else")

    def _put_stable(self, template: str, note: Note, seen: Side) -> Side:
        held = {"template": json.loads(template), "replicas": seen.replicas, "note": asdict(note)}
        word = self._pods()
        found = _held(self._stable, STABLE)
        if (
            found is not None
            and note != seen.note
            and (found[1].get("note"), found[1]["template"])
            == (
                held["note"],
                held["template"],
            )
        ):
            return self._side(STABLE, *found, word)  # our own, its answer lost
        revision = self._stable.write(_bytes(held), int(seen.revision))
        return self._side(STABLE, revision, held, word)

    def _pods(self) -> Pods:
        """The supervisor's word.

        Raises:
            Unavailable: it gives none, or none any more
        """
        try:
            with saying(f"the processes of {self._service}"):
                pods = read_pods(self._folder)
        except ValueError as cause:
            raise Refused(f"{self._folder / 'pods.json'} is not the supervisor's: {cause}") from cause
        if pods is None:
            raise Unavailable(f"the supervisor has not yet spoken of {self._service}: is `serinus local up` running?")
        age = self._monotonic() - pods.at
        if not pods.supervisor.alive or age > SILENT_SECONDS:
            why = f"silent for {age:.0f} s" if pods.supervisor.alive else f"pid {pods.supervisor.pid} is gone"
            raise Unavailable(f"the supervisor does not answer ({why}): is `serinus local up` running?")
        return pods

    def _side(self, arm: str, revision: int, held: dict[str, Any], word: Pods) -> Side:
        template, replicas = canonical(held["template"]), held["replicas"]
        here = [pod for pod in word.pods if pod.arm == arm]
        good = [pod for pod in here if pod.template == template and pod.serving and not pod.leaving]
        seen = word.observed.get(arm) == str(revision)
        return Side(
            template=template,
            version=held["template"]["version"],
            replicas=replicas,
            pods=tuple(map(_pod, here)),
            settled=seen and len(here) == len(good) == replicas,
            revision=str(revision),
            note=_note(held),
            release=held.get("release", ""),
            code=template,
        )


def _pod(status: PodStatus) -> Pod:
    # One that is being taken away is nobody's capacity any more, ready or not.
    return Pod(status.name, status.version, status.ready and not status.leaving, status.trouble, status.log)


def _held(store: Store, arm: str = CANARY) -> tuple[int, dict[str, Any]] | None:
    """The highest revision and what it says.

    Raises:
        Refused: it is not a workload of this arm
    """
    found = store.read()
    if found is None:
        return None
    try:
        held = json.loads(found[1])
        version, replicas = held["template"]["version"], held["replicas"]
        if not (isinstance(version, str) and isinstance(replicas, int) and replicas >= 0):
            raise TypeError("`version` and `replicas` are not a name and a count")
        _note(held)
        if arm == CANARY and not isinstance(held["release"], str):
            raise TypeError("`release` is not a name")
    except KeyError as cause:
        raise Refused(f"{store.folder}, revision {found[0]}, is not a workload: it has no `{cause.args[0]}`") from cause
    except (ValueError, TypeError, RecursionError) as cause:
        raise Refused(f"{store.folder}, revision {found[0]}, is not a workload: {cause}") from cause
    return found[0], held


def _note(held: dict[str, Any]) -> Note | None:
    """Raises TypeError: there is one and it is none."""
    match held.get("note"):
        case None:
            return None
        case {"release": str(release), "token": int(token), "step": str(step)}:
            return Note(release, token, step)
    raise TypeError("`note` is not a release, its token and a step")


def _write(store: Store, held: dict[str, Any], seen: tuple[int, dict[str, Any]] | None) -> int:
    return store.write(_bytes(held), seen[0] if seen else 0)


def _bytes(held: dict[str, Any]) -> bytes:
    return json.dumps(held, sort_keys=True).encode()
