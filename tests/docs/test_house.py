"""Does the repository keep its own shape: top level, names, sizes, and the policy of every task?"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOP = {
    "pyproject.toml", "flows", "tasks", "deployments", "tests", "prefect.yaml", "README.md",
    "serinus", "docs", "bench", ".ci", ".github", "Makefile", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "uv.lock",
    ".gitignore", ".pre-commit-config.yaml",
}  # fmt: skip
SAY_NOTHING = {"utils", "helpers", "manager", "base", "common", "util", "helper", "misc", "core"}
MODULE_LINES = 300
STORY_LINES = 100
TASK_POLICY = ("retries", "retry_condition_fn", "timeout_seconds", "cache_policy", "persist_result")
"""What every task says of itself: when it is run again, when it is given up, and that nothing of it is stored."""


def tracked() -> list[Path]:
    """The files that a clone has."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return [Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def modules(*folders: str) -> list[Path]:
    return [ROOT / file for file in tracked() if file.suffix == ".py" and file.parts[0] in folders]


def lines(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


def test_the_top_level_is_the_fixed_one() -> None:
    assert {file.parts[0] for file in tracked()} <= TOP


def test_no_module_has_a_name_that_says_nothing() -> None:
    empty = [
        file
        for file in modules("serinus", "flows", "tasks", "tests", "bench")
        if SAY_NOTHING & {file.stem, file.parent.name}
    ]
    assert not empty


def test_a_module_answers_one_question() -> None:
    long = {
        str(file.relative_to(ROOT)): lines(file)
        for file in modules("serinus", "flows", "tasks")
        if lines(file) > MODULE_LINES
    }
    assert not long, "look for the second thing that it does"


def test_no_cancel_is_taken_for_an_answer() -> None:
    """Before Python 3.12 `asyncio.wait_for` swallows one that comes together with what it waits for.

    Before 3.11.3 `asyncio.timeout` is no timeout in a task that was cancelled; `serinus.within` is both.
    """
    mended = ROOT / "serinus" / "within.py"
    files = [file for file in modules("serinus", "flows", "tasks") if file != mended]
    found = [str(file) for file in files if re.search(r"asyncio\.(wait_for|timeout|timeout_at)\(", file.read_text())]
    assert found == [], "write `async with within(seconds)`"


def test_the_story_fits_on_a_page() -> None:
    story = ROOT / "flows" / "release.py"
    assert not story.exists() or lines(story) <= STORY_LINES


def test_a_flow_bears_no_package_s_name() -> None:
    packages = {"tasks", "flows", "serinus", "tests", "statistics", "bench", "prefect"}
    assert not [file for file in modules("flows") if file.stem in packages]


def decorators(tree: ast.AST, name: str) -> Iterator[tuple[str, ast.expr]]:
    """Every function under `@name`, `@name(...)` or `@module.name(...)`, with its decorator."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                called = decorator.func if isinstance(decorator, ast.Call) else decorator
                if (called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")) == name:
                    yield node.name, decorator
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name and node.args:
            yield ast.unparse(node.args[0]), node


def constants(tree: ast.Module) -> dict[str, set[str]]:
    """Module-level mappings that are spread into decorators, by name: the keys that each sets."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        target = (
            node.targets[0]
            if isinstance(node, ast.Assign)
            else node.target
            if isinstance(node, ast.AnnAssign)
            else None
        )
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if isinstance(target, ast.Name) and isinstance(value, ast.Dict):
            found[target.id] = {
                key.value for key in value.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)
            }
        if (
            isinstance(target, ast.Name)
            and isinstance(value, ast.Call)
            and ast.unparse(value.func) in ("dict", "TaskPolicy")
        ):
            found[target.id] = {keyword.arg for keyword in value.keywords if keyword.arg}
    return found


def policy(decorator: ast.expr, spread: dict[str, set[str]]) -> set[str]:
    """The keywords that a decorator sets, those spread into it included."""
    keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
    named = {keyword.arg for keyword in keywords if keyword.arg}
    for keyword in keywords:
        if keyword.arg is None:
            named |= spread.get(ast.unparse(keyword.value).rpartition(".")[2], set())
    return named


def faults(source: str, elsewhere: dict[str, set[str]] | None = None) -> list[str]:
    """What is missing from the tasks and flows of a module."""
    tree = ast.parse(source)
    spread = {**(elsewhere or {}), **constants(tree)}
    found = []
    for name, decorator in decorators(tree, "task"):
        given = policy(decorator, spread)
        found += [f"task {name} has no {key}" for key in TASK_POLICY if key not in given]
        found += [f"task {name} has tags: it would ask the server for a slot"] if "tags" in given else []
    for name, decorator in decorators(tree, "flow"):
        if "timeout_seconds" in policy(decorator, spread):
            found.append(f"flow {name} has timeout_seconds: its returned state would be dropped")
    return found


def test_every_task_is_retried_and_timed_and_no_flow_is() -> None:
    files = modules("flows", "tasks")
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    spread = {name: keys for tree in trees for name, keys in constants(tree).items()}
    found = {file.name: faults(file.read_text(encoding="utf-8"), spread) for file in files}
    assert not {name: missing for name, missing in found.items() if missing}


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ("@task\nasync def hold(): ...", "task hold has no timeout_seconds"),
        ("@task(retries=2)\nasync def hold(): ...", "task hold has no timeout_seconds"),
        (
            "P = dict(retries=2)\n@task(timeout_seconds=3, **P)\nasync def hold(): ...",
            "task hold has no retry_condition_fn",
        ),
        ("@prefect.task(timeout_seconds=3)\ndef hold(): ...", "task hold has no retries"),
        ("hold = task(look, retries=2)", "task look has no timeout_seconds"),
        (
            "@flow(timeout_seconds=3)\nasync def release(): ...",
            "flow release has timeout_seconds: its returned state would be dropped",
        ),
    ],
)
def test_what_is_missing_is_seen(source: str, missing: str) -> None:
    assert missing in faults(source)


def test_what_is_there_is_not_missed() -> None:
    spread = (
        "P = {'retries': 2, 'retry_condition_fn': again}\n"
        "@task(timeout_seconds=3, cache_policy=NO_CACHE, persist_result=False, **P)\nasync def hold(): ..."
    )
    assert not faults(spread)


@pytest.mark.parametrize(
    ("file", "line", "banned"),
    [
        ("serinus/release/new.py", "time.time()", True),
        ("serinus/analysis/new.py", "datetime.datetime.now()", True),
        ("serinus/analysis/deep/new.py", "random.random()", True),
        ("serinus/moves/new.py", "time.monotonic()", True),
        ("serinus/local/new.py", "time.monotonic()", False),
        ("tests/release/new.py", "time.monotonic()", False),
    ],
)
def test_the_domain_asks_no_clock_and_no_chance(file: str, line: str, banned: bool) -> None:
    source = f"import {line.partition('.')[0]}\n\n{line}\n"
    command = [sys.executable, "-m", "ruff", "check", "--select", "TID251", "--no-cache", "--stdin-filename", file, "-"]
    done = subprocess.run(command, cwd=ROOT, input=source, capture_output=True, text=True, timeout=30)
    assert ("TID251" in done.stdout) is banned, done.stdout + done.stderr
