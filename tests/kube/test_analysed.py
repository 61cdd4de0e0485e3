"""What a canary's pods had when they first were whole is what was analysed, whatever they have later."""

from __future__ import annotations

from typing import Any

from serinus.kube.analysed import Analysed
from serinus.kube.canary import deployment
from serinus.kube.patch import Object
from tests.kube.objects import a_deployment, a_pod, a_template

A, B = "0a" * 32, "0b" * 32
WHOLE = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 2)


def a_canary(status: dict[str, int], release: str = "r-1") -> Object:
    made = deployment(a_deployment(), a_template(), release, 2, {"app": "shop-canary"})
    made["metadata"] |= {"generation": 1}
    return {**made, "status": {"observedGeneration": 1, **status}}


def pods(*digests: str) -> list[Object]:
    return [a_pod(imageID=f"team/shop@sha256:{digest}" if digest else "") for digest in digests]


def ids(images: Any) -> list[str]:
    return [one.rpartition(":")[2] for one in images.get("ids", ())]


def test_nothing_is_known_before_it_is_whole() -> None:
    analysed = Analysed("")
    assert analysed.first(a_canary({"readyReplicas": 1}), pods(A, "")) == {}
    assert analysed.first(a_canary(WHOLE), pods(A)) == {}, "a watch may lag behind another"
    assert ids(analysed.best(a_canary({"readyReplicas": 1}), pods(A, ""))) == [A], "better than nothing"
    assert ids(analysed.first(a_canary(WHOLE), pods(A, A))) == [A]


def test_a_later_pod_changes_nothing_and_another_release_everything() -> None:
    analysed = Analysed("")
    analysed.first(a_canary(WHOLE), pods(A, A))
    assert ids(analysed.first(a_canary(WHOLE), pods(A, B))) == [A]
    assert ids(analysed.best(a_canary(WHOLE), pods(B, B))) == [A]
    assert ids(analysed.first(a_canary(WHOLE, "r-2"), pods(B, B))) == [B]
