"""What is stored is what was meant."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from serinus.release.record import Ask, Foreign, State, Verb, from_json, to_json
from tests.release.builders import a_release


def test_a_record_comes_back_as_it_was() -> None:
    record = a_release().at(25).soaked(3).holding("stale", 2).record
    record = replace(record.say("now", 1.5, "check", verdict="PASS"), inbox=(Ask("1", Verb.ABORT, "ann"),))
    assert from_json(to_json(record)) == record


def test_of_another_schema_only_the_fixed_part_is_read() -> None:
    raw = json.loads(to_json(a_release().record)) | {"schema": 7, "state": "dancing"}
    assert from_json(json.dumps(raw).encode()) == Foreign(7, "r1", 1, "me", 1, False)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b'{"schema": 1}'])
def test_what_is_no_record_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        from_json(text)


def test_stable_and_canary_phase_are_told_apart() -> None:
    assert a_release().at(25).record.current.weight.percent == 25
    assert a_release().baking().record.current.weight.percent == 0
    assert [state for state in State if state.ended] == [State.PROMOTED, State.ROLLED_BACK]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"{}", "schema: Field required"),
        (b"", "Invalid JSON: EOF"),
        (b"[]", "Input should be an object"),
        (
            b'{"schema":1,"release":"a","token":"x","owner":"a","beat":1,"ended":false}',
            "token: Input should be a valid int",
        ),
        (
            b'{"schema":1,"release":"a","token":1,"owner":"a","beat":1,"ended":false}',
            "schema 1 .* plan: Field required",
        ),
    ],
)
def test_what_is_no_record_is_told_in_one_sentence(text: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=f"^[^\\n]*{why}[^\\n]*$"):
        from_json(text)
