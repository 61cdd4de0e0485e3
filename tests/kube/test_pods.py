"""What lasts is told apart from what passes by the time that is passed in, and a log is read once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from serinus.errors import Unavailable
from serinus.kube import pods
from serinus.kube.pods import LASTS_SECONDS, LOGS, LONG_SECONDS, Pods, image_id
from serinus.ports import Pod
from tests.kube.objects import a_pod

DIED = {"terminated": {"exitCode": 1, "reason": "Error"}}
LOOP = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": DIED, "restartCount": 2}
DIGEST = "sha256:" + "0a" * 32


class Node:
    """Hands out what it is given, as an API server that only has pods."""

    def __init__(self) -> None:
        self.pods: list[dict[str, Any]] = []
        self.logs = 0
        self.answers = True
        self.dead = False
        self.waiting: list[str] = []

    async def select(self, kind: object, selector: str) -> list[dict[str, Any]]:
        return self.pods

    async def find(self, kind: object, name: str) -> None:
        return None

    async def get(self, kind: object, name: str) -> dict[str, Any]:
        raise AssertionError("pods are asked for by their labels")

    async def log(self, pod: str, container: str, lines: int, *, previous: bool = False) -> str:
        self.logs += 1
        if self.dead:
            self.waiting.append(pod)
            await asyncio.Event().wait()
        if not self.answers:
            raise Unavailable("no answer")
        return f"{container} {previous}"


class Looking:
    def __init__(self) -> None:
        self.node, self.now = Node(), 100.0
        self.pods = Pods(self.node, "", lambda: self.now)  # type: ignore[arg-type]

    async def at(
        self, seconds: float, *pods: dict[str, Any], analysed: dict[str, Any] | None = None
    ) -> tuple[Pod, ...]:
        self.now, self.node.pods = 100.0 + seconds, list(pods)
        return await self.pods.told(await self.pods.found(self.node, "app=shop"), analysed or {})


@pytest.fixture
def look() -> Looking:
    return Looking()


async def test_a_pod_that_was_ready_and_is_no_longer_is_trouble_when_that_lasts(look: Looking) -> None:
    lasts = LASTS_SECONDS["NotReady"]
    assert (await look.at(0, a_pod(ready=False)))[0].trouble == ""
    assert (await look.at(lasts, a_pod(ready=False)))[0].trouble == ""
    assert (await look.at(lasts + 1, a_pod()))[0] == Pod("shop-1", "v1", True)
    assert (await look.at(lasts + 2, a_pod(ready=False)))[0].trouble == ""
    found = (await look.at(2 * lasts + 3, a_pod(ready=False)))[0]
    assert found.trouble.startswith("NotReady: containers with unready status: [shop] (for 1")
    assert found.log == "shop False"
    assert (await look.at(2 * lasts + 4, a_pod()))[0].trouble == ""
    assert (await look.at(9 * lasts, a_pod(ready=False)))[0].trouble == ""


async def test_a_pod_that_finds_no_node_is_given_the_time_to_add_one(look: Looking) -> None:
    pod = a_pod(ready=False)
    pod["status"] = {
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3"}]
    }
    assert (await look.at(0, pod))[0].trouble == ""
    assert (await look.at(LONG_SECONDS - 1, pod))[0].trouble == ""
    assert (await look.at(LONG_SECONDS, pod))[0].trouble == "Unschedulable: 0/3 (for 120 s)"


async def test_why_it_is_not_ready_is_said_with_its_last_lines_at_any_time(look: Looking) -> None:
    pod, roomless, loops = a_pod(ready=False), a_pod(ready=False), a_pod(ready=False, **LOOP)
    roomless["status"] = {
        "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3"}]
    }
    found = await look.pods.unready([a_pod(), pod, roomless, loops])
    assert [(one.trouble, one.log) for one in found] == [
        ("NotReady: containers with unready status: [shop]", "shop False"),
        ("Unschedulable: 0/3", "shop False"),
        ("CrashLoopBackOff: Error, exit code 1", "shop True"),
    ]


async def test_a_log_is_read_once_a_life_and_its_absence_changes_nothing(look: Looking) -> None:
    for _ in range(3):
        assert (await look.at(0, a_pod(ready=False, **LOOP)))[0].log == "shop True"
    assert look.node.logs == 1
    await look.at(0, a_pod(ready=False, **{**LOOP, "restartCount": 3}))
    assert look.node.logs == 2
    look.node.answers = False
    pod = (await look.at(0, a_pod(ready=False, **{**LOOP, "restartCount": 4})))[0]
    assert (pod.trouble, pod.log) == ("CrashLoopBackOff: Error, exit code 1", "")
    look.node.answers = True
    assert (await look.at(0, a_pod(ready=False, **{**LOOP, "restartCount": 4})))[0].log == ""
    assert look.node.logs == 3
    assert (await look.at(0, a_pod(ready=False, **{**LOOP, "restartCount": 5})))[0].log == "shop True"


def six_pods() -> list[dict[str, Any]]:
    looping = [a_pod(ready=False, **LOOP) for _ in range(6)]
    for number, pod in enumerate(looping):
        pod["metadata"] |= {"name": f"shop-{number}", "uid": f"p-{number}"}
    return looping


async def test_the_logs_of_those_who_are_named_are_read_and_no_others(look: Looking) -> None:
    assert [pod.log for pod in await look.at(0, *six_pods())] == ["shop True"] * LOGS + [""] * (6 - LOGS)
    await look.at(1, *six_pods())
    assert look.node.logs == LOGS


async def test_a_node_that_does_not_answer_is_waited_for_once_and_shortly(
    look: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as they are waited for no engine beats: the guard takes a living one over."""
    monkeypatch.setattr(pods, "LOG_SECONDS", 0.2)
    look.node.dead = True
    first = asyncio.ensure_future(look.at(0, *six_pods()))
    while len(look.node.waiting) < LOGS:
        assert not first.done(), "one after the other"
        await asyncio.sleep(0)
    assert {(pod.trouble, pod.log) for pod in await first} == {("CrashLoopBackOff: Error, exit code 1", "")}
    await look.at(1, *six_pods())
    assert look.node.logs == LOGS


async def test_a_death_in_service_is_known_by_who_saw_the_pod_well(look: Looking) -> None:
    assert (await look.at(0, a_pod(lastState=DIED, restartCount=1)))[0].trouble == ""
    assert (await look.at(1, a_pod(lastState=DIED, restartCount=2)))[0].trouble == "Error, exit code 1"
    assert await look.at(2) == ()
    assert (await look.at(3, a_pod(lastState=DIED, restartCount=2)))[0].trouble == ""


async def test_who_leaves_or_has_ended_or_is_another_s_is_not_among_them(look: Looking) -> None:
    leaving, evicted, other = a_pod(), a_pod(), a_pod()
    leaving["metadata"]["deletionTimestamp"] = "2026-11-24T12:00:00Z"
    evicted["status"] = {"phase": "Failed", "reason": "Evicted"}
    other["metadata"]["labels"] = {"serinus.dev/canary": "shop-canary"}
    look.node.pods = [leaving, evicted, other]
    assert await look.pods.found(look.node, "app=shop") == [other]
    assert await look.pods.found(look.node, "app=shop", without="serinus.dev/canary") == []


async def test_another_image_under_the_same_name_is_told(look: Looking) -> None:
    pod = a_pod(imageID=f"team/shop@{DIGEST}")
    assert image_id(pod, "shop") == DIGEST
    assert image_id(pod, "beside") == ""
    may = {"image": "team/shop:v1", "ids": [DIGEST]}
    assert (await look.at(0, pod, analysed=may))[0].trouble == ""
    assert (await look.at(0, a_pod(), analysed=may))[0].trouble == ""
    other = {**may, "ids": ["sha256:bb"]}
    assert "is " + DIGEST + ", what was analysed is sha256:bb" in (await look.at(0, pod, analysed=other))[0].trouble
    assert (await look.at(0, pod, analysed={**other, "image": "team/shop:v0"}))[0].trouble == ""
