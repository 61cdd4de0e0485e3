"""From a file, a name or plain data to a policy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from serinus.errors import PolicyError
from serinus.policy.load import by_name, parse, read

BAD = """\
service: shop
workload: local
router: envoy
phases:
  - {weight: 5%, soak: 5m}
  - weight: 3%
    soak: 5m
gates:
  error_rate: {max: 1%, abort_above: 0.5%}
limts: {}
"""


def test_every_problem_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(BAD)
    with pytest.raises(PolicyError) as caught:
        read(path)
    assert [(problem.line, problem.where) for problem in caught.value.problems] == [
        (6, "phases[1].weight"),
        (6, "phases[1].weight"),
        (9, "gates.error_rate"),
        (10, "limts"),
    ]
    assert str(caught.value).startswith(f"{path}: line 6: phases[1].weight: 3% is less than the 5% before it; ")


def test_what_is_missing_points_at_what_is_around_it(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("service: shop\nworkload: local\nrouter: envoy\npreset: plan\nphases:\n  - weight: 100%\n")
    with pytest.raises(PolicyError) as caught:
        read(path)
    assert [(problem.line, problem.where) for problem in caught.value.problems] == [(6, "phases[0].soak")]


@pytest.mark.parametrize("service", ["shop", "api-gateway"])
def test_a_deployed_policy_is_found_by_its_service(service: str) -> None:
    policy = read(by_name(service))
    assert policy.service == service
    assert policy.warnings == ()


@pytest.mark.parametrize("service", ["../shop", "a/b", "..", "", "Shop", "shop.yaml", "shop\n", "/etc/passwd"])
def test_a_name_that_is_none_is_refused(service: str) -> None:
    with pytest.raises(PolicyError, match="is no service name"):
        by_name(service)


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(PolicyError, match=r"known are .*api-gateway, .*shop; .* --policy"):
        by_name("basket")


@pytest.mark.parametrize("service", ["shop", "api-gateway"])
def test_a_policy_sent_as_json_is_the_same(service: str) -> None:
    policy = read(by_name(service))
    assert parse(json.loads(json.dumps(policy.given))).content == policy.content


def test_reading_a_policy_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom serinus.policy.load import by_name, read\nread(by_name('shop'))\n"
        "print([name for name in ('prefect', 'kubernetes', 'httpx', 'requests', 'rich', 'anyio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
