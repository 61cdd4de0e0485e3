"""How every task is run: retried where the platform may answer later, never cached, its result never stored.

A move waits for its platform by itself (`serinus.moves.patience`); what it gives up is tried again here, twice.

Time-outs are each task's own. No task has tags: with them it asks the server for a slot, and hangs while that is gone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypedDict, TypeVar

from prefect import Task
from prefect.cache_policies import NO_CACHE, CachePolicy
from prefect.client.schemas.objects import State, TaskRun

from serinus.errors import Unavailable

R = TypeVar("R")


class TaskPolicy(TypedDict):
    """The part of `@task(...)` that is the same everywhere."""

    retries: int
    retry_delay_seconds: int
    retry_condition_fn: Callable[[Task[..., Any], TaskRun, State[Any]], Awaitable[bool]]
    cache_policy: CachePolicy
    persist_result: bool


async def may_answer_later(ran: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """True for `Unavailable` alone: a breached gate, a time-out, a missing right come out the same again."""
    try:
        await state.aresult()
    except Unavailable:
        return True
    except Exception:
        return False
    return False


RETRIED = TaskPolicy(
    retries=2,
    retry_delay_seconds=1,
    retry_condition_fn=may_answer_later,
    cache_policy=NO_CACHE,
    persist_result=False,
)
"""An attempt that is retried starts from the top; the record says where it stands."""


async def handed(run: Awaitable[State[R]]) -> R:
    """What a task handed on together with a state of its own, such as a gate's `Breached`; an error is raised."""
    state = await run
    result = await state.aresult(raise_on_failure=False)
    if isinstance(result, Exception):
        raise result
    return result
