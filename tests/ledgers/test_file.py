"""What a file can suffer: torn tails, other hands, a full disk, names that are none."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serinus.errors import Refused, Unavailable
from serinus.ledgers.file import FileLedger
from serinus.release.evidence import verify
from serinus.release.record import to_json
from serinus.settings import Folders
from serinus.stores import disk
from serinus.stores.revisions import Store
from tests.conftest import fill
from tests.ledgers.test_contract import a_record, an_ask, some_lines

LINES = some_lines(6)
WHOLE = "".join(f"{line.text}\n" for line in LINES).encode()


@pytest.fixture
def ledger(folders: Folders) -> FileLedger:
    folders.evidence.mkdir(parents=True)
    return FileLedger(folders, "shop")


def log(folders: Folders) -> Path:
    return folders.evidence / "r-1.log"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, len(WHOLE)))
async def test_a_tail_torn_anywhere_is_completed(ledger: FileLedger, folders: Folders, cut: int) -> None:
    log(folders).write_bytes(WHOLE[:cut])
    await ledger.append("r-1", LINES)
    assert log(folders).read_bytes() == WHOLE


async def test_a_torn_tail_is_completed_by_its_own_line_alone(ledger: FileLedger, folders: Folders) -> None:
    log(folders).write_bytes(WHOLE[: len(LINES[0].text) + 10])
    await ledger.append("r-1", LINES[:1])
    assert log(folders).read_bytes() == WHOLE[: len(LINES[0].text) + 10]
    await ledger.append("r-1", LINES[1:])
    assert log(folders).read_bytes() == WHOLE


@pytest.mark.parametrize("tail", [b"by hand", b"\0\0\0\0", b'{"at":"1999', b"\n", b"\xff\xfe\n"])
async def test_what_is_not_its_beginning_is_refused_and_never_mended(
    ledger: FileLedger, folders: Folders, tail: bytes
) -> None:
    held = f"{LINES[0].text}\n".encode() + tail
    log(folders).write_bytes(held)
    with pytest.raises(Refused, match="nothing was written"):
        await ledger.append("r-1", LINES)
    assert log(folders).read_bytes() == held
    assert verify(await ledger.lines("r-1")) != ()


async def test_a_changed_line_is_refused(ledger: FileLedger, folders: Folders) -> None:
    changed = WHOLE.replace(b'"seconds":1', b'"seconds":7')
    log(folders).write_bytes(changed)
    with pytest.raises(Refused, match="line 2 is not the one"):
        await ledger.append("r-1", LINES)
    assert log(folders).read_bytes() == changed


@pytest.mark.parametrize("release", ["../r", "", "a/b", "-x", "x" * 200, "a\nb", ".."])
async def test_a_release_is_no_path(ledger: FileLedger, release: str) -> None:
    with pytest.raises(Refused, match="no release's id"):
        await ledger.append(release, LINES)


async def test_a_folder_in_the_log_s_place_is_said(ledger: FileLedger, folders: Folders) -> None:
    log(folders).mkdir()
    with pytest.raises(Refused, match=r"r-1\.log cannot be written"):
        await ledger.append("r-1", LINES)
    with pytest.raises(Refused, match=r"r-1\.log cannot be read"):
        await ledger.lines("r-1")


async def test_on_a_full_disk_what_is_missing_comes_later(small_disk: Path) -> None:
    ledger = FileLedger(Folders.at(small_disk), "shop")
    lines = some_lines(400)
    kept = await ledger.write(a_record(), None)
    await ledger.append("r-1", lines[:3])
    hog = fill(small_disk)
    with pytest.raises(Unavailable, match="free some space"):
        await ledger.append("r-1", lines)
    with pytest.raises(Unavailable, match="free some space"):
        await ledger.write(replace(a_record(), beat=2), kept.version)
    with pytest.raises(Unavailable):
        await ledger.ask(an_ask())
    assert await ledger.read() == kept
    hog.unlink()
    await ledger.append("r-1", lines)
    assert await ledger.lines("r-1") == tuple(line.text for line in lines)


async def test_what_is_asked_of_one_release_never_lands_on_the_next(
    ledger: FileLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was read, it ended and another began, and only then comes the write."""
    await ledger.write(a_record(), None)
    write, others = ledger._store.write, [to_json(a_record(release="r-2", token=2))]

    def beaten(content: bytes, after: int) -> int:
        if others:
            write(others.pop(), after)
        return write(content, after)

    monkeypatch.setattr(ledger._store, "write", beaten)
    with pytest.raises(Refused, match=r"r-1 ended .* nothing was asked of r-2"):
        await ledger.ask(an_ask())
    kept = await ledger.read()
    assert kept is not None
    assert kept.record == a_record(release="r-2", token=2)


async def test_what_is_wrong_with_a_record_is_said_in_words(ledger: FileLedger, folders: Folders) -> None:
    Store(folders.service("shop") / "record").write(b'{"half":', 0)
    with pytest.raises(Refused, match=r"record: revision 1 is no record: Invalid JSON: EOF"):
        await ledger.read()


async def test_a_record_as_deep_as_a_well_is_refused(ledger: FileLedger, folders: Folders) -> None:
    Store(folders.service("shop") / "record").write(b"[" * 100_000, 0)
    with pytest.raises(Refused, match="revision 1 is no record"):
        await ledger.read()


async def test_a_bounded_wait_for_a_disk_that_hangs(ledger: FileLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()
    monkeypatch.setattr(disk, "CALL_SECONDS", 0.05)
    monkeypatch.setattr(ledger._store, "read", lambda: released.wait(30) and None)
    with pytest.raises(Unavailable, match="did not answer"):
        await ledger.read()
    released.set()
