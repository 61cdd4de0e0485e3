"""The JSON schema for editors: current, and of one mind with the model."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from serinus.policy.document import load
from serinus.policy.load import by_name
from serinus.policy.schema import PLACE, schema, text
from tests.policy.builders import SHORTEST

CHECK = jsonschema.Draft202012Validator(schema())


def test_the_file_is_current() -> None:
    assert by_name("shop").with_name(PLACE.name).read_text(encoding="utf-8") == text(), (
        "run python -m serinus.policy.schema"
    )


@pytest.mark.parametrize("service", ["shop", "api-gateway"])
def test_the_deployed_policies_keep_it(service: str) -> None:
    path = by_name(service)
    CHECK.validate(load(path).data)
    assert path.read_text().startswith(f"# yaml-language-server: $schema={PLACE.name}\n")


@pytest.mark.parametrize(
    "keys",
    [
        {"gates": {"latency_p99.9": {"max": "1s"}, "latency_p50": "off", "error_rate": "off"}},
        {"workload": {"local": {}, "min_replicas": 2}, "router": {"envoy": {}}},
        {"workload": {"kubernetes": {"namespace": "market"}, "image": "ghcr.io/team/shop"}, "router": "contour"},
        {"workload": {"kubernetes": {"namespace": "market"}}, "router": {"gateway-api": {"route": "shop"}}},
        {"gates": {"custom": [{"name": "q", "query": "x", "max": 5, "abort_above": "5%"}]}},
        {"checks": {"burst": "auto"}, "limits": {"bad_requests": 5}, "notify": ["log"]},
    ],
)
def test_it_takes_what_is_right(keys: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    CHECK.validate({**SHORTEST, **keys})


@pytest.mark.parametrize(
    "keys",
    [
        {"limts": {}},
        {"bake": 5},
        {"bake": "5 minutes"},
        {"gates": {"eror_rate": {}}},
        {"gates": {"latency_p100": {"max": "1s"}}},
        {"checks": {"burst": 0}},
        {"preset": "plam"},
        {"service": "Shop"},
        {"workload": "docker"},
        {"workload": {"kubernetes": {}}},
        {"workload": {"local": {}, "kubernetes": {"namespace": "market"}}},
        {"workload": {"min_replicas": 2}},
        {"router": {"gateway_api": {}}},
        {"workload": {"local": {}, "image": "team/shop:v1"}},
    ],
)
def test_it_refuses_what_is_wrong(keys: dict[str, Any]) -> None:
    assert not CHECK.is_valid({**SHORTEST, **keys})


def test_a_policy_without_preset_needs_phases_and_gates() -> None:
    assert not CHECK.is_valid({key: value for key, value in SHORTEST.items() if key != "preset"})


def test_every_key_is_described() -> None:
    made = schema()
    for part in (made, *made["$defs"].values()):
        for name, field in part.get("properties", {}).items():
            assert field.get("description") or "$ref" in field, name
