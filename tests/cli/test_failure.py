"""What goes wrong is told in a sentence: whose fault it is, which code, what a program reads."""

from __future__ import annotations

import errno
import json
import pickle
import re
from pathlib import Path

import pytest

from serinus.cli.app import app
from serinus.cli.exit_code import BY_OUTCOME, Code
from serinus.cli.failure import NotBegun, Usage, report
from serinus.cli.terminal import Terminal
from serinus.errors import (
    Conflict,
    Drift,
    Fenced,
    Finding,
    PolicyError,
    PreflightError,
    Problem,
    Refused,
    RollbackError,
    SerinusError,
    Unavailable,
)
from tests.cli.test_app import RUN

POLICY = PolicyError("shop.yaml", (Problem("bake", "is 8", "write 8s", 3), Problem("", "is empty", "write something")))
PREFLIGHT = PreflightError((Finding("no route", "shop", "make one"),))
CASES = [
    (POLICY, Code.WRONG, "policy"),
    (Usage("--rate is a number."), Code.WRONG, "usage"),
    (PREFLIGHT, Code.REFUSED, "preflight"),
    (NotBegun(), Code.REFUSED, "interrupted"),
    (Fenced("held by another"), Code.FENCED, "fenced"),
    (RollbackError("5 % left"), Code.UNRETURNED, "rollback"),
    (Unavailable("no answer"), Code.UNEXPECTED, "unavailable"),
    (Refused("no right"), Code.UNEXPECTED, "refused"),
    (Conflict("somebody wrote"), Code.UNEXPECTED, "platform"),
    (Drift("the route"), Code.UNEXPECTED, "platform"),
    (SerinusError("something"), Code.UNEXPECTED, "failed"),
    (OSError(errno.ENOSPC, "No space left on device", "shop.log"), Code.UNEXPECTED, "disk"),
    (ExceptionGroup("tasks", [ExceptionGroup("more", [Refused("no right")])]), Code.UNEXPECTED, "refused"),
    (KeyboardInterrupt(), Code.UNRETURNED, "interrupted"),
]


def test_what_hinders_nothing_is_no_reason_and_stays_where_the_error_is_handed_on() -> None:
    note = Finding("is missed", "NetworkPolicy in", "let it select both", fatal=False)
    error = pickle.loads(pickle.dumps(PreflightError((*PREFLIGHT.findings, note))))
    assert (str(error), len(error.findings)) == (str(PREFLIGHT), 2)


@pytest.mark.parametrize(
    ("cause", "code", "kind"), CASES, ids=lambda value: str(value) if isinstance(value, str) else ""
)
def test_each_error_has_its_code_and_no_traceback(
    cause: BaseException, code: Code, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(cause, Terminal(as_json=True), debug=False) is code
    told = capsys.readouterr()
    answer = json.loads(told.out)
    assert (answer["error"], answer["exit"]) == (kind, int(code))
    assert "Traceback" not in told.err
    assert told.err.strip()


def test_mistakes_faults_and_bugs_read_differently(capsys: pytest.CaptureFixture[str]) -> None:
    heads = set()
    for cause in (POLICY, Unavailable("x"), ValueError("x"), PREFLIGHT, Fenced("x")):
        report(cause, Terminal(), debug=False)
        heads.add(capsys.readouterr().err.splitlines()[0].split(":")[0])
    assert len(heads) == 5


def test_every_problem_of_a_policy_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    report(POLICY, Terminal(as_json=True), debug=False)
    told = capsys.readouterr()
    assert "shop.yaml:3: bake: is 8; write 8s" in told.err
    assert [problem["line"] for problem in json.loads(told.out)["problems"]] == [3, None]


def test_a_bug_is_one_line_and_its_traceback_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyError) as caught:
        dict[str, str]()["absent"]
    assert report(caught.value, Terminal(), debug=False) is Code.UNEXPECTED
    told = capsys.readouterr().err
    assert "bug in serinus: KeyError" in told
    assert "Traceback" not in told
    where = re.search(r"The traceback is in (\S+);", told)
    assert where is not None
    kept = Path(where[1])
    assert "test_a_bug_is_one_line" in kept.read_text()
    kept.unlink()


def test_debug_prints_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Unavailable) as caught:
        raise Unavailable("no answer")
    report(caught.value, Terminal(), debug=True)
    assert "Traceback" in capsys.readouterr().err


def test_debug_reaches_every_verb(tmp_path: Path) -> None:
    words = ["plan", str(tmp_path / "absent.yaml")]
    assert "Traceback" not in RUN.invoke(app, words).stderr
    assert "Traceback" in RUN.invoke(app, ["--debug", *words]).stderr


def test_every_outcome_has_its_code() -> None:
    assert {str(outcome): int(code) for outcome, code in BY_OUTCOME.items()} == {
        "promoted": 0,
        "rolled back": 4,
        "rollback failed": 5,
        "refused": 3,
        "fenced": 6,
        "going": 7,
    }


def test_a_bug_is_told_where_its_traceback_finds_no_room(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    assert report(ValueError("odd"), Terminal(), debug=False) is Code.UNEXPECTED
    assert "could not be kept (No such file or directory)" in capsys.readouterr().err
