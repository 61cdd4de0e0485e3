"""The JSON schema of a policy file, for editors: `python -m serinus.policy.schema` writes `deployments/policies/schema.json`.

Generated from the model, so that it says what the model says; what only `consistency` knows is not in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from serinus.policy.gate import LATENCY
from serinus.policy.model import Content
from serinus.policy.unit import DURATION_PATTERN, PERCENT_PATTERN, show_percent, show_seconds

TITLE = "Serinus release policy"
WRITTEN: Mapping[str, Callable[[float], str]] = {DURATION_PATTERN: show_seconds, PERCENT_PATTERN: show_percent}
"""How a default is written, by its pattern."""
PLACE = Path("deployments/policies/schema.json")


def schema() -> dict[str, Any]:
    """JSON schema, draft 2020-12."""
    made = Content.model_json_schema(mode="validation")
    parts = made["$defs"]
    gates = parts["Gates"]
    latency = {
        "anyOf": [{"$ref": "#/$defs/LatencyGate"}, {"const": "off"}],
        "description": parts["LatencyGate"]["description"],
    }
    gates["additionalProperties"] = False
    gates["patternProperties"] = {f"^{LATENCY.pattern}$": latency}
    for name in ("success_rate", "error_rate", "server_errors"):
        gates["properties"][name] = _or_off(gates["properties"][name])
    for name in ("latency_p50", "latency_p95", "latency_p99"):
        gates["properties"][name] = latency
    for part, kinds in (
        ("Workload", ("local", "kubernetes")),
        ("Router", ("envoy", "contour", "gateway-api", "replicas")),
    ):
        parts[part]["oneOf"] = [{"required": [kind]} for kind in kinds]
    made["anyOf"] = [{"required": ["preset"]}, {"required": ["phases", "gates"]}]
    made["title"] = TITLE
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_tidy(made)}


def text() -> str:
    """The schema as it stands in the file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _or_off(field: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in field.items() if key != "default"}
    return kept | {"anyOf": [choice for choice in field["anyOf"] if choice.get("type") != "null"] + [{"const": "off"}]}


def _tidy(part: Any) -> Any:
    """Without generated titles and nulls (a key that is left out is not there, never null); defaults as they are written."""
    if isinstance(part, list):
        return [_tidy(item) for item in part if item != {"type": "null"}]
    if not isinstance(part, dict):
        return part
    kept = {key: _tidy(value) for key, value in part.items() if key != "default" and not _generated(key, value)}
    default = _default(part)
    return kept if default is None else kept | {"default": default}


def _generated(key: str, value: Any) -> bool:
    return key == "title" and isinstance(value, str) and value != TITLE


def _default(part: dict[str, Any]) -> Any:
    """The default in the words of the file; None where it has none that fits on a line."""
    default, show = part.get("default"), WRITTEN.get(part.get("pattern", ""))
    if isinstance(default, dict | list) or default == "":
        return None
    return show(default) if show is not None and isinstance(default, int | float) else default


if __name__ == "__main__":
    PLACE.write_text(text(), encoding="utf-8")
