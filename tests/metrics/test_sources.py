"""A source is a value: another one joins without a branch anywhere."""

from __future__ import annotations

import re
from typing import Any

import pytest

from serinus.analysis.reading import TIMED, Arm
from serinus.analysis.threshold import SERVER_ERRORS
from serinus.kube.names import canary_name, pods
from serinus.metrics import answers, questions
from serinus.metrics.prometheus import PrometheusMetrics
from serinus.metrics.sources import Named, app, contour, envoy
from tests.metrics.demanding import NOW, Asked, a_reading, answer, part, serving

APP = app("shop", pods("web"), pods("web-canary"), Named())


def test_words_of_a_query_are_filled_in_and_nothing_else_is_touched() -> None:
    expanded = envoy("shop").expanded(
        'a{$canary} / b{x="y$",$stable} + label_replace(c, "d", "$1 $$ ${e} $canaries", "f", "(.*)")'
    )
    assert 'a{job="envoy",envoy_cluster_name="shop-canary"}' in expanded
    assert 'b{x="y$",job="envoy",envoy_cluster_name="shop-stable"}' in expanded
    assert '"$1 $$ ${e} $canaries"' in expanded


def test_behind_contour_a_service_is_a_cluster_a_port_and_no_other_service_s() -> None:
    source = contour("market", "shop", "shop-canary", "projectcontour/envoy")
    stable, canary = source.requests(Arm.STABLE), source.requests(Arm.CANARY)
    assert stable == (
        'envoy_cluster_upstream_rq_completed{job="projectcontour/envoy",envoy_cluster_name=~"market_shop_[0-9]+"}'
    )
    assert source.up == 'up{job="projectcontour/envoy"}'
    assert 'envoy_cluster_name=~"market_shop-canary_[0-9]+"' in canary
    assert source.expanded("x{$canary}") == "x{" + source.arms[Arm.CANARY] + "}"


def test_an_application_has_names_and_units_of_its_own() -> None:
    named = Named("reqs", "code", "took_ms", 0.001, "kubernetes_pod_name", 'path!="/healthz"')
    source = app("market", "shop-x", "shop-canary-x", named, "pods")
    assert source.figure(TIMED, Arm.STABLE) == (
        "sum by (kubernetes_pod_name) "
        '(took_ms_count{namespace="market",job="pods",kubernetes_pod_name=~"shop-x",path!="/healthz"})'
    )
    assert 'path!="/healthz",code=~"5.."' in source.figure(SERVER_ERRORS, Arm.CANARY)
    assert r'path!="/healthz",le=~"500(\\.0)?"' in source.within((0.5,), Arm.CANARY)
    assert source.up == 'up{namespace="market",job="pods",kubernetes_pod_name=~"shop-canary-x|shop-x"}'


@pytest.mark.parametrize("length", [1, 4, 46, 47, 48, 52, 57, 58, 63, 90])
def test_a_pod_s_name_tells_whose_it_is(length: int) -> None:
    stable = ("shop.v1-" * 12)[: length - 1] + "p"
    canary = canary_name(stable)
    made = {name: f"{name}-7d4b9c6f5x-"[:58] + "x2k9b" for name in (stable, canary)}
    for mine, other in ((stable, canary), (canary, stable)):
        assert re.fullmatch(pods(mine), made[mine])
        assert not re.fullmatch(pods(mine), made[other])


def test_figures_are_asked_by_target_and_no_further() -> None:
    assert APP.figure(SERVER_ERRORS, Arm.CANARY) == (
        f'sum by (pod) (http_requests_total{{namespace="shop",pod=~"{pods("web-canary")}",status=~"5.."}})'
    )
    assert r'le=~"100(\\.0)?|500(\\.0)?"' in envoy("shop").within((0.1, 0.5), Arm.STABLE)
    assert r'le=~"0\\.1|2(\\.0)?"' in APP.within((0.1, 2.0), Arm.STABLE)
    assert r"12\\.5" in envoy("shop").within((0.0125,), Arm.STABLE)


@pytest.mark.parametrize("seconds", [0.001, 0.1, 0.25, 0.3, 0.5, 1.1, 2.0, 60.0])
def test_an_edge_survives_its_unit(seconds: float) -> None:
    assert envoy("shop").edge(f"{seconds * 1000:g}") == seconds
    assert APP.edge(f"{seconds:g}") == seconds


def test_edges_around_a_threshold() -> None:
    there = (0.1, 0.25, 0.5)
    assert answers.around(0.25, there) == (0.25,)
    assert answers.around(0.3, there) == (0.25, 0.5)
    assert answers.around(0.05, there) == (0.1,)
    assert answers.around(3.0, there) == (0.5,)


async def test_a_source_by_pod_is_read_by_pod() -> None:
    def of(arm: str, pod: str, count: int, at: float) -> list[dict[str, Any]]:
        return [part(f"{arm} at", at, pod=pod), part(f"{arm} requests", count, pod=pod)]

    result = [
        part("now", NOW), part("up", 1, pod="web-canary-1"), part("up", 0, pod="web-0a-1"), part("up", 1, pod="web-0a-2"),
        *of("canary", "web-canary-1", 5, NOW - 3), *of("stable", "web-0a-2", 70, NOW - 9),
        part("stable requests", 9, pod="web-0a-1"),
    ]  # fmt: skip
    with serving(lambda asked: asked.say(200, answer(result))) as server:
        reading = await PrometheusMetrics(server.url, APP).read()
    assert reading.targets == {"web-canary-1": True, "web-0a-1": False, "web-0a-2": True}
    assert [(c.arm, c.target, c.value, c.at) for c in reading.counters] == [
        (Arm.CANARY, "web-canary-1", 5, NOW - 3),
        (Arm.STABLE, "web-0a-2", 70, NOW - 9),
    ], "figures without the time of a sample are not used"


@pytest.mark.parametrize(
    ("age", "wait"),
    [
        (0.0, 1.0),
        (0.4, 0.65),
        (1.0, 0.05),
        (1.05, 0.0),
        (1.5, 0.05),
        (2.0, 0.05),
        (2.25, 0.8),
        (60.25, 0.8),
        (-5.0, 1.0),
        (None, 1.0),
    ],
)
async def test_the_wait_is_never_negative_and_at_most_a_scrape(age: float | None, wait: float) -> None:
    result = [part("now", NOW), *([] if age is None else [part("stable at", NOW - age), part("canary at", NOW - 99)])]
    with serving(lambda asked: asked.say(200, answer(result))) as server:
        one = PrometheusMetrics(server.url, envoy("shop"), scrape_seconds=1.0)
        assert await one.until_scrape() == pytest.approx(wait, abs=1e-6)


async def test_a_scrape_that_came_a_moment_after_the_reading_is_not_waited_for_again() -> None:
    at = NOW - 15.0

    def behave(asked: Asked) -> None:
        newest = [part("now", NOW), part("stable at", at), part("canary at", at)]
        asked.say(200, answer([*newest, part("stable requests", 9), part("up", 1)]))

    with serving(behave) as server:
        one = PrometheusMetrics(server.url, envoy("shop"), scrape_seconds=15.0)
        await one.read()
        assert await one.until_scrape() == pytest.approx(0.05, abs=1e-6)
        at = NOW - 0.01
        assert await one.until_scrape() == 0
        await one.read()
        assert await one.until_scrape() == pytest.approx(15.0)


async def test_where_the_arms_are_scraped_apart_it_is_the_canary_s_that_counts() -> None:
    result = [part("now", NOW), part("stable at", NOW - 2), part("canary at", NOW - 9)]
    with serving(lambda asked: asked.say(200, answer(result))) as server:
        assert await PrometheusMetrics(server.url, APP, scrape_seconds=15.0).until_scrape() == pytest.approx(6.05)
        assert await PrometheusMetrics(server.url, APP, scrape_seconds=5.0).until_scrape() == pytest.approx(3.05)


async def test_edges_are_learnt_when_there_are_some_and_again_when_they_change() -> None:
    edges: list[str] = []

    def behave(asked: Asked) -> None:
        if asked.query == questions.edges(envoy("shop")):
            asked.say(200, answer([part("", 2, le=le) for le in edges]))
            return
        shown = {le for le in edges if f"{le}(" in asked.query}
        asked.say(200, answer([one for one in a_reading() if one["metric"].get("le") in (shown | {None})]))

    def within(figures: set[str]) -> set[str]:
        return {figure for figure in figures if figure.startswith("within")}

    with serving(behave) as server:
        one = PrometheusMetrics(server.url, envoy("shop"), (0.3,))

        async def figures() -> set[str]:
            return within({counter.figure for counter in (await one.read()).counters})

        assert await figures() == set(), "no histogram yet"
        edges[:] = ["100", "500"]
        assert await figures() == {"within:0.1", "within:0.5"}
        asked = len(server.seen)
        assert await figures() == {"within:0.1", "within:0.5"}
        assert len(server.seen) == asked + 1, "what is known is not asked again"
        edges[:] = ["2000"]
        assert await figures() == set()
        assert await figures() == {"within:2"}
