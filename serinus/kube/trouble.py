"""What is wrong with a pod, in the kubelet's and the scheduler's words? Pure but for what was seen before, which is passed in.

A pod that only takes its time has no trouble. How long it may take is the caller's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

FATAL = frozenset(
    {
        "CrashLoopBackOff",
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "InvalidImageName",
        "ImageInspectError",
        "RegistryUnavailable",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "PreCreateHookError",
        "PreStartHookError",
        "PostStartHookError",
    }
)
"""Reasons to wait that do not pass by waiting. Source: Kubernetes, pkg/kubelet/images/types.go and kuberuntime."""
ALWAYS = frozenset({"OOMKilled"})
"""Ends that count however early: more memory than allowed does not become less."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One pod's.

    Args:
        reason: `CrashLoopBackOff`, with the platform's words
        container: whose log tells more; empty where none has one
        previous: that log is the one before its last start
    """

    reason: str
    container: str = ""
    previous: bool = False


def of(pod: Mapping[str, Any], well_restarts: int | None) -> Trouble | None:
    """What does not pass by waiting.

    Args:
        well_restarts: how often its containers had restarted when it was first seen ready; None: it never was. A process that dies
            before is started again by the kubelet, as many wait so for what they need; one that dies in service has failed.
    """
    for status in statuses(pod):
        found = _container(status)
        if found:
            return found
    if well_restarts is not None and restarts(pod) > well_restarts:
        for status in statuses(pod):
            ended = _ended(status)
            if ended and (status.get("restartCount") or 0) > 0:
                return Trouble(_said(ended), status["name"], previous=True)
    return None


def _container(status: Mapping[str, Any]) -> Trouble | None:
    waiting = (status.get("state") or {}).get("waiting") or {}
    reason = waiting.get("reason", "")
    ended = _ended(status)
    died = (status.get("restartCount") or 0) > 0
    if ended.get("reason") in ALWAYS:
        return Trouble(_said(ended), status["name"], previous="terminated" not in (status.get("state") or {}))
    if reason in FATAL:
        words = _said(ended) if reason == "CrashLoopBackOff" and ended else waiting.get("message", "")
        return Trouble(f"{reason}: {words}" if words else reason, status["name"] if died else "", previous=died)
    return None


def _ended(status: Mapping[str, Any]) -> Mapping[str, Any]:
    """How it ended last, where it did not end well; empty where it has not."""
    for state in (status.get("state") or {}, status.get("lastState") or {}):
        ended: Mapping[str, Any] = state.get("terminated") or {}
        if ended and (ended.get("exitCode") or ended.get("signal") or ended.get("reason") in ALWAYS):
            return ended
    return {}


def _said(ended: Mapping[str, Any]) -> str:
    reason, code = ended.get("reason") or "Error", ended.get("exitCode")
    return f"{reason}, exit code {code}" if code is not None else reason


def statuses(pod: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Of every container, those that come first included."""
    status = pod.get("status") or {}
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def restarts(pod: Mapping[str, Any]) -> int:
    """Of all its containers together."""
    return sum(status.get("restartCount") or 0 for status in statuses(pod))


def ready(pod: Mapping[str, Any]) -> bool:
    """The kubelet says that it may get requests, and nobody takes it away."""
    return condition(pod, "Ready").get("status") == "True" and not leaving(pod)


def leaving(pod: Mapping[str, Any]) -> bool:
    """It is being deleted."""
    return bool(pod["metadata"].get("deletionTimestamp"))


def over(pod: Mapping[str, Any]) -> bool:
    """It has ended for good, as an evicted one: its ReplicaSet has made another in its place."""
    return (pod.get("status") or {}).get("phase") in ("Failed", "Succeeded")


def waits(pod: Mapping[str, Any], was_ready: bool) -> str:
    """What becomes trouble when it lasts: that it finds no node, or is ready no longer; else empty."""
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        return f"{scheduled.get('reason') or 'Unschedulable'}: {scheduled.get('message', '')}".strip(": ")
    if was_ready and not ready(pod):
        return f"NotReady: {condition(pod, 'Ready').get('message', '')}".strip(": ")
    return ""


def condition(pod: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """One condition of a pod's status; empty where it has none."""
    there = (pod.get("status") or {}).get("conditions") or ()
    return next((one for one in there if one["type"] == kind), {})
