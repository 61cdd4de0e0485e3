"""The canary's budget is stable's in the canary's own measure, and only where the canary has none."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from serinus.kube.budget import Budgets, made, wanted
from serinus.kube.client import Kube
from tests.kube.test_client import a_server

STABLE = {"app": "shop", "tier": "web"}
CANARY = {"app": "shop-canary", "tier": "web", "serinus.dev/release": "r-1"}


def a_budget(selecting: dict[str, str] | None = None, release: str = "", **spec: Any) -> dict[str, Any]:
    said = {"serinus.dev/release": release} if release else {}
    selector = {"matchLabels": {"app": "shop"} if selecting is None else selecting}
    return {"metadata": {"name": "mine", "uid": "u-1", "annotations": said}, "spec": {"selector": selector, **spec}}


def test_the_canary_lacks_what_stable_has_alone() -> None:
    mine = a_budget()
    assert wanted([mine], STABLE, CANARY) is mine
    assert wanted([], STABLE, CANARY) is None
    assert wanted([a_budget({"app": "another"})], STABLE, CANARY) is None
    assert wanted([mine, a_budget({"tier": "web"})], STABLE, CANARY) is None
    assert wanted([a_budget({})], STABLE, CANARY) is None
    assert wanted([mine, a_budget({"serinus.dev/release": "r-1"}, release="r-1")], STABLE, CANARY) is mine
    assert wanted([{"metadata": {"name": "none"}, "spec": {}}], STABLE, CANARY) is None


@pytest.mark.parametrize(
    ("said", "becomes"),
    [
        ({"maxUnavailable": 1}, {"maxUnavailable": 1}),
        ({"maxUnavailable": "25%"}, {"maxUnavailable": "25%"}),
        ({"minAvailable": "80%"}, {"minAvailable": "80%"}),
        ({"minAvailable": 2}, {"maxUnavailable": 1}),
        ({"minAvailable": 5}, {"maxUnavailable": 0}),
        ({"maxUnavailable": 0}, {"maxUnavailable": 0}),
        (
            {"maxUnavailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow"},
            {"maxUnavailable": 1, "unhealthyPodEvictionPolicy": "AlwaysAllow"},
        ),
    ],
)
def test_as_many_of_it_may_be_away_as_of_stable(said: dict[str, Any], becomes: dict[str, Any]) -> None:
    spec = dict(made(a_budget(**said), "shop-canary", "r-1", replicas=3)["spec"])
    selecting = spec.pop("selector")["matchLabels"]
    assert spec == becomes
    assert selecting == {"serinus.dev/canary": "shop-canary", "serinus.dev/release": "r-1"}


DEPLOYMENT = {"spec": {"replicas": 3, "template": {"metadata": {"labels": STABLE}}}}
LISTS, NAMED = "GET all", "GET shop-canary"


class Server:
    """Keeps PodDisruptionBudgets, as far as an API server does; one answer to a POST may be another."""

    def __init__(self, *there: dict[str, Any]) -> None:
        self.there = {one["metadata"]["name"]: one for one in there}
        self.asked: list[str] = []
        self.posts: list[int] = []

    def answer(self, request: str) -> tuple[int, bytes]:
        head, _, body = request.partition("\r\n\r\n")
        method, path, *_ = head.split()
        return getattr(self, method.lower())(path, body)  # type: ignore[no-any-return]

    def get(self, path: str, _: str) -> tuple[int, bytes]:
        by_name = "fieldSelector=metadata.name%3Dshop-canary" in path
        self.asked.append(NAMED if by_name else LISTS)
        found = [one for name, one in self.there.items() if not by_name or name == "shop-canary"]
        return 200, json.dumps({"items": found}).encode()

    def post(self, _: str, body: str) -> tuple[int, bytes]:
        code = self.posts.pop(0) if self.posts else 201
        self.asked.append(f"POST {code}")
        if code == 201:
            created = json.loads(body)
            created["metadata"]["uid"] = f"u-{len(self.asked)}"
            self.there[created["metadata"]["name"]] = created
        return code, body.encode() if code == 201 else b"{}"

    def delete(self, path: str, _: str) -> tuple[int, bytes]:
        self.asked.append("DELETE")
        del self.there[path.partition("?")[0].rpartition("/")[2]]
        return 200, b"{}"


@pytest.fixture
def server() -> Server:
    return Server(a_budget(minAvailable=2))


@pytest.fixture
async def kube(server: Server, tmp_path: Path) -> AsyncIterator[Kube]:
    async with a_server(server.answer, tmp_path) as made:
        yield made


async def put(budgets: Budgets, weights: int = 1, release: str = "r-1") -> None:
    for _ in range(weights):
        await budgets.ensure(DEPLOYMENT, CANARY, release)


async def test_a_release_lists_nothing_that_its_preflight_has_listed(server: Server, kube: Kube) -> None:
    budgets = Budgets(kube, "shop-canary")
    budgets.found(tuple(server.there.values()))
    await put(budgets, 6)
    assert server.asked == [NAMED, "POST 201"]
    assert server.there["shop-canary"]["spec"]["maxUnavailable"] == 1


async def test_where_stable_has_none_nothing_is_asked(server: Server, kube: Kube) -> None:
    budgets = Budgets(kube, "shop-canary")
    budgets.found(())
    await put(budgets, 6)
    assert server.asked == []


async def test_who_has_not_looked_lists_them_once_a_release(server: Server, kube: Kube) -> None:
    budgets = Budgets(kube, "shop-canary")
    await put(budgets, 6)
    await put(Budgets(kube, "shop-canary"), 6)  # another process finds it done
    assert server.asked == [LISTS, NAMED, "POST 201", LISTS, NAMED]
    await put(budgets, 2, "r-2")
    assert server.asked[5:] == [LISTS, NAMED, "DELETE", "POST 201"]


@pytest.mark.parametrize("code", [409, 503])
async def test_what_did_not_succeed_is_tried_with_the_next_weight(code: int, server: Server, kube: Kube) -> None:
    server.posts = [code]
    budgets = Budgets(kube, "shop-canary")
    budgets.found(tuple(server.there.values()))
    await put(budgets, 3)
    assert server.asked == [NAMED, f"POST {code}", NAMED, "POST 201"]


async def test_a_right_that_is_missing_is_not_asked_for_at_every_weight(
    server: Server, kube: Kube, caplog: pytest.LogCaptureFixture
) -> None:
    server.posts = [403]
    budgets = Budgets(kube, "shop-canary")
    budgets.found(tuple(server.there.values()))
    await put(budgets, 3)
    assert server.asked == [NAMED, "POST 403"]
    assert "shop-canary has no PodDisruptionBudget" in caplog.text


async def test_one_of_a_release_that_is_over_makes_way_and_a_user_s_own_stays(server: Server, kube: Kube) -> None:
    left = a_budget(release="r-0")
    left["metadata"] |= {"name": "shop-canary", "uid": "u-0"}
    server.there["shop-canary"] = left
    budgets = Budgets(kube, "shop-canary")
    budgets.found(tuple(server.there.values()))
    await put(budgets)
    assert server.asked == [NAMED, "DELETE", "POST 201"]
    server.there["shop-canary"]["metadata"]["annotations"] = {}
    await put(budgets, 1, "r-2")
    assert server.asked[3:] == [LISTS, NAMED]
