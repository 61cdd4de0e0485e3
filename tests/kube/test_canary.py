"""The canary is stable with another image, out of reach of stable's Service, and stable can be made of it again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.errors import Conflict, Refused
from serinus.kube import canary, names, selector
from serinus.kube.template import Template
from tests.kube.objects import LABELS, a_deployment, a_template
from tests.kube.patched import patched

OWN = {"matchLabels": {"app": "shop"}}
WORDS = st.text("abc", min_size=1, max_size=3)
LABELLED = st.dictionaries(WORDS, WORDS, min_size=1, max_size=5)


def test_one_label_is_changed_of_those_that_the_service_selects() -> None:
    assert canary.changed_labels(LABELS, {"app": "shop"}, OWN, {}) == {"app": "shop-canary"}
    assert canary.changed_labels({**LABELS, "track": "a"}, {"app": "shop", "track": "a"}, OWN, {}) == {
        "app": "shop-canary"
    }
    assert canary.changed_labels(LABELS, {"app": "shop", "tier": "web"}, {}, {}) == {"tier": "web-canary"}
    assert canary.changed_labels(LABELS, {}, OWN, {}) == {}


def test_labels_that_a_canary_deployment_demands_suffice_where_they_differ() -> None:
    assert canary.changed_labels(LABELS, {"app": "shop"}, OWN, {"app": "other"}) == {"app": "other"}
    wanted = canary.changed_labels(LABELS, {"app": "shop", "tier": "web"}, OWN, {"app": "shop"})
    assert wanted == {"app": "shop", "tier": "web-canary"}
    with pytest.raises(Refused, match="demands as well"):
        canary.changed_labels(LABELS, {"app": "shop"}, OWN, {"app": "shop", "track": "canary"})


def test_a_service_that_does_not_select_stable_is_refused() -> None:
    with pytest.raises(Refused, match="selects app=web, and stable's pods are app=shop, tier=web"):
        canary.changed_labels(LABELS, {"app": "web"}, OWN, {})


@given(LABELLED, st.data())
def test_whatever_the_labels_the_canary_gets_none_of_stable_s_requests(
    labels: dict[str, str], data: st.DataObject
) -> None:
    chosen = data.draw(st.lists(st.sampled_from(sorted(labels)), min_size=1, unique=True))
    service = {key: labels[key] for key in chosen}
    changed = canary.changed_labels(labels, service, {"matchLabels": labels}, {})
    assert len(changed) == 1
    assert not selector.matches({"matchLabels": service}, {**labels, **changed})


def made(template: Template, fixed: dict[str, str] | None = None) -> dict[str, Any]:
    stable = a_deployment()
    changed = canary.changed_labels(template.pod["metadata"]["labels"], {"app": "shop"}, OWN, fixed or {})
    return canary.deployment(stable, template, "shop-r1", 1, changed)


def test_a_canary_deployment_is_stable_s_without_what_is_stable_s_alone() -> None:
    template = a_template().running("", "team/shop:v2")
    found = made(template)
    assert found["metadata"]["name"] == "shop-canary"
    assert "argocd.argoproj.io/tracking-id" not in found["metadata"]["annotations"]
    assert found["metadata"]["labels"] == {names.MANAGED_BY: "serinus", names.RELEASE: "shop-r1"}
    spec = found["spec"]
    assert (spec["replicas"], spec["minReadySeconds"], spec["strategy"]) == (1, 1, {"type": "RollingUpdate"})
    assert selector.matches(spec["selector"], spec["template"]["metadata"]["labels"])
    assert not selector.matches(spec["selector"], LABELS)
    assert spec["template"]["metadata"]["labels"] == {
        "app": "shop-canary", "tier": "web", names.CANARY: "shop-canary", names.RELEASE: "shop-r1",
    }  # fmt: skip
    assert canary.release_of(found) == "shop-r1"
    assert canary.release_of(a_deployment()) == ""


@pytest.mark.parametrize("fixed", [{}, {"app": "other", "track": "canary"}])
def test_stable_is_given_the_very_template_that_the_canary_stands_for(fixed: dict[str, str]) -> None:
    template = a_template().running("", "team/shop:v2")
    assert canary.analysed(made(template, fixed)).text() == template.text()


def test_a_canary_that_was_edited_stands_for_what_it_runs() -> None:
    found = made(a_template())
    found["spec"]["template"]["spec"]["containers"][0]["image"] = "team/shop:v9"
    assert canary.analysed(found).text() == a_template().running("", "team/shop:v9").text()
    found["metadata"]["annotations"][names.STABLE_LABELS] = "[]"
    with pytest.raises(Refused, match="stable-labels of shop-canary was changed"):
        canary.analysed(found)


def test_a_long_release_is_whole_in_the_annotation_and_fits_in_the_label() -> None:
    release = "s" * 60 + "-20261124-122658-abcd"
    assert len(canary.labels(release)[names.RELEASE]) <= 63
    assert canary.notes(release, a_template(), {})[names.RELEASE] == release
    assert json.loads(canary.notes(release, a_template(), {"new": "x"})[names.STABLE_LABELS]) == {"new": [None, "x"]}


def test_a_canary_that_is_as_wanted_is_not_written() -> None:
    found = {**made(a_template()), "status": {}}
    found["metadata"]["uid"] = "c-1"
    assert canary.rewritten(found, a_template(), 1) == []
    assert patched(found, canary.rewritten(found, a_template(), 3))["spec"]["replicas"] == 3


def test_a_canary_is_scaled_whatever_its_status_says_and_put_back_only_as_it_was_read() -> None:
    wanted = a_template().running("", "team/shop:v2")
    found = made(wanted)
    found["metadata"] |= {"uid": "c-1", "resourceVersion": "5"}
    later = {**found, "metadata": {**found["metadata"], "resourceVersion": "6"}, "status": {"replicas": 1}}
    assert patched(later, canary.rewritten(found, wanted, 2))["spec"]["replicas"] == 2
    other = json.loads(json.dumps(later).replace("shop-r1", "shop-r2"))
    with pytest.raises(Conflict):
        patched(other, canary.rewritten(found, wanted, 2))
    edited = json.loads(json.dumps(found).replace("team/shop:v2", "team/shop:v9"))
    operations = canary.rewritten(edited, wanted, 1)
    assert patched(edited, operations)["spec"] == found["spec"]
    with pytest.raises(Conflict):
        patched(later, operations)


FOUND: dict[str, Any] = {
    "metadata": {"name": "shop-canary", "uid": "c-1", "resourceVersion": "5", "labels": {"team": "a"}},
    "spec": {
        "replicas": 0,
        "selector": {"matchLabels": {"app": "shop", "track": "canary"}},
        "template": a_template(labels={"app": "shop", "track": "canary"}).pod,
        "paused": False,
    },
}  # fmt: skip


def test_a_deployment_that_was_there_is_adopted_and_given_back_as_it_was() -> None:
    wanted = a_template(labels={**LABELS, "track": "stable"}).running("", "team/shop:v2")
    fixed = FOUND["spec"]["selector"]["matchLabels"]
    changed = canary.changed_labels(wanted.pod["metadata"]["labels"], {"app": "shop", "track": "stable"}, OWN, fixed)
    taken = patched(FOUND, canary.adopted(FOUND, wanted, "shop-r1", 2, changed))
    assert canary.release_of(taken) == "shop-r1"
    assert taken["metadata"]["labels"] == {"team": "a", names.RELEASE: "shop-r1"}
    assert selector.matches(taken["spec"]["selector"], taken["spec"]["template"]["metadata"]["labels"])
    assert canary.analysed(taken) == wanted
    back = canary.given_back(patched(taken, canary.rewritten(taken, wanted, 5)))
    assert back is not None
    given = patched(taken, back)
    assert given["spec"] == FOUND["spec"]
    assert given["metadata"] | {"annotations": {}} == FOUND["metadata"] | {"annotations": {}}
    assert canary.given_back(made(wanted)) is None


def test_a_deployment_whose_selector_cannot_be_met_is_refused() -> None:
    wants = {"matchLabels": {"app": "x"}, "matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}
    other = {**FOUND, "spec": {**FOUND["spec"], "selector": wants}}
    with pytest.raises(Refused, match="its selector wants other pods"):
        canary.adopted(other, a_template(), "shop-r1", 2, {"app": "x"})
