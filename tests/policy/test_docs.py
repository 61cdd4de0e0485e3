"""`docs/policy.md` cannot drift: its examples are read, its keys and defaults are the model's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from serinus.policy import document
from serinus.policy.explain import explain
from serinus.policy.load import parse
from serinus.policy.model import Content
from serinus.policy.structure import model_at
from tests.policy.builders import SHORTEST

TEXT = (Path(__file__).parents[2] / "docs" / "policy.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
DEFAULTS = dict(re.findall(r"^\| `([a-z_.\[\]]+)` \| ([^|]*?) \|", TEXT, re.MULTILINE))


@pytest.mark.parametrize("block", BLOCKS)
def test_every_example_is_a_policy_or_a_part_of_one(block: str) -> None:
    data = document.parse(block, "docs/policy.md").data
    whole = data if "service" in data else {**SHORTEST, **data}
    assert parse(whole, "docs/policy.md").warnings == ()


def keys(model: type[BaseModel], above: tuple[str, ...] = ()) -> list[str]:
    found: list[str] = []
    for name in (field.alias or name for name, field in model.model_fields.items()):
        inner = model_at((*above, name))
        deeper = keys(inner, (*above, name)) if inner is not None else []
        found += deeper or [".".join((*above, name))]
    return found


def test_every_key_stands_in_the_text() -> None:
    prose = re.sub(r"```yaml\n.*?```", "", TEXT, flags=re.DOTALL)
    words = {word for text in re.findall(r"`([^`\n]+)`", prose) for word in re.findall(r"[a-z_0-9]+", text)}
    words |= {word for block in BLOCKS for word in re.findall(r"[a-z_0-9]+", block)}
    missing = [key for key in keys(Content) if key.rpartition(".")[2] not in words]
    assert not missing


def test_every_default_is_the_models() -> None:
    told: dict[str, Any] = {row.key: row.value for row in explain(parse(SHORTEST), "v2").settings}
    compared = 0
    for key, value in told.items():
        written = DEFAULTS[key].strip("[]`").split("`")[0]
        assert written.strip("[]") == value or key in ("checks.scrape",), key
        compared += 1
    assert compared > 15
    assert "`1s` for the local platform" in DEFAULTS["checks.scrape"]
    assert told["checks.scrape"] == "1s"
