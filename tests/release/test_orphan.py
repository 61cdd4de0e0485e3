"""The taker's table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serinus.release.mark import Mark, Mode
from serinus.release.orphan import Conclusion, Stable, conclude
from serinus.release.record import Ask, State, Verb
from serinus.release.weight import EVERYTHING, NOTHING, Weight
from tests.release.builders import a_release

UNTOUCHED = Stable(ours=False, noted=False, changed=False, settled=True)
OURS = Stable(ours=True, noted=True, changed=False, settled=True)
ROLLING = Stable(ours=True, noted=True, changed=False, settled=False)
TAKEN = Stable(ours=False, noted=True, changed=False, settled=True)
OPEN = Mark("r1", 1, 1, Mode.OPEN, Weight.of(25))
FULL = Mark("r1", 1, 1, Mode.OPEN, EVERYTHING)
PROMOTING = Mark("r1", 1, 2, Mode.PROMOTING, EVERYTHING)
REPLACED = Mark("r1", 1, 3, Mode.REPLACED, NOTHING)


@pytest.mark.parametrize(
    ("state", "mark", "stable", "conclusion"),
    [
        (State.STARTING, None, UNTOUCHED, Conclusion.ROLL_BACK),
        (State.PHASE, OPEN, UNTOUCHED, Conclusion.ROLL_BACK),
        (State.PHASE, None, UNTOUCHED, Conclusion.ROLL_BACK),
        (State.PHASE, OPEN, replace(UNTOUCHED, changed=True), Conclusion.ROLL_BACK),
        (State.PHASE, FULL, replace(UNTOUCHED, changed=True, settled=False), Conclusion.PAGE),
        (State.PROMOTING, PROMOTING, UNTOUCHED, Conclusion.UNDO),
        (State.PROMOTING, PROMOTING, OURS, Conclusion.FORWARD),
        (State.PROMOTING, PROMOTING, ROLLING, Conclusion.UNDO),
        (State.PROMOTING, PROMOTING, TAKEN, Conclusion.UNDO),
        (State.BAKING, REPLACED, OURS, Conclusion.FORWARD),
        (State.BAKING, REPLACED, TAKEN, Conclusion.UNDO),
        (State.UNDOING, PROMOTING, UNTOUCHED, Conclusion.UNDO),
        (State.ROLLING_BACK, None, UNTOUCHED, Conclusion.ROLL_BACK),
    ],
)
def test_the_table(state: State, mark: Mark | None, stable: Stable, conclusion: Conclusion) -> None:
    assert conclude(replace(a_release().record, state=state), mark, stable)[0] is conclusion


def test_whoever_asked_for_its_end_is_named_where_its_engine_did_not_live_to_hear_it() -> None:
    record = replace(a_release().record, state=State.PHASE, inbox=(Ask("1", Verb.ABORT, "ann", "too slow"),))
    assert conclude(record, OPEN, UNTOUCHED) == (
        Conclusion.ROLL_BACK,
        "ann had asked to abort it, and its engine was gone",
    )


@pytest.mark.parametrize("mark", [PROMOTING, REPLACED])
@pytest.mark.parametrize("state", [State.PROMOTING, State.BAKING])
def test_what_was_to_be_aborted_is_never_finished(state: State, mark: Mark) -> None:
    record = replace(a_release().record, state=state, inbox=(Ask("1", Verb.ABORT, "ann", "too slow"),))
    conclusion, why = conclude(record, mark, OURS)
    assert conclusion is Conclusion.UNDO
    assert "ann" in why
