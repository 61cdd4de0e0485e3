"""How something that went wrong is told: the user's mistake, the platform's fault and our bug look different.

Never a traceback, unless `--debug` asks for it; a bug's is kept in a file, whose name is said.
"""

from __future__ import annotations

import errno
import tempfile
import traceback
from typing import Any

from serinus.cli.exit_code import Code
from serinus.cli.terminal import Terminal
from serinus.errors import (
    Drift,
    Fenced,
    PlatformError,
    PolicyError,
    PreflightError,
    Problem,
    Refused,
    RollbackError,
    SerinusError,
    Unavailable,
)


class Usage(SerinusError):
    """The command line asks for something that cannot be; its text says what would be right."""


class NotBegun(SerinusError):
    """Somebody ended this process before anything was recorded; its text says what else there is to say."""


def report(cause: BaseException, out: Terminal, debug: bool) -> Code:
    """Say what went wrong, for people and for programs.

    Returns the exit code that goes with it.
    """
    code, kind, lines, more = _told(_alone(cause))
    if debug:
        out.complain("".join(traceback.format_exception(cause)).rstrip(), "dim")
    elif kind == "bug":
        lines = (*lines, _keep(cause))
    for place, line in enumerate(lines):
        out.complain(line, "bad" if place == 0 else "")
    out.emit({"error": kind, "what": " ".join(lines), "exit": int(code), **more})
    return code


def _alone(cause: BaseException) -> BaseException:
    """What a group of one holds: the group itself tells nobody anything."""
    while isinstance(cause, BaseExceptionGroup) and len(cause.exceptions) == 1:
        cause = cause.exceptions[0]
    return cause


def _told(cause: BaseException) -> tuple[Code, str, tuple[str, ...], dict[str, Any]]:
    match cause:
        case PolicyError():
            shown = tuple(placed(cause.source, problem) for problem in cause.problems)
            count = "one problem" if len(shown) == 1 else f"{len(shown)} problems"
            return Code.WRONG, "policy", (f"The policy has {count}; nothing was touched.", *shown), _problems(cause)
        case Usage():
            return Code.WRONG, "usage", (str(cause),), {}
        case PreflightError():
            shown = tuple(str(finding) for finding in cause.hindering)
            return Code.REFUSED, "preflight", ("Refused before anything was touched.", *shown), _findings(cause)
        case NotBegun():
            return (
                Code.REFUSED,
                "interrupted",
                (f"Interrupted: nothing had begun, nothing was touched. {cause}".rstrip(),),
                {},
            )
        case Fenced():
            return Code.FENCED, "fenced", (f"Somebody else holds the release now: {cause}",), {}
        case RollbackError():
            return Code.UNRETURNED, "rollback", (f"The version may still serve: {cause}",), {}
        case Unavailable():
            return Code.UNEXPECTED, "unavailable", (f"The platform does not answer: {cause}",), {}
        case Refused():
            return Code.UNEXPECTED, "refused", (f"The platform refuses: {cause}",), {}
        case PlatformError() | Drift():
            return Code.UNEXPECTED, "platform", (f"The platform is not as expected: {cause}",), {}
        case SerinusError():
            return Code.UNEXPECTED, "failed", (str(cause),), {}
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            return Code.UNEXPECTED, "disk", (f"No room to write: {cause}; free some space.",), {}
        case KeyboardInterrupt():
            return Code.UNRETURNED, "interrupted", ("Interrupted.",), {}
        case _:
            told = " ".join(str(cause).split())[:300]
            return Code.UNEXPECTED, "bug", (f"This is a bug in serinus: {type(cause).__name__}: {told}",), {}


def placed(source: str, problem: Problem, note: str = "") -> str:
    """One problem of a policy as `file:line: key: found; right`, as compilers do, so that editors and terminals lead there."""
    at = f"{source}:{problem.line}" if problem.line else source
    key = f"{problem.where}: " if problem.where else ""
    return f"{at}: {note}{key}{problem.found}; {problem.right}"


def _problems(cause: PolicyError) -> dict[str, Any]:
    return {
        "problems": [
            {"file": cause.source, "line": p.line, "where": p.where, "found": p.found, "right": p.right}
            for p in cause.problems
        ]
    }


def _findings(cause: PreflightError) -> dict[str, Any]:
    return {"findings": [{"what": f.what, "where": f.where, "mend": f.mend, "fatal": f.fatal} for f in cause.findings]}


def _keep(cause: BaseException) -> str:
    """A sentence that says where its traceback is, or why it is nowhere."""
    try:
        with tempfile.NamedTemporaryFile("w", prefix="serinus-", suffix=".traceback", delete=False) as file:
            file.writelines(traceback.format_exception(cause))
    except OSError as full:
        return f"Its traceback could not be kept ({full.strerror}); `serinus --debug ...` prints it."
    return f"The traceback is in {file.name}; `serinus --debug ...` prints it."
