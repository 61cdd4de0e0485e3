"""A template is read as it was written, and another image changes nothing else."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from serinus.errors import Refused
from serinus.kube.template import Template, containers, version
from tests.kube.objects import a_template

TWO = ({"name": "shop", "image": "team/shop:v1", "env": []}, {"name": "proxy", "image": "team/proxy:7"})


def test_a_template_is_read_as_it_was_written() -> None:
    template = a_template(*TWO, terminationGracePeriodSeconds=30)
    assert Template.of(template.text()) == template
    assert Template.of(template.text()).text() == template.text()


def test_another_image_changes_one_container_alone() -> None:
    template = a_template(*TWO, initContainers=[{"name": "shop-first", "image": "team/shop:v1"}])
    made = template.running("shop", "team/shop:v2")
    assert version(made.pod["spec"], "shop") == "v2"
    before, after = template.text(), made.text()
    assert after == before.replace('"image":"team/shop:v1","name":"shop"}', '"image":"team/shop:v2","name":"shop"}')
    assert template.text() == before


def test_a_restart_is_other_pods_of_the_same_code() -> None:
    template = a_template(*TWO)
    for others in ({}, {"annotations": {"team": "shop"}}):
        metadata = {"labels": {"app": "shop"}, **others}
        restarted = {**others.get("annotations", {}), "kubectl.kubernetes.io/restartedAt": "2026-12-01T12:00:00Z"}
        before = replace(template, pod={**template.pod, "metadata": metadata})
        after = replace(template, pod={**template.pod, "metadata": {**metadata, "annotations": restarted}})
        assert (after.code == before.code, after.text() == before.text()) == (True, False)
    assert template.running("shop", "team/shop:v2").code != template.code


@pytest.mark.parametrize(
    ("name", "why"), [("", "shop, proxy: name the one"), ("web", "no container 'web'.*shop, proxy")]
)
def test_which_container_must_be_clear(name: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        a_template(*TWO).running(name, "team/shop:v2")
    assert containers({"containers": [TWO[1]]}, "")["name"] == "proxy"


@pytest.mark.parametrize(
    "text", ["", "[]", '"v1"', json.dumps({"version": "v1"}), json.dumps({"pod": {}, "config": {}})]
)
def test_what_is_no_template_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="not the template of a Deployment"):
        Template.of(text)
