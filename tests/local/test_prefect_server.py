"""What the local Prefect server need not do at its start, and what it has all the same."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from serinus.local import prefect_server as server
from serinus.local.programs import database_file
from tests.flows.serving import PrefectServer


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with a database at version `new`."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return at(database_file(), "new")


def at(file: Path, version: str, blocks: int = 2) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("create table alembic_version (version_num text)")
        database.execute("insert into alembic_version values (?)", (version,))
        database.execute("create table block_type (slug text)")
        database.executemany("insert into block_type values (?)", [(str(number),) for number in range(blocks)])
    return file


def migrates(folder: Path) -> str:
    """And registers its blocks."""
    told = server.environment(folder, 4200)
    [said] = {told["PREFECT_API_DATABASE_MIGRATE_ON_START"], told["PREFECT_SERVER_REGISTER_BLOCKS_ON_START"]}
    return said


def test_a_database_that_was_just_placed_is_not_migrated(prepared: Path, tmp_path: Path) -> None:
    server.place_database(tmp_path / "prefect", lambda _: None)
    assert migrates(tmp_path / "prefect") == "false"


def test_an_older_one_stays_and_is_migrated(prepared: Path, tmp_path: Path) -> None:
    older = at(tmp_path / "prefect" / "prefect.db", "old").read_bytes()
    server.place_database(tmp_path / "prefect", lambda _: None)
    assert (tmp_path / "prefect" / "prefect.db").read_bytes() == older
    assert migrates(tmp_path / "prefect") == "true"


@pytest.mark.parametrize(("blocks", "said"), [(0, "true"), (1, "true"), (2, "false"), (3, "false")])
def test_one_that_lacks_types_of_blocks_gets_them(blocks: int, said: str, prepared: Path, tmp_path: Path) -> None:
    at(tmp_path / "prefect.db", "new", blocks)
    assert migrates(tmp_path) == said
    assert sorted(file.name for file in prepared.parent.iterdir()) == [prepared.name], "to look leaves nothing"


@pytest.mark.parametrize("content", [None, b"", b"no database at all"], ids=["none", "empty", "torn"])
def test_what_tells_no_version_is_the_server_s_own_question(
    content: bytes | None, prepared: Path, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "prefect.db").write_bytes(content)
    assert migrates(tmp_path) == "true"
    if content is not None:
        prepared.write_bytes(content)
    else:
        prepared.unlink()
    at(tmp_path / "prefect.db", "new")
    assert migrates(tmp_path) == "true"


@pytest.mark.real
def test_it_has_the_types_of_blocks_that_an_automation_needs(prefect_server: PrefectServer) -> None:
    slugs = {each["slug"] for each in prefect_server.post("/block_types/filter")}
    assert {"secret", "slack-webhook", "webhook"} <= slugs
