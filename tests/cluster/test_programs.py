"""Where are a cluster's programs, and what decides that?"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from serinus.errors import Refused
from serinus.local.cluster import programs, toolchain
from serinus.local.cluster.programs import SETS, TOOLS, ToolSet, program


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "serinus" / "cluster"


def test_a_program_that_is_not_built_says_how_to_build_it(empty_cache: Path) -> None:
    with pytest.raises(Refused, match=r"kubectl has not been built: `python -m serinus.local.cluster build` does it"):
        program("kubectl")


def test_a_program_is_found_where_its_set_was_built(empty_cache: Path) -> None:
    home = SETS["contour"].home
    home.mkdir(parents=True)
    (home / "contour").touch()
    assert program("contour") == home / "contour"
    assert home.parent == empty_cache


def test_no_such_program() -> None:
    with pytest.raises(Refused, match="kubelet is no program of a cluster's"):
        program("kubelet")


def test_other_pins_are_another_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "TOOLS", tmp_path)
    one = ToolSet("tools", ("program",))
    one.source.mkdir()
    (one.source / "go.mod").write_text("module tools\n")
    (one.source / "go.sum").write_text("a\n")
    before = one.home
    assert dataclasses.replace(one).home == before
    (one.source / "go.sum").write_text("b\n")
    assert one.home != before


def test_what_is_built_is_not_built_again(empty_cache: Path) -> None:
    SETS["contour"].home.mkdir(parents=True)
    said: list[str] = []
    programs.build([SETS["contour"]], said.append)
    assert said == []


def test_outside_of_a_clone_nothing_is_built_and_one_sentence_says_where(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchain, "ENVIRONMENT", tmp_path / "site-packages" / ".ci" / "environment.py")
    with pytest.raises(Refused, match="in a clone of the repository alone"):
        programs.build([SETS["contour"]], lambda line: None)
    assert [path.name for path in empty_cache.iterdir()] == ["build.lock"]


def test_what_a_killed_build_left_goes_with_the_next_one(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (".go-abc", ".kubernetes-abc", ".store-abc"):
        (empty_cache / name / "deep").mkdir(parents=True)
    monkeypatch.setattr(toolchain, "ENVIRONMENT", tmp_path / "nowhere")
    with pytest.raises(Refused):
        programs.build([SETS["contour"]], lambda line: None)
    assert sorted(path.name for path in empty_cache.iterdir()) == [".store-abc", "build.lock"]


@pytest.mark.parametrize("name", sorted(SETS))
def test_every_tool_set_pins_what_it_builds(name: str) -> None:
    text = (TOOLS / name / "go.mod").read_text()
    built = re.findall(r"^(?:tool |\t)([^\s(]+)$", text, re.MULTILINE)
    renamed = dict(SETS[name].renamed)
    names = {next(part for part in reversed(tool.split("/")) if not re.fullmatch(r"v\d+", part)) for tool in built}
    assert {renamed.get(one, one) for one in names} == set(SETS[name].programs)


def test_go_is_pinned_takes_no_other_version_and_leaves_nothing_in_a_home(tmp_path: Path) -> None:
    told = toolchain.environment(
        {"GOROOT": "/usr/lib/go", "GOPROXY": "https://proxy.example", "GOFLAGS": "x"}, tmp_path
    )
    assert told["GOTOOLCHAIN"] == "local"
    assert "GOROOT" not in told
    assert told["GOPROXY"] == "https://proxy.example"
    assert told["GOFLAGS"].startswith("-mod=readonly")
    assert all(Path(told[name]).parent == tmp_path for name in ("GOCACHE", "GOMODCACHE"))


def test_caches_of_go_that_the_machine_names_are_used(tmp_path: Path) -> None:
    assert toolchain.environment({"GOCACHE": "/ci/go"}, tmp_path)["GOCACHE"] == "/ci/go"
