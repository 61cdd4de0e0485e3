"""A number of pods as a weight, and the patch that sets it."""

from __future__ import annotations

from typing import Any

import pytest

from serinus.errors import Refused
from serinus.kube.ratio import Beside, marked, marking, restoring, route
from serinus.release.mark import Mark, Mode
from serinus.release.weight import NOTHING, Weight
from tests.kube.patched import patched

BESIDE = Beside(4)


def a_canary(replicas: int = 0, **notes: str) -> dict[str, Any]:
    metadata = {"name": "shop-canary", "uid": "u-1", "generation": 1, "resourceVersion": "7", "annotations": notes}
    return {"metadata": metadata, "spec": {"replicas": replicas}}


def a_mark(percent: float, mode: Mode = Mode.OPEN, seq: int = 1) -> Mark:
    return Mark("r-1", 1, seq, mode, Weight.of(percent), "because")


def with_weight(percent: float) -> dict[str, Any]:
    return patched(a_canary(), marking(a_canary(), "shop", a_mark(percent), BESIDE.text(), "w"))


def test_without_a_canary_nothing_goes_to_it_and_any_weight_is_yet_to_come() -> None:
    there = route(None, "shop", BESIDE)
    assert (there.weight, there.mark, there.beside) == (NOTHING, None, 4)
    assert there.version != route(None, "shop", Beside(5)).version, "stable was scaled since"
    assert there.version != route(a_canary(), "shop", BESIDE).version


@pytest.mark.parametrize(("percent", "count"), [(0, 0), (20, 1), (33.33, 2), (50, 4)])
def test_a_weight_is_written_as_pods_and_read_back(percent: float, count: int) -> None:
    written = with_weight(percent)
    assert written["spec"]["replicas"] == count
    assert marked(written, "shop")
    assert not marked(written, "shop-2")
    read = route(written, "shop", None)
    assert (read.weight, read.mark, read.original, read.beside) == (
        Weight.of(percent),
        a_mark(percent),
        BESIDE.text(),
        4,
    )


def test_other_pods_than_were_marked_are_another_weight() -> None:
    scaled = with_weight(20)
    scaled["spec"]["replicas"] = 6
    read = route(scaled, "shop", None)
    assert (read.weight, read.mark) == (Weight.of(60), a_mark(20))
    assert read.version != route(with_weight(20), "shop", None).version


def test_unmarked_pods_count_where_the_service_selects_them() -> None:
    assert route(a_canary(1), "shop", BESIDE).weight == Weight.of(20)
    assert route(a_canary(1), "shop", Beside(4, selected=False)).weight == NOTHING


@pytest.mark.parametrize("text", ["", "{}", "no", "[]", '{"stable": "x"}', '{"stable": -3}', "null"])
def test_beside_nobody_knows_what_only_nothing_can_be_had(text: str) -> None:
    with pytest.raises(Refused, match="none of stable's"):
        marking(a_canary(), "shop", a_mark(20), text, "w")
    closed = patched(with_weight(20), marking(with_weight(20), "shop", a_mark(0, Mode.CLOSED, 2), text, "w2"))
    assert closed["spec"]["replicas"] == 0


def test_more_than_half_cannot_be_had() -> None:
    with pytest.raises(Refused, match="60 % cannot be had by a number of pods: 50 % is the most"):
        marking(a_canary(), "shop", a_mark(60), BESIDE.text(), "w")


def test_put_back_it_has_no_pod_and_no_mark() -> None:
    assert patched(with_weight(50), restoring(with_weight(50), "shop"))["spec"]["replicas"] == 0
    assert not marked(patched(with_weight(50), restoring(with_weight(50), "shop")), "shop")
