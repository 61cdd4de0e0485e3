"""Only what may answer later is tried again, and every task is run alike."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import pytest
from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.states import Completed, Failed

import tasks
from serinus.errors import Conflict, Fenced, Refused, RollbackError, Unavailable
from tasks.gate import gate
from tasks.moved import Moved
from tasks.retry import may_answer_later


def every_task() -> list[Task[..., Any]]:
    modules = (importlib.import_module(f"tasks.{found.name}") for found in pkgutil.iter_modules(tasks.__path__))
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Task)]
    return list({id(each): each for each in found}.values())


@pytest.mark.parametrize(
    ("state", "again"),
    [
        (Failed(data=Unavailable("429")), True),
        (Failed(data=Conflict("409")), False),
        (Failed(data=Refused("403")), False),
        (Failed(data=Fenced("taken over")), False),
        (Failed(data=RollbackError("late")), False),
        (Failed(data=TimeoutError()), False),
        (Failed(data=KeyError("a bug")), False),
        (Failed(name="Breached", message="error_rate 6 % > 1 %", data=object()), False),
        (Completed(data=object()), False),
    ],
)
async def test_unavailable_alone_is_tried_again(state: State[Any], again: bool) -> None:
    run = TaskRun(task_key="gate", dynamic_key="1")
    assert await may_answer_later(gate, run, state) is again


def test_every_task_is_run_alike() -> None:
    found = every_task()
    assert len(found) >= 14
    for each in found:
        assert each.retries == 2, each.name
        assert each.retry_condition_fn is may_answer_later, each.name
        assert each.timeout_seconds, each.name
        assert each.cache_policy is NO_CACHE, each.name
        assert each.persist_result is False, each.name
        assert not each.tags, each.name
        assert each.task_run_name, each.name


def test_what_is_handed_on_is_not_walked_into() -> None:
    """Prefect would draw an arrow for every equal value inside of a dataclass, a dict or a model."""
    assert not hasattr(Moved, "__dataclass_fields__")
    assert not hasattr(Moved, "model_fields")
    assert not issubclass(Moved, dict | list | tuple | set)
