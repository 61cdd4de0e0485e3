"""Template and note are one write, on what was read alone; nothing else of stable is touched."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serinus.errors import Conflict, Refused
from serinus.kube import names, stable
from serinus.kube.template import Template
from serinus.release.record import Note
from tests.kube.objects import a_deployment
from tests.kube.patched import patched

NOTE = Note("shop-r1", 3, "new")
DIGEST = "sha256:" + "0a" * 32


def new() -> Template:
    return Template(a_deployment()["spec"]["template"]).running("", "team/shop:v2")


def test_a_template_comes_with_its_note_and_nothing_else_changes() -> None:
    found = a_deployment()
    made = patched(found, stable.written(found, new(), NOTE, {}))
    assert stable.note(found) is None
    assert stable.note(made) == NOTE
    assert made["spec"] == {**found["spec"], "template": new().pod}
    assert made["metadata"]["labels"] == found["metadata"]["labels"]


def test_it_is_written_only_as_it_was_read_and_leaves_what_others_scale() -> None:
    found = a_deployment()
    first = stable.written(found, new(), NOTE, {})
    scaled = {**found, "spec": {**found["spec"], "replicas": 7}}
    with pytest.raises(Conflict):
        patched({**scaled, "metadata": {**found["metadata"], "resourceVersion": "8"}}, first)
    noted = patched(scaled, first)
    undone = stable.written(noted, Template(found["spec"]["template"]), replace(NOTE, step="undone"), {})
    assert patched(noted, undone)["spec"] == scaled["spec"]
    assert [one["path"] for one in stable.written(noted, new(), NOTE, {})][1:] == [
        "/metadata/annotations/serinus.dev~1note"
    ]


def test_a_note_where_there_are_no_annotations_yet() -> None:
    found = a_deployment()
    del found["metadata"]["annotations"]
    assert stable.note(patched(found, stable.written(found, new(), NOTE, {}))) == NOTE


def test_what_was_analysed_is_known_until_a_template_is_put_back() -> None:
    found = a_deployment()
    what = stable.analysed(new(), "", [f"team/shop@{DIGEST}", DIGEST, ""])
    assert what == {"image": "team/shop:v2", "ids": [DIGEST]}
    made = patched(found, stable.written(found, new(), NOTE, what))
    assert stable.may_run(made) == what
    back = patched(made, stable.written(made, Template(found["spec"]["template"]), replace(NOTE, step="undone"), {}))
    assert stable.may_run(back) == {}
    assert stable.analysed(new(), "", [""]) == {}


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"release": 1, "token": 1, "step": "new"}'])
def test_a_note_that_is_none_is_refused_with_its_place(text: str) -> None:
    found = a_deployment()
    found["metadata"]["annotations"][names.NOTE] = text
    with pytest.raises(Refused, match=r"serinus.dev/note of shop is not"):
        stable.note(found)
