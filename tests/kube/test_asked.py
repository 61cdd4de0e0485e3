"""What a whole release asks of an API server, by the server's own audit log: nothing twice that one answer tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from serinus.local.cluster import audit
from serinus.local.cluster.audit import Call
from serinus.release.record import State
from tests.cluster.access import Access
from tests.kube.test_mid_release import BUDGET, listed
from tests.kube.test_release import STABLE, counted, leftovers, released, users
from tests.routers.on_kubernetes import FORMS
from tests.workloads.on_kubernetes import a_deployment, a_service
from tests.workloads.test_rights import granted

pytestmark = pytest.mark.cluster
WHOLE = {
    "horizontalpodautoscalers.autoscaling",
    "networkpolicies.networking.k8s.io",
    "poddisruptionbudgets.policy",
    "resourcequotas",
    "services",
}
"""Listed whole before a release: see `docs/decisions/0015-lists-without-a-selector.md`."""
WEIGHTS = 3
"""Of its policy."""
READS = 14
"""Of Deployments, for a canary that is put, taken away and promoted, with room for what others write meanwhile; each move that is told
once cost two more."""


def split(calls: Sequence[Call]) -> tuple[list[Call], list[Call]]:
    """Before there is a record, and from then on."""
    begins = next(n for n, call in enumerate(calls) if (call.verb, call.resource) == ("create", "configmaps"))
    return list(calls[:begins]), list(calls[begins:])


def whole(calls: Sequence[Call]) -> list[str]:
    """Lists and watches of everything there is."""
    return sorted(call.resource for call in calls if call.verb in ("list", "watch") and not call.selected)


def kinds(calls: Sequence[Call]) -> Counter[str]:
    return Counter(f"{call.verb} {call.resource}" for call in calls)


async def test_a_release_asks_nothing_twice_that_one_answer_tells(space: Access, tmp_path: Path) -> None:
    host = f"{space.namespace}.example"
    granted(space, tmp_path)
    own = a_deployment(containers=[STABLE]), a_service(), a_service("files"), FORMS["contour"].object(host)
    space.apply(*own, BUDGET)
    async with users(space.cluster.ingress, host) as asked:
        await counted(space.cluster.prometheus, space.namespace)
        engine = await released(space, "contour", "v1.1", tmp_path)
    assert engine.record.state is State.PROMOTED, engine.record.outcome
    assert asked.failed == 0, asked.seen
    assert leftovers(space) == []
    assert [one["metadata"]["name"] for one in listed(space, "pdb")] == ["mine"]
    before, since = split(audit.calls(space.cluster.log(audit.LOG), "serinus", space.namespace))
    assert whole(before) == sorted(WHOLE)
    assert whole(since) == []
    every, later = kinds([*before, *since]), kinds(since)
    assert every["create selfsubjectrulesreviews.authorization.k8s.io"] == 1
    assert every["create selfsubjectaccessreviews.authorization.k8s.io"] == 0
    assert later["create poddisruptionbudgets.policy"] == 1
    assert later["list poddisruptionbudgets.policy"] == 2
    assert later["create events.events.k8s.io"] >= 3 + WEIGHTS
    assert later["get deployments.apps"] <= READS
