"""Files that are no plain YAML mapping, each refused in a sentence."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from serinus.errors import PolicyError, Problem
from serinus.policy.document import LARGEST_BYTES, load, parse


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(PolicyError) as caught:
        parse(text, "p.yaml")
    return caught.value.problems


def of_file(path: Path) -> str:
    with pytest.raises(PolicyError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


def test_words_stay_words_and_lines_are_known() -> None:
    document = parse(
        "on:\n  orphan: off\nphases:\n  - {weight: 5%}\n  -\n    weight: 10%\nn: 0o17\nd: 2025-10-05\ne: ~\n", "p"
    )
    assert document.data == {
        "on": {"orphan": "off"},
        "phases": [{"weight": "5%"}, {"weight": "10%"}],
        "n": 15,
        "d": "2025-10-05",
        "e": None,
    }
    assert document.lines["phases[1].weight"] == 6
    assert document.lines["on.orphan"] == 2
    assert document.lines["phases[0]"] == 4


def test_a_doubled_key_names_both_lines() -> None:
    (problem,) = problems("a: 1\nb:\n  c: 1\n  c: 2\n")
    assert (problem.where, problem.line) == ("b.c", 4)
    assert "first on line 3" in problem.found


def test_every_problem_is_told_at_once() -> None:
    found = problems("a: &x [1]\nb: *x\na: 2\n1: c\n? [k]\n: v\ne: !foo bar\nf: !!binary aGk=\n")
    assert [problem.line for problem in found] == [1, 3, 4, 5, 7, 8]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a:\n\tb: 1\n", 2, "tab"),
        ("a: {b: 1\n", 2, "not YAML"),
        ("a: b: c\n", 1, "not YAML"),
        ("a: *x\n", 1, "alias"),
        ("- 1\n", 1, "not a mapping"),
        ("word\n", 1, "not a mapping"),
        ("", None, "empty"),
        ("# nothing\n", None, "empty"),
        ("true: 1\n", 1, "not a word"),
        ("<<: {a: 1}\n", 1, "not a word"),
        ("a: !!python/object:os.system x\n", 1, "tag"),
        ("a: !!float abc\n", 1, "cannot be read"),
        ("a: \x07\n", None, "not YAML"),
        ("- " * 5000, None, "deep"),
        ("a: " + "[" * 60 + "]" * 60, 1, "deep"),
    ],
)
def test_what_is_no_plain_mapping_is_refused(text: str, line: int | None, words: str) -> None:
    first = problems(text)[0]
    assert first.line == line
    assert words in first.found
    assert first.right


def test_aliases_that_explode_are_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    found = problems("\n".join(lines))
    assert len(found) == 30
    assert all("anchor" in problem.found for problem in found)
    assert "anchor" in problems("a: &a [1, *a]\n")[0].found


def test_files_that_are_none(tmp_path: Path) -> None:
    assert "directory" in of_file(tmp_path)
    assert "no such file" in of_file(tmp_path / "absent.yaml")
    assert "no such file" in of_file(tmp_path / "absent" / "absent.yaml")
    empty, binary, latin = tmp_path / "empty.yaml", tmp_path / "binary.yaml", tmp_path / "latin.yaml"
    empty.write_text("")
    binary.write_bytes(b"a: 1\n\x00\x01\xff")
    latin.write_bytes("a: 1\nb: größe\n".encode("latin-1"))
    assert "empty" in of_file(empty)
    assert "binary" in of_file(binary)
    assert "not UTF-8 at line 2" in of_file(latin)
    os.mkfifo(tmp_path / "pipe.yaml")
    assert "not a regular file" in of_file(tmp_path / "pipe.yaml")
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    assert "cannot be read" in of_file(loop)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert load(path).data == {"a": 1}


def test_a_large_file_is_refused_without_being_read(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"a: 1\n" * 2_000_000)
    began = time.monotonic()
    assert f"at most {LARGEST_BYTES:,}" in of_file(path)
    assert time.monotonic() - began < 1
