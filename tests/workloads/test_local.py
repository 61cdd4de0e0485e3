"""The local workload between its stores and the supervisor's word: what counts as settled, and what silence means."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from serinus.errors import Conflict, Refused, Unavailable
from serinus.release.record import Note
from serinus.settings import Folders
from serinus.stores.pods import Pods, PodStatus, canonical, write_pods
from serinus.stores.process import Identity, identity_of
from serinus.stores.revisions import Store
from serinus.workloads.local import SILENT_SECONDS, LocalWorkload

TEMPLATE = canonical({"version": "v1"})
NOW = 1000.0


def supervisor() -> Identity:
    me = identity_of(os.getpid())
    assert me is not None
    return me


def a_pod(name: str = "p-1", **changes: object) -> PodStatus:
    return replace(PodStatus(name, "stable", "v1", TEMPLATE, True, True, False), **changes)  # type: ignore[arg-type]


def says(folders: Folders, *pods: PodStatus, **changes: object) -> None:
    word = Pods(NOW, supervisor(), ("v1", "v2"), {"stable": "1"}, pods)
    write_pods(folders.service("shop"), replace(word, **changes))  # type: ignore[arg-type]


@pytest.fixture
def workload(folders: Folders) -> LocalWorkload:
    """Two of v1 are wanted and serve."""
    store = Store(folders.service("shop") / "stable")
    store.write(json.dumps({"template": {"version": "v1"}, "replicas": 2, "note": None}).encode(), 0)
    says(folders, a_pod("p-1"), a_pod("p-2"))
    return LocalWorkload(folders, "shop", lambda: NOW)


async def test_all_wanted_serve_and_nothing_else_is_there(workload: LocalWorkload) -> None:
    side = await workload.stable()
    assert (side.settled, side.ready, side.revision) == (True, 2, "1")


@pytest.mark.parametrize(
    "second",
    [
        {"ready": False, "serving": False},
        {"serving": False},
        {"leaving": True},
        {"template": canonical({"version": "v2"}), "version": "v2"},
        {"template": canonical({"version": "v1", "color": "red"})},
    ],
)
async def test_one_that_is_not_so_far_unsettles(
    workload: LocalWorkload, folders: Folders, second: dict[str, object]
) -> None:
    says(folders, a_pod("p-1"), a_pod("p-2", **second))
    assert not (await workload.stable()).settled


async def test_one_of_another_template_that_has_not_gone_unsettles(workload: LocalWorkload, folders: Folders) -> None:
    says(folders, a_pod("p-1"), a_pod("p-2"), a_pod("p-0", leaving=True))
    side = await workload.stable()
    assert (side.settled, side.ready) == (False, 2)


async def test_a_word_on_an_older_revision_settles_nothing(workload: LocalWorkload) -> None:
    seen = await workload.stable()
    written = await workload.put_stable(seen.template, Note("r-1", 1, "new"), seen)
    assert (written.revision, written.settled) == ("2", False)


async def test_the_canary_s_processes_are_not_stable_s(workload: LocalWorkload, folders: Folders) -> None:
    says(folders, a_pod("p-1"), a_pod("p-2"), a_pod("c-1", arm="canary", ready=False))
    assert (await workload.stable()).settled


async def test_trouble_comes_with_its_words(workload: LocalWorkload, folders: Folders) -> None:
    says(folders, a_pod("p-1"), a_pod("p-2", ready=False, serving=False, trouble="CrashLoopBackOff", log="no config"))
    assert [(pod.trouble, pod.log) for pod in (await workload.stable()).pods] == [
        ("", ""),
        ("CrashLoopBackOff", "no config"),
    ]


async def test_a_template_keeps_what_it_does_not_know(workload: LocalWorkload, folders: Folders) -> None:
    side = replace(await workload.stable(), template=canonical({"version": "v1", "color": "red"}))
    assert await workload.template_for("v2", side) == canonical({"color": "red", "version": "v2"})


async def test_a_supervisor_that_is_silent_does_not_answer(workload: LocalWorkload, folders: Folders) -> None:
    says(folders, at=NOW - SILENT_SECONDS - 1)
    for call in (workload.stable(), workload.put_canary("r-1", TEMPLATE, 1)):
        with pytest.raises(Unavailable, match=r"the supervisor does not answer \(silent for 4 s\)"):
            await call
    assert Store(folders.service("shop") / "canary").read() is None


async def test_a_supervisor_that_is_gone_does_not_answer_however_young_its_word(
    workload: LocalWorkload, folders: Folders
) -> None:
    says(folders, supervisor=replace(supervisor(), start_time=1))
    with pytest.raises(Unavailable, match=r"the supervisor does not answer \(pid \d+ is gone\)"):
        await workload.stable()


async def test_a_canary_is_taken_away_without_a_supervisor_too(workload: LocalWorkload, folders: Folders) -> None:
    await workload.put_canary("r-1", TEMPLATE, 1)
    says(folders, supervisor=replace(supervisor(), start_time=1))
    await workload.remove_canary("r-1")
    assert await workload.canary() is None


async def test_before_the_supervisor_has_spoken(workload: LocalWorkload, folders: Folders) -> None:
    (folders.service("shop") / "pods.json").unlink()
    with pytest.raises(Unavailable, match="has not yet spoken of shop"):
        await workload.stable()


async def test_a_service_that_nobody_made(folders: Folders) -> None:
    with pytest.raises(Refused, match="there is no service till"):
        await LocalWorkload(folders, "till").stable()


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"template": {"version": 3}, "replicas": 1, "release": "r-1"}',
        b'{"template": {"version": "v2"}, "replicas": -1, "release": "r-1"}',
        b'{"template": {"version": "v2"}, "replicas": 2}',
        b'{"template": {"version": "v2"}, "replicas": 2, "release": 7}',
    ],
)
async def test_a_store_that_holds_something_else_is_refused(
    workload: LocalWorkload, folders: Folders, content: bytes
) -> None:
    Store(folders.service("shop") / "canary").write(content, 0)
    with pytest.raises(Refused, match="revision 1, is not a workload"):
        await workload.canary()
    with pytest.raises(Refused, match="revision 1, is not a workload"):
        await workload.put_canary("r-1", TEMPLATE, 1)
    with pytest.raises(Refused, match="revision 1, is not a workload"):
        await workload.remove_canary("r-1")


async def test_what_is_missing_is_named(workload: LocalWorkload, folders: Folders) -> None:
    Store(folders.service("shop") / "canary").write(b'{"template": {"version": "v2"}, "replicas": 2}', 0)
    with pytest.raises(Refused, match=r"canary, revision 1, .*`release`"):
        await workload.canary()


@pytest.mark.parametrize("note", ['"new"', "{}", '{"release": "r-1", "token": "x", "step": "new"}', "[1]"])
async def test_a_note_that_is_none_is_refused(workload: LocalWorkload, folders: Folders, note: str) -> None:
    content = f'{{"template": {{"version": "v1"}}, "replicas": 2, "note": {note}}}'
    Store(folders.service("shop") / "stable").write(content.encode(), 1)
    with pytest.raises(Refused, match=r"stable, revision 2, .*note"):
        await workload.stable()


async def test_a_word_that_is_none_is_refused(workload: LocalWorkload, folders: Folders) -> None:
    (folders.service("shop") / "pods.json").write_text("{")
    with pytest.raises(Refused, match="not the supervisor's"):
        await workload.stable()


async def test_a_write_in_between_wins(workload: LocalWorkload, folders: Folders) -> None:
    seen = await workload.stable()
    Store(folders.service("shop") / "stable").write(b'{"template": {"version": "v2"}, "replicas": 2}', 1)
    with pytest.raises(Conflict):
        await workload.put_stable(seen.template, Note("r-1", 1, "new"), seen)
