"""What does a kubelet say of a pod whose containers are in these states? Pure: the time is passed in, nothing is written.

`status` is a strategic merge patch of the pod's status: conditions of others, such as `PodScheduled` or those that a
readiness gate waits for, are not in it and so stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

Object = Mapping[str, Any]
"""One object of the API, as its JSON says it."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """It does not run yet, or not again."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Running:
    since: str


@dataclass(frozen=True, slots=True)
class Terminated:
    """One life that is over; `id` is its container's."""

    code: int
    reason: str
    since: str
    until: str
    id: str = ""
    message: str = ""


State = Waiting | Running | Terminated


@dataclass(frozen=True, slots=True)
class Container:
    """One container, as its node knows it.

    Args:
        image_id: of the image that was pulled; empty before
        id: of this life; empty before the first
        last: how the life before this one ended
        started: it runs, and its startup probe has said yes once
        ready: its readiness probe says yes; where it has none, as `started`
    """

    state: State
    image_id: str = ""
    id: str = ""
    restarts: int = 0
    last: Terminated | None = None
    started: bool = False
    ready: bool = False

    @property
    def running(self) -> bool:
        return isinstance(self.state, Running)

    @property
    def end(self) -> Terminated | None:
        """The end of the life that was the last one; None where it has not had one or is in one."""
        if isinstance(self.state, Terminated):
            return self.state
        return None if self.running else self.last


@dataclass(frozen=True, slots=True)
class Known:
    """One pod, as its node knows it.

    Args:
        ip: empty before it has one
        containers: by name, init containers and others
    """

    ip: str
    host_ip: str
    since: str
    containers: Mapping[str, Container]


LOST = 255
CREATING = Container(Waiting("ContainerCreating"))
INITIALIZING = Container(Waiting("PodInitializing"))


def resumed(pod: Object, name: str, now: str) -> Container:
    """A container before its first life on this node; one that ran under a node of this name before lost that life."""
    first = INITIALIZING if pod["spec"].get("initContainers") else CREATING
    said = pod.get("status", {})
    both = [*said.get("initContainerStatuses", []), *said.get("containerStatuses", [])]
    before: Object = next((one for one in both if one["name"] == name), {})
    running = before.get("state", {}).get("running")
    if running is None:
        return first
    lost = Terminated(LOST, "Unknown", running["startedAt"], now, before.get("containerID", ""))
    return replace(first, image_id=before["imageID"], restarts=before["restartCount"], last=lost)


def status(pod: Object, known: Known, now: str) -> dict[str, Any]:
    """The status to be merged into the pod's."""
    spec = pod["spec"]
    first = spec.get("initContainers", [])
    said = {
        "observedGeneration": pod["metadata"].get("generation", 0),
        "phase": phase(pod, known.containers),
        "conditions": conditions(pod, known, now),
        "hostIP": known.host_ip,
        "hostIPs": [{"ip": known.host_ip}],
        "startTime": known.since,
        "containerStatuses": [_container(one, _of(known, one)) for one in spec["containers"]],
    }
    if known.ip:
        said |= {"podIP": known.ip, "podIPs": [{"ip": known.ip}]}
    if first:
        said["initContainerStatuses"] = [_container(one, _of(known, one), init=True) for one in first]
    return said


def sidecar(container: Object) -> bool:
    """An init container that goes on running beside the others."""
    return container.get("restartPolicy") == "Always"


def initialized(container: Object, known: Container) -> bool:
    """Whether the next one may start, after this init container."""
    if sidecar(container):
        return known.started
    return known.end is not None and known.end.code == 0 and not known.running


def phase(pod: Object, containers: Mapping[str, Container]) -> str:
    """As the kubelet's own `getPhase` has it."""
    spec, policy = pod["spec"], pod["spec"].get("restartPolicy", "Always")
    for one in spec.get("initContainers", []):
        known = containers.get(one["name"], INITIALIZING)
        if not initialized(one, known):
            failed = isinstance(known.state, Terminated) and known.state.code != 0 and not sidecar(one)
            return "Failed" if failed and policy == "Never" else "Pending"
    mains = [containers.get(one["name"], CREATING) for one in spec["containers"]]
    if any(isinstance(one.state, Waiting) and one.last is None for one in mains):
        return "Pending"
    if policy == "Always" or any(one.running for one in mains):
        return "Running"
    if all(one.end is not None and one.end.code == 0 for one in mains):
        return "Succeeded"
    return "Failed" if policy == "Never" else "Running"


def conditions(pod: Object, known: Known, now: str) -> list[dict[str, Any]]:
    """Ours alone, each with the time since when it is so."""
    spec, containers = pod["spec"], known.containers
    at = phase(pod, containers)
    first = spec.get("initContainers", [])
    incomplete = [one["name"] for one in first if not initialized(one, containers.get(one["name"], INITIALIZING))]
    kept = [one for one in first if sidecar(one)] + spec["containers"]
    unready = [one["name"] for one in kept if not _of(known, one).ready]
    ended = {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(at, "")
    all_ready = not unready and not ended
    why = (ended, "") if ended else ("ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")
    gates = [gate["conditionType"] for gate in spec.get("readinessGates", [])]
    shut = [gate for gate in gates if _standing(pod, gate).get("status") != "True"]
    if all_ready and shut:
        why = ("ReadinessGatesNotReady", f"corresponding condition of pod readiness gate {shut[0]!r} is not True")
    missing = f"containers with incomplete status: [{' '.join(incomplete)}]"
    return [
        _condition(pod, "PodReadyToStartContainers", bool(known.ip), ("", ""), now),
        _condition(pod, "Initialized", not incomplete, ("ContainersNotInitialized", missing), now),
        _condition(pod, "ContainersReady", all_ready, why, now),
        _condition(pod, "Ready", all_ready and not shut, why, now),
    ]


def _condition(pod: Object, kind: str, true: bool, why: tuple[str, str], now: str) -> dict[str, Any]:
    word, before = str(true), _standing(pod, kind)
    since = before["lastTransitionTime"] if before.get("status") == word else now
    reason, message = ("", "") if true else why
    return {
        "type": kind,
        "status": word,
        "lastTransitionTime": since,
        # None takes away what an earlier patch said.
        "reason": reason or None,
        "message": message or None,
        "observedGeneration": pod["metadata"].get("generation", 0),
    }


def _standing(pod: Object, kind: str) -> Object:
    found: Iterable[Object] = pod.get("status", {}).get("conditions", [])
    return next((one for one in found if one["type"] == kind), {})


def _of(known: Known, container: Object) -> Container:
    return known.containers.get(container["name"], CREATING)


def _container(container: Object, known: Container, init: bool = False) -> dict[str, Any]:
    ended = init and not sidecar(container)
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": known.image_id,
        "containerID": known.id or None,
        "restartCount": known.restarts,
        "ready": initialized(container, known) if ended else known.running and known.ready,
        "started": known.running and known.started,
        "state": _state(known.state),
        "lastState": _state(known.last) if known.last else {},
    }


def _state(state: State) -> dict[str, Any]:
    match state:
        case Waiting(reason, message):
            return {"waiting": {"reason": reason} | ({"message": message} if message else {})}
        case Running(since):
            return {"running": {"startedAt": since}}
        case Terminated():
            said = {
                "exitCode": state.code,
                "reason": state.reason,
                "message": state.message,
                "startedAt": state.since,
                "finishedAt": state.until,
                "containerID": state.id,
            }
            return {"terminated": {name: value for name, value in said.items() if value != ""}}
