"""A chain shows what was changed, taken out or put in."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.release.evidence import LINE_BYTES, Head, Line, following, parse, verify

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def a_chain(*data: object) -> list[Line]:
    head, lines = Head(), []
    for n, item in enumerate(data):
        lines.append(following(head, "2026-01-01T00:00:00Z", n, "check", {"said": item}))
        head = lines[-1].head
    return lines


def texts(lines: list[Line]) -> list[str]:
    return [line.text for line in lines]


@given(st.lists(JSON, max_size=8))
def test_a_whole_chain_has_no_fault(data: list[object]) -> None:
    lines = a_chain(*data)
    head = lines[-1].head if lines else Head()
    assert verify(texts(lines), head) == ()
    assert [parse(text) for text in texts(lines)] == lines


@given(st.integers(0, 4), st.integers(0, 10_000), st.characters(codec="utf-8"))
def test_any_changed_character_is_found(which: int, where: int, put: str) -> None:
    lines = texts(a_chain(1, "two", 3.5, None, [5]))
    where %= len(lines[which])
    changed = lines[which][:where] + put + lines[which][where + 1 :]
    if changed == lines[which]:
        return
    head = a_chain(1, "two", 3.5, None, [5])[-1].head
    assert verify([*lines[:which], changed, *lines[which + 1 :]], head)


@given(st.integers(0, 4))
def test_a_line_taken_out_or_doubled_is_found(which: int) -> None:
    chain = a_chain(1, 2, 3, 4, 5)
    lines, head = texts(chain), chain[-1].head
    assert verify(lines[:which] + lines[which + 1 :], head)
    assert verify([*lines[: which + 1], *lines[which:]], head)


def test_a_cut_tail_needs_a_head_that_is_kept_elsewhere() -> None:
    chain = a_chain(1, 2, 3)
    assert verify(texts(chain)[:2]) == ()
    assert "its record says 3" in str(verify(texts(chain)[:2], chain[-1].head)[0])


@given(st.text(max_size=5000), st.lists(st.text(max_size=500), max_size=30))
def test_a_line_is_never_longer_than_allowed(text: str, more: list[str]) -> None:
    line = following(Head(), "now", 1, "x", {"text": text, "more": more})
    assert len(line.text.encode()) < LINE_BYTES
    assert verify([line.text], line.head) == ()


ODD = {
    "n as text": '{"n":"3"}',
    "n as list": '{"n":[3]}',
    "not a mapping": "[1,2]",
    "no text": "\udcff",
    "deep": "[" * 200_000,
    "many digits": '{"n":' + "1" * 5000 + "}",
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
def test_whatever_stands_there_is_a_fault_and_no_failure(odd: str) -> None:
    assert verify([odd])


@pytest.mark.parametrize("field", ["n", "at", "seconds", "kind", "data", "before"])
@pytest.mark.parametrize("put", [True, None, "3", 3, [3], {"n": 3}], ids=str)
def test_a_field_of_another_kind_is_a_fault(field: str, put: object) -> None:
    chain = a_chain(1, 2, 3)
    raw = {**json.loads(chain[1].text), field: put}
    changed = json.dumps(raw, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    assert verify([chain[0].text, changed, chain[2].text], chain[2].head)


def test_what_is_small_is_cut_last() -> None:
    name, numbers = "shop-" + "x" * 80, list(range(2000))
    line = following(Head(), "now", 0, "plan", {"release": name, "phases": numbers, "notes": ["y" * 200] * 30})
    assert line.data["release"] == name
    assert line.data["phases"].endswith("bytes did not fit")
