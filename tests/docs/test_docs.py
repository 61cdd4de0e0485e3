"""Do the pages name only what is there: files, verbs, make's targets?"""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from serinus.local.catalogue import CATALOGUE

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "deployments").rglob("*.md")])
LIVING = ("serinus/", "flows/", "tasks/", "tests/", "docs/", "deployments/", "bench/", ".ci/", ".github/")


def code(page: Path) -> list[str]:
    """What stands in code on a page: spans, and the lines of blocks."""
    text = page.read_text("utf-8")
    blocks = re.findall(r"^```[a-z]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    indented = re.findall(r"^ {4}(\S.*)$", text, re.MULTILINE)
    return [*re.findall(r"`([^`\n]+)`", text), *indented, *(line for block in blocks for line in block.splitlines())]


@cache
def help_of(*group: str) -> str:
    command = [sys.executable, "-m", "serinus.cli", *group, "--help"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout


def verbs(*group: str) -> set[str]:
    return set(re.findall(r"^  ([a-z][a-z-]*)  ", help_of(*group), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8"))
    assert not [link for link in links if "://" not in link and not (page.parent / link).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_is_there(page: Path) -> None:
    named = [span for span in code(page) if span.startswith(LIVING) and re.fullmatch(r"[\w./-]+", span)]
    assert not [path for path in named if not (ROOT / path).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_verb_is_one(page: Path) -> None:
    named = [
        match
        for span in code(page)
        if (match := re.match(r"(?:\.venv/bin/)?serinus ([a-z][\w-]*)(?: ([a-z][\w-]*))?", span))
    ]
    unknown = {match[0] for match in named if match[1] not in verbs()}
    unknown |= {
        match[0]
        for match in named
        if match[1] in ("local", "evidence") and match[2] and match[2] not in verbs(match[1])
    }
    assert not unknown


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_target_of_make_is_one(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {match[1] for span in code(page) if (match := re.match(r"make ([a-z-]+)", span))}
    assert named <= targets


def test_the_catalogue_is_told_whole() -> None:
    told = re.findall(r"`(v\d[\w.-]*)`", (ROOT / "docs" / "local.md").read_text("utf-8"))
    assert set(told) == set(CATALOGUE)
