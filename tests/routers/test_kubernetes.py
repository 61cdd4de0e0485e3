"""What a route on a real Kubernetes must bear: others' hands, missing rights, its own deletion; and put back, nothing is left of us."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from serinus.clock import SystemClock
from serinus.errors import Conflict, Refused, Unavailable
from serinus.kube.client import Kube
from serinus.kube.connecting import connect
from serinus.kube.names import RELEASE
from serinus.local.cluster.cluster import Cluster
from serinus.moves.close import close_once
from serinus.release.mark import Mark, Mode
from serinus.release.weight import NOTHING, Weight
from tests.cluster.access import Access
from tests.routers.on_kubernetes import FORMS, Front, a_front, answerers
from tests.routers.running import until

pytestmark = pytest.mark.cluster
RIGHTS = {"httpproxy": "httpproxies.projectcontour.io", "httproute": "httproutes.gateway.networking.k8s.io"}


@pytest.fixture(params=list(FORMS))
async def front(request: pytest.FixtureRequest, space: Access) -> AsyncIterator[Front]:
    async with a_front(request.param, space) as made:
        yield made


def a_mark(percent: float = 0, mode: Mode = Mode.OPEN, seq: int = 1) -> Mark:
    return Mark("r-1", 1, seq, mode, Weight.of(percent), "because")


def lasting(found: dict[str, Any]) -> dict[str, Any]:
    """All that people wrote: what the server counts and what controllers say is left out."""
    counted = ("resourceVersion", "generation", "managedFields")
    metadata = {key: value for key, value in found["metadata"].items() if key not in counted}
    return {key: value for key, value in found.items() if key != "status"} | {"metadata": metadata}


async def test_put_back_it_is_byte_for_byte_as_it_was(front: Front) -> None:
    before = lasting(front.seen())
    route = await front.router.write(a_mark(), await front.router.read())
    route = await front.router.write(a_mark(25, seq=2), route)
    assert front.seen()["metadata"]["labels"] == {RELEASE: "r-1"}
    await front.router.restore(route.original, await front.router.read())
    assert json.dumps(lasting(front.seen())) == json.dumps(before)
    assert "shop-canary" not in front.space.kubectl("get", "services", "-o=name")


async def test_edits_of_others_survive(front: Front) -> None:
    route = await front.router.write(a_mark(5), await front.router.read())
    rule = front.form.backends.rpartition("/")[0]
    timeouts = (
        {"timeoutPolicy": {"response": "5s"}} if front.form.kind == "httpproxy" else {"timeouts": {"request": "5s"}}
    )
    ((field, value),) = timeouts.items()
    front.patch({"op": "add", "path": f"{rule}/{field}", "value": value})
    front.space.kubectl("label", front.form.kind, "front", "team=blue")
    front.space.kubectl("annotate", front.form.kind, "front", "seen=yes")
    assert await front.router.read() == route
    route = await front.router.write(a_mark(10, seq=2), route)
    await front.router.restore("", route)
    left = front.seen()
    assert left["spec"][rule.split("/")[2]][1][field] == value
    assert (left["metadata"]["labels"], left["metadata"]["annotations"]) == ({"team": "blue"}, {"seen": "yes"})


@pytest.mark.parametrize("meanwhile", [False, True], ids=["quiet", "its status moves"])
async def test_whoever_applies_it_server_side_meets_nobody_afterwards(
    front: Front, meanwhile: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where its controller says something of it just as it is put back."""
    whole = front.form.object(f"{front.space.namespace}.example")
    words = ("apply", "--server-side", "--field-manager=a-team", "-f", "-")
    front.space.kubectl("delete", front.form.kind, "front")
    front.space.kubectl(*words, given=json.dumps(whole))
    route = await front.router.write(a_mark(5), await front.router.read())
    patch, patched = front.router._kube.patch, []

    async def moved(*given: Any) -> Any:
        """What came of it, which is not the newest any more by the time that it is known."""
        answer = await patch(*given)
        patched.append(given)
        if meanwhile and len(patched) == 1:
            touch_status(front, "put back")
        return answer

    monkeypatch.setattr(front.router._kube, "patch", moved)
    await front.router.restore(route.original, route)
    assert patched
    rules, backends = front.form.backends.split("/")[2::2]
    whole["spec"][rules][1][backends][0]["weight"] = 3
    front.space.kubectl(*words, given=json.dumps(whole))
    assert front.seen()["spec"][rules][1][backends][0]["weight"] == 3


async def test_a_status_that_moves_meanwhile_stops_no_write(front: Front) -> None:
    for percent, mode in ((0, Mode.OPEN), (5, Mode.OPEN), (0, Mode.CLOSED)):
        seen = await front.router.read()
        touch_status(front, f"{percent} {mode}")
        await front.router.write(a_mark(percent, mode), seen)
    seen = await front.router.read()
    touch_status(front, "restored")
    assert (await front.router.restore(seen.original, seen)).mark is None


def touch_status(front: Front, said: str) -> None:
    condition = {
        "type": "Told",
        "status": "True",
        "reason": "Told",
        "message": said,
        "lastTransitionTime": "2030-01-01T00:00:00Z",
    }
    if front.form.kind == "httpproxy":
        status: dict[str, Any] = {"conditions": [condition]}
    else:
        parent = {"parentRef": {"name": "else"}, "controllerName": "tests.example/told", "conditions": [condition]}
        status = {"parents": [parent]}
    words = ("--subresource=status", "--type=merge", f"-p={json.dumps({'status': status})}")
    front.space.kubectl("patch", front.form.kind, "front", *words)


async def test_a_mark_that_somebody_takes_off_is_seen_and_stops_a_raise(front: Front) -> None:
    opened = await front.router.write(a_mark(5), await front.router.read())
    front.space.kubectl("annotate", front.form.kind, "front", "serinus.dev/shop-")
    with pytest.raises(Conflict):
        await front.router.write(a_mark(10, seq=2), opened)
    route = await front.router.read()
    assert (route.weight, route.mark) == (Weight.of(5), None)
    await close_once(front.router, SystemClock(), "r-1", "its mark is gone")
    closed = await front.router.read()
    assert closed.mark is not None
    assert (closed.weight, closed.mark.mode) == (NOTHING, Mode.CLOSED)


async def test_a_close_without_an_answer_is_tried_again_and_a_raise_from_before_it_is_refused(
    front: Front, own_cluster: Cluster
) -> None:
    hasty = await connect(str(front.space.kubeconfig), namespace=front.space.namespace, seconds=0.3)
    router = front.form.router(hasty)
    opened = await router.write(a_mark(5), await router.read())
    with own_cluster.frozen("kube-apiserver"):
        with pytest.raises(Unavailable, match=f"patch {RIGHTS[front.form.kind]} front .* did not answer within 0.3 s"):
            await router.write(a_mark(0, Mode.CLOSED, seq=2), opened)
        with pytest.raises(Unavailable):
            await router.read()

    await until(lambda: answers(front), "the API server answers again")
    await close_once(front.router, SystemClock(), "r-1", "whatever became of that write")
    assert (await front.router.read()).weight == NOTHING
    with pytest.raises(Conflict):
        await router.write(a_mark(10, seq=2), opened)
    await hasty.aclose()


async def answers(front: Front) -> bool:
    try:
        await front.router.read()
    except Unavailable:
        return False
    return True


async def test_while_its_controller_hangs_a_write_is_not_taken_up(front: Front, own_cluster: Cluster) -> None:
    route = await front.router.write(a_mark(), await front.router.read())
    await until(lambda: front.router.taken_up(route), "the mark is taken up")
    with own_cluster.frozen("contour"):
        raised = await front.router.write(a_mark(5, seq=2), route)
        for _ in range(5):
            assert not await front.router.taken_up(raised)
    await until(lambda: front.router.taken_up(raised), "the weight is taken up once it goes on")


async def test_from_the_first_mark_to_the_last_no_request_is_lost(front: Front, own_cluster: Cluster) -> None:
    async with answerers(front.space):
        await until(lambda: served(front), "stable is served")
        stop = asyncio.Event()
        asking = [asyncio.create_task(asked(front, stop)) for _ in range(3)]
        route = await front.router.read()
        for seq, percent in enumerate((0, 5, 50, 100, 0), start=1):
            mode = Mode.CLOSED if seq == 5 else Mode.OPEN
            route = await front.router.write(a_mark(percent, mode, seq), route)
            await until(partial(front.router.taken_up, route), f"{percent} % is taken up")
            if percent:
                await until(partial(answered_by_canary, front), "the canary answers")
        route = await front.router.restore(route.original, route)
        await until(partial(front.router.taken_up, route), "what was found is taken up")
        stop.set()
        counted = sum(await asyncio.gather(*asking), Counter())
    assert set(counted) == {"stable", "canary"}


async def asked(front: Front, stop: asyncio.Event) -> Counter[str]:
    """Who answered until then."""
    counted: Counter[str] = Counter()
    while not stop.is_set():
        counted += await front.ask(1)
    return counted


async def served(front: Front) -> bool:
    return (await front.ask(1))["stable"] == 1


async def answered_by_canary(front: Front) -> bool:
    return (await front.ask(1))["canary"] == 1


async def test_made_anew_it_is_another(front: Front) -> None:
    opened = await front.router.write(a_mark(5), await front.router.read())
    front.space.kubectl("delete", front.form.kind, "front")
    assert (await front.router.read()).gone
    with pytest.raises(Refused, match="not found"):
        await front.router.write(a_mark(10, seq=2), opened)
    made = front.form.object(f"{front.space.namespace}.example")
    front.space.kubectl("create", "-f", "-", given=json.dumps(made))
    with pytest.raises(Conflict):
        await front.router.write(a_mark(10, seq=2), opened)
    assert (await front.router.read()).mark is None


async def test_a_canary_without_a_service_is_never_named(front: Front) -> None:
    front.space.kubectl("delete", "service", "shop-canary")
    before = front.seen()
    with pytest.raises(Refused, match="shop-canary"):
        await front.router.write(a_mark(5), await front.router.read())
    assert front.seen()["spec"] == before["spec"]


async def test_a_third_backend_is_refused_before_anything_is_written(front: Front) -> None:
    front.patch({"op": "add", "path": f"{front.form.backends}/1", "value": {"name": "files", "port": 80}})
    before = front.seen()["spec"]
    for tried in (front.router.rehearse_close(), front.router.write(a_mark(), await front.router.read())):
        with pytest.raises(Refused, match="splits between shop and files: give shop a rule of its own"):
            await tried
    assert front.seen()["spec"] == before


@pytest.fixture
async def allowed(front: Front, tmp_path: Path) -> AsyncIterator[Front]:
    """The same route with the rights of a service account that may read and write it, and nothing else."""
    resource, _, group = RIGHTS[front.form.kind].partition(".")
    rule = {"apiGroups": [group], "resources": [resource], "resourceNames": ["front"], "verbs": ["get", "patch"]}
    grant(front.space, rule)
    account = front.space.as_account("engine", tmp_path)
    kube = await connect(str(account.kubeconfig))
    yield Front(front.form, front.space, kube, front.form.router(kube), front.url, front.http)
    await kube.aclose()


def grant(space: Access, *rules: dict[str, Any]) -> None:
    roles = "rbac.authorization.k8s.io/v1"
    subject = {"kind": "ServiceAccount", "name": "engine", "namespace": space.namespace}
    space.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "engine"}},
        {"apiVersion": roles, "kind": "Role", "metadata": {"name": "engine"}, "rules": list(rules)},
        {
            "apiVersion": roles,
            "kind": "RoleBinding",
            "metadata": {"name": "engine"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "engine"},
            "subjects": [subject],
        },
    )


async def test_closing_needs_the_route_s_own_right_alone(front: Front, allowed: Front) -> None:
    await front.router.write(a_mark(25), await front.router.read())
    await allowed.router.rehearse_close()
    assert (await allowed.router.read()).weight == Weight.of(25)
    closed = await allowed.router.write(a_mark(0, Mode.CLOSED, seq=2), await allowed.router.read())
    assert closed.weight == NOTHING


async def test_a_missing_right_is_named_and_nothing_is_touched(front: Front, allowed: Front) -> None:
    resource, _, group = RIGHTS[front.form.kind].partition(".")
    grant(front.space, {"apiGroups": [group], "resources": [resource], "verbs": ["get"]})
    before = front.seen()
    wanted = f"right to patch {RIGHTS[front.form.kind]} front in namespace {front.space.namespace} is missing"
    with pytest.raises(Refused, match=wanted):
        await allowed.router.rehearse_close()
    assert front.seen() == before


async def test_an_object_that_is_not_there_gives_no_weight_and_is_named_before_a_release(space: Access) -> None:
    kube: Kube = await connect(str(space.kubeconfig), namespace=space.namespace)
    router = FORMS["contour"].router(kube)
    assert (await router.read()).gone
    with pytest.raises(Refused, match="front.*; name yours in router.contour.proxy, or create it"):
        await router.rehearse_close()
    await kube.aclose()
