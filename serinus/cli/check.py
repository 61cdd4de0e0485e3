"""`serinus check`: what is wrong with a policy. Touches nothing, asks nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from serinus.cli.exit_code import Code
from serinus.cli.failure import placed
from serinus.cli.terminal import Terminal
from serinus.cli.verb import Json, verb
from serinus.errors import PolicyError, Problem


@verb
def check(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Policies.")],
    as_json: Json = False,
) -> Code:
    """Say everything that is wrong with a policy, with file and line. Exit code 2 where something is."""
    from serinus.policy.load import read

    out = Terminal(as_json)
    wrong, odd = list[dict[str, Any]](), list[dict[str, Any]]()
    for file in files:
        try:
            policy = read(file)
        except PolicyError as cause:
            wrong += [_said(out, file, problem, "bad") for problem in cause.problems]
            continue
        odd += [_said(out, file, warning, "warn") for warning in policy.warnings]
        out.say(f"{file}: in order", "good")
    out.emit({"files": [str(file) for file in files], "problems": wrong, "warnings": odd})
    return Code.WRONG if wrong else Code.DONE


def _said(out: Terminal, file: Path, problem: Problem, style: str) -> dict[str, Any]:
    """Say one problem; for programs its parts."""
    out.say(placed(str(file), problem, "warning: " if style == "warn" else ""), style)
    return {
        "file": str(file),
        "line": problem.line,
        "where": problem.where,
        "found": problem.found,
        "right": problem.right,
    }
