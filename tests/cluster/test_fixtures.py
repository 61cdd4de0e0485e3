"""Where does a test process keep its cluster, and what does it clear away?"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from tests.cluster.fixtures import PREFIX, new_folder


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_a_killed_process_left_goes_when_the_next_one_starts(temporary: Path) -> None:
    left = temporary / f"{PREFIX}{os.getpid()}-1-abc"  # a process with our number that started at another time
    left.mkdir()
    (left / "cluster.json").touch()
    first = new_folder()
    assert not left.exists()
    assert first.is_dir()


def test_a_folder_of_a_process_that_lives_stays(temporary: Path) -> None:
    assert new_folder() != (second := new_folder())
    assert set(temporary.iterdir()) > {second}


def test_a_folder_that_is_named_otherwise_is_nobodys_business(temporary: Path) -> None:
    for name in (f"{PREFIX}notes", f"{PREFIX}1", "other"):
        (temporary / name).mkdir()
    new_folder()
    assert len(list(temporary.iterdir())) == 4
