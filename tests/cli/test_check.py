"""`check` and `plan`: every problem with its line; what will happen, phase by phase."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from serinus.cli.app import app
from tests.cli.test_app import RUN

SHOP = "deployments/policies/shop.yaml"
WRONG = """\
service: shop
workload: local
router: envoy
phases:
  - {weight: 50%, soak: 8}
  - {weight: 25%, soak: 8s}
  - {weight: 100%, soak: 8s}
bakes: 8s
"""


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    file = tmp_path / "wrong.yaml"
    file.write_text(WRONG)
    return file


def test_what_is_in_order_is_said_to_be() -> None:
    checked = RUN.invoke(app, ["check", SHOP])
    assert (checked.exit_code, checked.stdout) == (0, f"{SHOP}: in order\n")


def test_every_problem_has_file_and_line(wrong: Path) -> None:
    checked = RUN.invoke(app, ["check", str(wrong), SHOP])
    assert checked.exit_code == 2
    assert f"{wrong}:5: phases[0].soak" in checked.stdout
    assert f"{wrong}:8: bakes" in checked.stdout
    assert f"{SHOP}: in order" in checked.stdout


def test_every_verb_names_the_place_as_a_terminal_can_follow_it(wrong: Path) -> None:
    for words in (["plan", str(wrong)], ["release", "shop", "v2", "--policy", str(wrong)]):
        refused = RUN.invoke(app, words)
        assert refused.exit_code == 2
        assert f"{wrong}:5: phases[0].soak" in refused.stderr


def test_programs_read_the_same(wrong: Path) -> None:
    checked = RUN.invoke(app, ["check", str(wrong), SHOP, "--json"])
    answer = json.loads(checked.stdout.splitlines()[-1])
    assert checked.exit_code == 2
    assert answer["files"] == [str(wrong), SHOP]
    assert {(problem["file"], problem["line"]) for problem in answer["problems"]} >= {(str(wrong), 5), (str(wrong), 8)}


@pytest.mark.parametrize(
    "content",
    [None, b"", b"\x00\xff\xfe", b"a: &a [*a]\n", b"- 1\n"],
    ids=["folder", "empty", "binary", "alias", "list"],
)
def test_a_file_that_is_no_policy_is_a_mistake_not_a_bug(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "odd.yaml"
    file.mkdir() if content is None else file.write_bytes(content)
    for words in (["check", str(file)], ["plan", str(file)]):
        refused = RUN.invoke(app, words)
        assert refused.exit_code == 2
        assert "Traceback" not in refused.output
        assert "bug" not in refused.output


def test_the_plan_is_shown_phase_by_phase() -> None:
    shown = RUN.invoke(app, ["plan", SHOP, "--version", "v2", "--rate", "200"])
    assert shown.exit_code == 0
    rows = [line.split() for line in shown.stdout.splitlines()]
    assert [row[3] for row in rows if row[1:2] == ["of"]] == ["5%", "10%", "25%", "50%", "100%"]
    assert ["1", "of", "5", "5%", "8s", "80"] in [row[:6] for row in rows]
    assert "adds nothing" in shown.stdout


def test_without_a_rate_no_requests_are_promised() -> None:
    shown = RUN.invoke(app, ["plan", SHOP])
    assert "requests" not in shown.stdout.splitlines()[1]
    answer = json.loads(RUN.invoke(app, ["plan", SHOP, "--json"]).stdout)
    assert answer["requests_per_second"] is None


def test_a_phase_that_will_see_too_few_says_how_long_it_waits_and_what_then() -> None:
    shown = " ".join(RUN.invoke(app, ["plan", SHOP, "--rate", "50"]).stdout.split())
    few = "5%: 20 requests are fewer than the 40 of checks.min_requests"
    assert f"{few}: it waits up to 8s more for them, then advances without (on.inconclusive)" in shown


@pytest.mark.parametrize(
    "words", [*(["--rate", rate] for rate in ("-1", "x", "nan", "inf", "1e308")), ["--version", "v 2"]]
)
def test_what_cannot_be_planned_is_refused(words: list[str]) -> None:
    refused = RUN.invoke(app, ["plan", SHOP, *words])
    assert refused.exit_code == 2
    assert "Traceback" not in refused.output
    assert "bug" not in refused.output
