"""A store gives each number to one writer, loses nothing, and says so where it cannot write."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serinus.errors import Conflict, Refused, Unavailable
from serinus.stores import revisions
from serinus.stores.disk import SPARE_BYTES
from serinus.stores.revisions import KEPT, Store
from tests.conftest import fill
from tests.stores.counting import increment


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_what_was_written_is_read(store: Store) -> None:
    assert store.read() is None
    assert store.write(b"one", 0) == 1
    assert store.write(b"two", 1) == 2
    assert store.read() == (2, b"two")
    assert (store.folder / "r000000000001").read_bytes() == b"one"


def test_an_identical_write_is_a_new_revision(store: Store) -> None:
    store.write(b"same", 0)
    store.write(b"same", 1)
    assert store.read() == (2, b"same")


@pytest.mark.parametrize("after", [0, 1, 3])
def test_only_the_highest_can_be_followed(store: Store, after: int) -> None:
    store.write(b"one", 0)
    store.write(b"two", 1)
    with pytest.raises(Conflict):
        store.write(b"other", after)
    assert store.read() == (2, b"two")


@pytest.mark.parametrize("round_", range(10))
def test_of_many_threads_exactly_one_wins(store: Store, round_: int) -> None:
    ready = threading.Barrier(8)

    def race(name: int) -> int | None:
        ready.wait(timeout=30)
        try:
            return store.write(b"%d" % name, 0) and name
        except Conflict:
            return None

    with ThreadPoolExecutor(8) as pool:
        winners = [name for name in pool.map(race, range(1, 9)) if name is not None]
    assert len(winners) == 1
    assert store.read() == (1, b"%d" % winners[0])


def test_processes_that_count_together_lose_nothing(store: Store) -> None:
    code = "import sys; from tests.stores.counting import increment; increment(sys.argv[1], 40)"
    run = [sys.executable, "-c", code, str(store.folder)]
    racers = [subprocess.Popen(run) for _ in range(3)]
    assert [racer.wait(timeout=60) for racer in racers] == [0, 0, 0]
    assert store.read() == (120, b"120")
    assert not list(store.folder.glob(".draft-*"))


def test_a_writer_killed_at_any_moment_leaves_a_whole_store(store: Store) -> None:
    code = "import sys; from tests.stores.counting import increment; increment(sys.argv[1], 10**6)"
    for kills in range(1, 4):
        writer = subprocess.Popen([sys.executable, "-c", code, str(store.folder)])
        goal = (store.read() or (0, b""))[0] + 20 * kills
        while (store.read() or (0, b""))[0] < goal:
            assert writer.poll() is None
            os.sched_yield()
        writer.kill()
        writer.wait(timeout=60)
        number, content = store.read() or (0, b"")
        assert content == b"%d" % number
        assert store.write(b"%d" % (number + 1), number) == number + 1


def test_old_names_go_and_the_newest_hundred_stay(store: Store) -> None:
    increment(str(store.folder), KEPT + 20)
    numbers = sorted(int(path.name[1:]) for path in store.folder.iterdir())
    assert numbers == list(range(20, KEPT + 21))


def test_a_writer_who_slept_for_long_has_won_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is free again, because it has gone."""
    store.write(b"0", 0)
    late = Store(store.folder)
    monkeypatch.setattr(late, "_demand", lambda after: increment(str(store.folder), KEPT + 50))
    with pytest.raises(Conflict, match="far past 2"):
        late.write(b"late", 1)
    assert store.read() == (KEPT + 51, b"%d" % (KEPT + 50))


def test_a_beaten_writer_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    late = Store(store.folder)
    monkeypatch.setattr(late, "_demand", lambda after: store.write(b"first", 0))
    with pytest.raises(Conflict, match="in between"):
        late.write(b"late", 0)
    assert [path.name for path in store.folder.iterdir()] == ["r000000000001"]


def test_torn_and_foreign_names_are_passed_over_but_stay_taken(store: Store) -> None:
    store.write(b"one", 0)
    (store.folder / "r000000000002").touch()
    (store.folder / "r000000000003").mkdir()
    (store.folder / "r000000000004").symlink_to("/etc/hostname")
    (store.folder / "notes.txt").write_text("by a person")
    (store.folder / "r5").write_text("by a person")
    assert store.read() == (4, b"one")
    assert store.write(b"five", 4) == 5
    assert store.read() == (5, b"five")


def test_a_store_of_foreign_files_alone_says_so(store: Store) -> None:
    store.folder.mkdir()
    (store.folder / "r000000000001").touch()
    with pytest.raises(Refused, match="none that can be read"):
        store.read()


@pytest.mark.parametrize("content", [b"", b"by a person"])
@pytest.mark.parametrize("number", [10**12 - 1, 2 * 10**9])
def test_a_number_that_no_write_can_have_reached_is_nobody_s(store: Store, number: int, content: bytes) -> None:
    store.write(b"one", 0)
    store.write(b"two", 1)
    (store.folder / f"r{number:012d}").write_bytes(content)
    assert store.read() == (2, b"two")
    assert store.write(b"three", 2) == 3
    with pytest.raises(Conflict, match="at revision 3"):
        store.write(b"late", 2)
    assert store.read() == (3, b"three")


def test_a_number_ahead_that_leaves_room_counts_at_once(store: Store) -> None:
    """Passed over it would come to count when the writes get there."""
    store.write(b"one", 0)
    (store.folder / "r000000005000").touch()
    assert store.read() == (5000, b"one")
    with pytest.raises(Conflict):
        store.write(b"two", 1)
    assert store.write(b"two", 5000) == 5001
    assert store.read() == (5001, b"two")


def test_a_late_name_far_below_hides_nothing(store: Store) -> None:
    increment(str(store.folder), KEPT + 50)
    (store.folder / "r000000000003").write_bytes(b"late")
    assert store.read() == (KEPT + 50, b"%d" % (KEPT + 50))


def test_a_number_past_the_last_is_refused(store: Store) -> None:
    store.folder.mkdir()
    (store.folder / "r999999999999").write_bytes(b"last")
    number, content = store.read() or (0, b"")
    assert content == b"last"
    with pytest.raises(Refused, match="last possible"):
        store.write(b"more", number)


def test_what_is_not_whole_for_its_reader_is_passed_over_and_stays_taken(store: Store) -> None:
    store.write(b"one", 0)
    store.write(b"{torn", 1)
    assert store.read() == (2, b"{torn")
    assert store.read(whole=lambda content: content != b"{torn") == (2, b"one")
    with pytest.raises(Refused, match="none that can be read"):
        store.read(whole=lambda content: False)


def test_drafts_of_the_dead_go_and_those_of_the_living_stay(store: Store) -> None:
    store.write(b"one", 0)
    for name, age in ((".draft-1-dead", 3600), (".draft-2-living", 1)):
        draft = store.folder / name
        draft.touch()
        now = draft.stat().st_mtime
        os.utime(draft, (now - age, now - age))
    store.write(b"two", 1)
    assert [path.name for path in store.folder.glob(".draft-*")] == [".draft-2-living"]


def test_a_file_in_the_folder_s_place_is_refused(store: Store) -> None:
    store.folder.write_text("not a folder")
    with pytest.raises(Refused, match="cannot be read"):
        store.read()
    with pytest.raises(Refused, match="cannot be written"):
        store.write(b"one", 0)


def test_an_empty_revision_is_a_mistake_of_the_caller(store: Store) -> None:
    with pytest.raises(ValueError, match="never empty"):
        store.write(b"", 0)


def test_a_full_disk_is_said_and_leaves_nothing(small_disk: Path) -> None:
    store = Store(small_disk / "store")
    store.write(b"one", 0)
    hog = fill(small_disk)
    with pytest.raises(Unavailable, match=r"cannot be written: No space left on device.*free some space"):
        store.write(b"two" * 3000, 1)
    assert [path.name for path in store.folder.iterdir()] == ["r000000000001"]
    hog.unlink()
    assert store.write(b"two", 1) == 2


def test_what_was_laid_by_lets_one_write_through_on_a_full_disk(small_disk: Path) -> None:
    store = Store(small_disk / "store")
    store.write(b"one", 0)
    store.reserve()
    store.reserve()
    hog = fill(small_disk)
    with pytest.raises(Unavailable):
        store.write(b"greedy", 1)
    closed = b"closed" * 1000
    assert store.write(closed, 1, sparing=True) == 2
    assert store.read() == (2, closed)
    hog.unlink()
    fill(small_disk)
    with pytest.raises(Unavailable):
        store.write(b"again", 2, sparing=True)
    assert store.read() == (2, closed)


def test_what_is_larger_than_was_laid_by_changes_nothing(small_disk: Path) -> None:
    store = Store(small_disk / "store")
    store.write(b"one", 0)
    store.reserve()
    fill(small_disk)
    with pytest.raises(Unavailable):
        store.write(b"x" * (SPARE_BYTES + 1), 1, sparing=True)
    assert store.write(b"fits", 1, sparing=True) == 2


@pytest.mark.parametrize("code", ["ENOSPC", "EDQUOT"])
def test_a_full_disk_where_none_can_be_mounted(store: Store, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """The same at the seam of the operating system: nothing new can be filled, what was laid by can."""
    store.write(b"one", 0)
    store.reserve()
    write = os.write

    def full(handle: int, data: bytes) -> int:
        if os.fstat(handle).st_size < SPARE_BYTES:
            raise OSError(getattr(errno, code), os.strerror(getattr(errno, code)))
        return write(handle, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(Unavailable, match="free some space"):
        store.write(b"two", 1)
    assert store.write(b"closed", 1, sparing=True) == 2
    assert store.read() == (2, b"closed")


@settings(max_examples=60, deadline=None)
@given(moves=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["read", "write"])), max_size=40))
def test_no_order_of_reads_and_writes_loses_a_write(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[int, str]]
) -> None:
    """Each writer follows what it last read: landed writes are a chain without a fork."""
    store = Store(tmp_path_factory.mktemp("store"))
    seen, landed = dict.fromkeys(range(4), 0), 0
    for count, (who, what) in enumerate(moves):
        if what == "read":
            seen[who] = (store.read() or (0, b""))[0]
            continue
        try:
            assert store.write(b"%d by %d" % (count, who), seen[who]) == landed + 1
            assert seen[who] == landed
            landed += 1
        except Conflict:
            assert seen[who] != landed
    assert len([path for path in store.folder.iterdir() if revisions._NAME.fullmatch(path.name)]) == landed
