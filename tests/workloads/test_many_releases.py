"""Whoever lives long, as a guard does, sees the canaries of hundreds of releases: it watches no more for that."""

from __future__ import annotations

from typing import cast

from serinus.kube.canary import deployment, own_labels
from serinus.kube.client import Kind, Kube
from serinus.kube.named import Named
from serinus.kube.patch import Object
from serinus.kube.seen import Seen
from serinus.workloads.kubernetes import KubernetesWorkload
from tests.kube.objects import a_deployment, a_pod, a_template


class Shown:
    """The canary of one release after another, while pods of the one before are still there."""

    def __init__(self) -> None:
        self.release = 1
        self.selections: set[str] = set()

    async def find(self, kind: Kind, name: str) -> Object:
        made = deployment(a_deployment(), a_template(), f"r-{self.release}", 2, {})
        made["metadata"] |= {"generation": 1, "resourceVersion": "1"}
        return made

    async def select(self, kind: Kind, selector: str) -> list[Object]:
        self.selections.add(selector)
        return [self._pod(self.release - 1), self._pod(self.release)]

    def _pod(self, release: int) -> Object:
        pod = a_pod()
        pod["metadata"] |= {
            "uid": f"p-{release}",
            "name": f"of-{release}",
            "labels": own_labels("shop-canary", f"r-{release}"),
        }
        return pod


async def test_the_pods_of_every_release_are_one_selection() -> None:
    shown = Shown()
    workload = KubernetesWorkload(cast(Kube, shown), cast(Seen, shown), Named("shop", "shop"))
    for _ in range(3):
        side = await workload.canary()
        assert side is not None
        assert [pod.name for pod in side.pods] == [f"of-{shown.release}"]
        shown.release += 1
    assert len(shown.selections) == 1
