"""A watch that lags behind the server: what is read over it is seen from then on."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any, cast

import pytest

from serinus.errors import Conflict
from serinus.kube import names
from serinus.kube.client import Kind, Kube
from serinus.kube.named import Named
from serinus.kube.patch import Object
from serinus.kube.seen import Seen
from serinus.release.record import Note
from serinus.workloads.kubernetes import KubernetesWorkload
from tests.kube.objects import a_deployment

UNDONE = Note("r-1", 2, "undone")


class Server:
    """One Deployment, and no pods; takes every patch for one that sets the note."""

    def __init__(self) -> None:
        self.stable = a_deployment()

    async def get(self, kind: Kind, name: str) -> Object:
        return deepcopy(self.stable)

    async def find(self, kind: Kind, name: str) -> Object | None:
        return deepcopy(self.stable) if name == "shop" else None

    async def select(self, kind: Kind, selector: str) -> list[Object]:
        return []

    async def patch(self, kind: Kind, name: str, operations: list[dict[str, Any]]) -> Object:
        self.noted(UNDONE)
        return deepcopy(self.stable)

    def noted(self, note: Note) -> None:
        said = {"release": note.release, "token": note.token, "step": note.step}
        self.stable["metadata"]["annotations"][names.NOTE] = json.dumps(said)
        self.stable["metadata"]["resourceVersion"] = str(int(self.stable["metadata"]["resourceVersion"]) + 1)


class Lagging(Server):
    """What a watch showed a while ago, and what it was told since."""

    def wrote(self, kind: Kind, written: Object) -> None:
        self.stable = dict(written)


async def test_what_a_write_met_is_what_is_seen_next() -> None:
    """Five tries on what a watch showed a moment ago would be over before it shows anything else."""
    server, lagging = Server(), Lagging()
    workload = KubernetesWorkload(cast(Kube, server), cast(Seen, lagging), Named("shop", "shop"))
    server.noted(Note("r-1", 1, "new"))  # our own, whose answer was lost
    seen = await workload.stable()
    assert seen.note is None
    with pytest.raises(Conflict, match="not as it was read"):
        await workload.put_stable(seen.template, UNDONE, seen)
    again = await workload.stable()
    assert again.note == Note("r-1", 1, "new")
    assert (await workload.put_stable(again.template, UNDONE, again)).note == UNDONE
