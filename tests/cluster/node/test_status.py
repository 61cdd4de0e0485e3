"""What is said of a pod follows from its containers' states alone."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.local.cluster.node.status import (
    CREATING,
    INITIALIZING,
    Container,
    Known,
    Running,
    Terminated,
    Waiting,
    phase,
    resumed,
    status,
)
from tests.cluster.node.builders import SHOP, a_pod

EARLIER, NOW = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"
UP = Container(Running(EARLIER), "shop@sha256:1", "process://1", started=True, ready=True)
STARTING = Container(Running(EARLIER), "shop@sha256:1", "process://1", started=True)
END = Terminated(1, "Error", EARLIER, NOW, "process://1")
WELL_ENDED = Terminated(0, "Completed", EARLIER, NOW, "process://1")
CRASHED = Container(Waiting("CrashLoopBackOff", "back-off 10s"), "shop@sha256:1", "process://1", 1, last=END)
FIRST = {"name": "first", "image": "busybox:1.36"}
BESIDE = {"name": "beside", "image": "ghcr.io/acme/proxy:v1", "restartPolicy": "Always"}


def said(pod: dict[str, Any], **containers: Container) -> dict[str, Any]:
    return status(pod, Known("10.244.0.1", "10.244.255.1", EARLIER, containers), NOW)


def condition(found: dict[str, Any], kind: str) -> dict[str, Any]:
    one: dict[str, Any] = next(one for one in found["conditions"] if one["type"] == kind)
    return one


def test_a_pod_that_serves() -> None:
    found = said(a_pod(), shop=UP)
    assert (found["phase"], found["podIP"], found["podIPs"]) == ("Running", "10.244.0.1", [{"ip": "10.244.0.1"}])
    assert [one["status"] for one in found["conditions"]] == ["True"] * 4
    (shop,) = found["containerStatuses"]
    assert (shop["ready"], shop["started"], shop["restartCount"]) == (True, True, 0)
    assert shop["imageID"] == "shop@sha256:1"
    assert shop["state"] == {"running": {"startedAt": EARLIER}}
    assert shop["lastState"] == {}


def test_one_that_is_not_ready_yet_says_which_container() -> None:
    found = said(a_pod(SHOP, {**SHOP, "name": "proxy"}), shop=UP, proxy=STARTING)
    assert found["phase"] == "Running"
    for kind in ("Ready", "ContainersReady"):
        ready = condition(found, kind)
        assert (ready["status"], ready["reason"]) == ("False", "ContainersNotReady")
        assert ready["message"] == "containers with unready status: [proxy]"


def test_one_that_crashes_shows_its_last_end() -> None:
    found = said(a_pod(), shop=CRASHED)
    (shop,) = found["containerStatuses"]
    assert shop["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
    assert shop["lastState"]["terminated"]["exitCode"] == 1
    assert (found["phase"], shop["restartCount"], shop["ready"]) == ("Running", 1, False)


def test_one_whose_image_is_not_there() -> None:
    found = said(a_pod(), shop=Container(Waiting("ErrImagePull", "not found")))
    assert found["phase"] == "Pending"
    (shop,) = found["containerStatuses"]
    assert shop["state"]["waiting"]["reason"] == "ErrImagePull"
    assert (shop["imageID"], shop["containerID"]) == ("", None)


def test_a_condition_keeps_its_time_as_long_as_it_is_so() -> None:
    pod = a_pod()
    pod["status"]["conditions"] = [
        {"type": "Ready", "status": "True", "lastTransitionTime": EARLIER},
        {"type": "ContainersReady", "status": "False", "lastTransitionTime": EARLIER},
    ]
    found = said(pod, shop=UP)
    assert condition(found, "Ready")["lastTransitionTime"] == EARLIER
    assert condition(found, "ContainersReady")["lastTransitionTime"] == NOW


def test_what_was_wrong_is_taken_back() -> None:
    ready = condition(said(a_pod(), shop=UP), "Ready")
    assert ready["reason"] is ready["message"] is None  # a merge takes them away


@pytest.mark.parametrize(("gate", "ready"), [("True", "True"), ("False", "False"), (None, "False")])
def test_a_readiness_gate_must_be_open(gate: str | None, ready: str) -> None:
    pod = a_pod(readinessGates=[{"conditionType": "example.com/lb"}])
    if gate:
        pod["status"]["conditions"] = [{"type": "example.com/lb", "status": gate}]
    found = said(pod, shop=UP)
    assert condition(found, "ContainersReady")["status"] == "True"
    assert condition(found, "Ready")["status"] == ready
    assert "example.com/lb" not in {one["type"] for one in found["conditions"]}, "it is not ours to write"


def test_the_others_wait_for_init_containers() -> None:
    pod = a_pod(initContainers=[FIRST])
    found = said(pod, first=Container(Running(EARLIER)), shop=INITIALIZING)
    assert found["phase"] == "Pending"
    assert condition(found, "Initialized")["message"] == "containers with incomplete status: [first]"
    assert found["containerStatuses"][0]["state"] == {"waiting": {"reason": "PodInitializing"}}
    done = said(pod, first=Container(WELL_ENDED), shop=UP)
    assert (done["phase"], done["initContainerStatuses"][0]["ready"]) == ("Running", True)
    assert condition(done, "Ready")["status"] == "True"


def test_an_init_container_that_crashes_holds_the_pod() -> None:
    assert phase(a_pod(initContainers=[FIRST]), {"first": CRASHED, "shop": INITIALIZING}) == "Pending"


def test_a_sidecar_counts_for_readiness() -> None:
    pod = a_pod(initContainers=[BESIDE])
    assert condition(said(pod, beside=UP, shop=UP), "Ready")["status"] == "True"
    found = said(pod, beside=STARTING, shop=UP)
    assert condition(found, "Initialized")["status"] == "True"
    assert condition(found, "Ready")["message"] == "containers with unready status: [beside]"


FAILED, DONE = Container(END), Container(WELL_ENDED)


@pytest.mark.parametrize(
    ("policy", "containers", "expected"),
    [
        ("Always", (CREATING, UP), "Pending"),
        ("Always", (FAILED, FAILED), "Running"),
        ("Always", (DONE, DONE), "Running"),
        ("Never", (DONE, UP), "Running"),
        ("Never", (DONE, DONE), "Succeeded"),
        ("Never", (DONE, FAILED), "Failed"),
        ("OnFailure", (DONE, FAILED), "Running"),
        ("OnFailure", (DONE, CRASHED), "Running"),
        ("OnFailure", (DONE, DONE), "Succeeded"),
    ],
)
def test_the_phase(policy: str, containers: tuple[Container, Container], expected: str) -> None:
    pod = a_pod({**SHOP, "name": "a"}, {**SHOP, "name": "b"}, restartPolicy=policy)
    assert phase(pod, dict(zip("ab", containers, strict=True))) == expected


def test_a_failed_init_container_ends_a_pod_that_is_never_restarted() -> None:
    pod = a_pod(initContainers=[FIRST], restartPolicy="Never")
    assert phase(pod, {"first": FAILED, "shop": INITIALIZING}) == "Failed"


def test_a_finished_pod_is_not_ready_and_says_why() -> None:
    found = said(a_pod(restartPolicy="Never"), shop=DONE)
    assert condition(found, "Ready")["reason"] == "PodCompleted"


def test_a_life_under_an_earlier_node_is_lost_and_counted() -> None:
    pod = a_pod()
    assert resumed(pod, "shop", NOW) == CREATING
    pod["status"]["containerStatuses"] = said(pod, shop=UP)["containerStatuses"]
    again = resumed(pod, "shop", NOW)
    assert (again.end, again.state) == (Terminated(255, "Unknown", EARLIER, NOW, "process://1"), CREATING.state)
