"""What the environment says, and what it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from serinus.settings import Folders, Settings


def test_an_empty_name_is_an_unset_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERINUS_STATE", "")
    monkeypatch.setenv("SERINUS_API", "")
    assert Settings() == Settings(state=None, api="")
    assert Folders.resolve(start=tmp_path).state == tmp_path / ".serinus"


def test_a_named_folder_is_meant_wherever_it_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERINUS_STATE", str(tmp_path / "there"))
    assert Folders.resolve(start=tmp_path).state == tmp_path / "there"
