"""How a function becomes a verb: its errors told, its exit code, async or not; and the parameters that many verbs share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, ParamSpec, cast

import typer

from serinus.cli.exit_code import Code
from serinus.cli.failure import report
from serinus.cli.terminal import Terminal
from serinus.voice import finish

Json = Annotated[bool, typer.Option("--json", help="Print JSON lines for programs; the last one is the result.")]
Service = Annotated[str, typer.Argument(help="The service, by the name in its policy.")]
Why = Annotated[str, typer.Option("--why", help="The reason; it is kept in the evidence.")]

P = ParamSpec("P")


def verb(function: Callable[P, Code | Coroutine[Any, Any, Code]]) -> Callable[P, None]:
    """Make a verb of a function that takes `context`, its own parameters and `as_json`, and returns its exit code."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        context = cast(typer.Context, kwargs["context"])
        debug = bool(context.find_root().obj)
        try:
            code = _done(function(*args, **kwargs))
        except (typer.Exit, typer.Abort):
            raise
        except (Exception, KeyboardInterrupt) as cause:
            code = report(cause, Terminal(bool(kwargs.get("as_json"))), debug)
        raise typer.Exit(int(heard(code)))

    return run


def heard(code: Code) -> Code:
    """The exit code, once all that was said is written; a result that is not must not be taken for a whole one."""
    if not (why := finish()):
        return code
    Terminal().complain(f"Not everything that was said could be written: {why}.")
    return Code.UNEXPECTED if code is Code.DONE else code


def _done(answer: Code | Coroutine[Any, Any, Code]) -> Code:
    if not inspect.iscoroutine(answer):
        return cast(Code, answer)
    import asyncio

    return cast(Code, asyncio.run(answer))
