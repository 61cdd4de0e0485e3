"""The command line as a whole: groups, help of every verb, usage errors, start-up."""

from __future__ import annotations

import subprocess
import sys
import time
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from serinus.cli.app import app

RUN = CliRunner()
VERBS = {
    "Daily": ("release", "status", "watch", "pause", "resume", "abort", "rollback", "promote"),
    "Proving": ("check", "plan", "doctor", "evidence"),
    "Platform": ("demo", "guard", "local"),
}
DEEPER = (
    *(("evidence", verb) for verb in ("show", "verify")),
    *(("local", verb) for verb in ("up", "down", "status", "fault", "load")),
)
ALL = (*((verb,) for verbs in VERBS.values() for verb in verbs), *DEEPER)
NOT_AT_START = ("prefect", "kubernetes", "pydantic", "httpx", "rich", "ruamel", "serinus.moves", "serinus.local")


def test_help_lists_every_verb_under_its_group() -> None:
    shown = RUN.invoke(app, ["--help"]).stdout
    places = [shown.index(f"\n{group}:") for group in VERBS]
    assert places == sorted(places)
    for group, verbs in VERBS.items():
        section = shown.split(f"\n{group}:\n")[1].split("\n\n")[0]
        assert tuple(line.split()[0] for line in section.splitlines()) == verbs


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_verb_explains_itself_and_has_json(words: tuple[str, ...]) -> None:
    shown = RUN.invoke(app, [*words, "--help"])
    assert shown.exit_code == 0
    assert "Usage:" in shown.stdout
    if words not in (("evidence",), ("local",)):
        assert "--json" in shown.stdout


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_an_unknown_option_is_the_users_mistake(words: tuple[str, ...]) -> None:
    refused = RUN.invoke(app, [*words, "--no-such-option"])
    assert refused.exit_code == 2
    assert "--no-such-option" in refused.stderr
    assert "Traceback" not in refused.output


@pytest.mark.parametrize(
    "words", [(), ("--no-such",), ("relase", "shop"), ("evidence",), ("local", "nope"), ("release",)]
)
def test_what_is_no_command_is_refused(words: tuple[str, ...]) -> None:
    refused = RUN.invoke(app, list(words))
    assert refused.exit_code == 2
    assert "Traceback" not in refused.output


def test_it_says_its_version() -> None:
    said = RUN.invoke(app, ["--version"])
    assert (said.exit_code, said.stdout) == (0, f"serinus {version('serinus')}\n")


def test_a_misspelt_verb_is_answered_with_the_right_one() -> None:
    assert "release" in RUN.invoke(app, ["relase", "shop"]).stderr


def test_help_fits_a_narrow_terminal() -> None:
    shown = RUN.invoke(app, ["--help"], env={"COLUMNS": "40", "TERMINAL_WIDTH": "40"})
    assert shown.exit_code == 0
    assert "rollback" in shown.stdout


def test_help_is_answered_without_the_heavy_libraries() -> None:
    code = (
        "import sys; sys.argv=['serinus','--help']\n"
        "from serinus.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"heavy = [n for n in {NOT_AT_START!r} if n in sys.modules]\n"
        "print(heavy, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("words", [("--help",), ("check", "deployments/policies/shop.yaml")], ids=["help", "check"])
def test_start_up_is_quick(words: tuple[str, ...]) -> None:
    """The goals are .25 s and .6 s on a quiet machine; five times that is a change that should be noticed."""
    taken = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "serinus.cli", *words], capture_output=True, timeout=60, check=True)
        taken.append(time.perf_counter() - began)
    assert min(taken) < (1.25 if words == ("--help",) else 3.0)


def test_check_imports_neither_prefect_nor_kubernetes() -> None:
    code = (
        "import sys; sys.argv=['serinus','check','deployments/policies/shop.yaml']\n"
        "from serinus.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert not {'prefect', 'kubernetes', 'httpx', 'rich'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)


def test_completion_can_be_shown() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "serinus.cli", "--show-completion", "bash"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "complete" in done.stdout
    assert "Traceback" not in done.stderr
