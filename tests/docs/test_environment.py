"""Does a clone set itself up by what the user told pip, and leave alone what is in order?"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / ".ci" / "environment.py"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script as a module, in a home without settings of pip's or uv's."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "XDG_")) or name == "SSL_CERT_FILE"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    spec = importlib.util.spec_from_file_location("environment", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def told(home: Path, text: str) -> None:
    (home / ".config" / "pip").mkdir(parents=True)
    (home / ".config" / "pip" / "pip.conf").write_text(text)


def test_uv_is_told_what_pip_is_told(environment: ModuleType, tmp_path: Path) -> None:
    told(
        tmp_path,
        "[global]\nindex-url = https://mirror.example/simple\ncert = /etc/ca.pem\n[install]\nproxy = http://p:3128\n",
    )
    settings = environment.uv_settings()
    assert settings["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert settings["SSL_CERT_FILE"] == "/etc/ca.pem"
    assert settings["ALL_PROXY"] == "http://p:3128"


def test_a_file_yields_to_pip_s_environment_and_that_to_uv_s_own(
    environment: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(tmp_path, "[global]\nindex_url = https://file.example/simple\n")
    assert environment.uv_settings()["UV_DEFAULT_INDEX"] == "https://file.example/simple"
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip.example/simple")
    assert environment.uv_settings()["UV_DEFAULT_INDEX"] == "https://pip.example/simple"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://uv.example/simple")
    assert environment.uv_settings()["UV_DEFAULT_INDEX"] == "https://uv.example/simple"


def test_no_index_is_named_and_no_python_fetched(environment: ModuleType) -> None:
    settings = environment.uv_settings()
    assert "UV_PYTHON_DOWNLOADS" in settings
    assert settings["UV_PYTHON_DOWNLOADS"] == "never"
    assert "://" not in SOURCE.read_text("utf-8")


def test_what_is_in_sync_is_left_alone(
    environment: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("uv.lock", "pyproject.toml"):
        (tmp_path / name).write_text(name)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(environment, "STAMP", tmp_path / ".venv" / "stamp")
    assert not environment.in_sync()
    environment.STAMP.write_text(f"{environment.wanted()} {tmp_path}\n")
    assert environment.in_sync()
    (tmp_path / "uv.lock").write_text("another")
    assert not environment.in_sync()


def test_a_uv_that_is_too_old_or_does_not_start_is_not_taken(environment: ModuleType, tmp_path: Path) -> None:
    for name, script, taken in (
        ("old", "echo uv 0.4.1", False),
        ("new", "echo uv 99.1.0", True),
        ("torn", "exit 1", False),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
        assert environment.works(str(tmp_path / name)) is taken
    assert not environment.works(str(tmp_path / "absent"))


def test_make_without_a_target_says_what_there_is() -> None:
    said = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True).stdout
    assert {line.split()[1] for line in said.splitlines()} >= {"demo", "test", "check", "bench", "clean", "help"}
