from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from serinus.local.fault import NONE, Fault, fault_of, faults_file, write_fault


def test_without_a_file_nothing_is_broken(tmp_path: Path) -> None:
    assert fault_of(faults_file(tmp_path), "stable") == NONE


def test_an_arm_s_own_fault_comes_before_everybody_s(tmp_path: Path) -> None:
    path = faults_file(tmp_path)
    write_fault(path, "all", Fault(error_rate=0.2))
    write_fault(path, "canary", Fault(dead=True))
    assert fault_of(path, "stable") == Fault(error_rate=0.2)
    assert fault_of(path, "canary") == Fault(dead=True)


def test_an_arm_can_be_spared_what_everybody_suffers(tmp_path: Path) -> None:
    path = faults_file(tmp_path)
    write_fault(path, "all", Fault(error_rate=0.2))
    write_fault(path, "canary", NONE)
    assert fault_of(path, "canary") == NONE


def test_ending_everybody_s_ends_all(tmp_path: Path) -> None:
    path = faults_file(tmp_path)
    write_fault(path, "canary", Fault(latency_seconds=0.3))
    write_fault(path, "all", NONE)
    assert fault_of(path, "canary") == NONE


@pytest.mark.parametrize("wrong", [{"error_rate": 1.5}, {"error_rate": -0.1}, {"latency_seconds": 61}])
def test_impossible_faults_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"not 1\.5|not -0\.1|not 61"):
        Fault(**wrong)


@pytest.mark.parametrize("text", ["[]", "{", '{"all": {"speed": 1}}', '{"all": 3}'])
def test_another_file_is_an_error_that_can_be_told(tmp_path: Path, text: str) -> None:
    faults_file(tmp_path).write_text(text)
    with pytest.raises(ValueError, match="."):
        fault_of(faults_file(tmp_path), "all")
