"""The deployments as CI and people use them: over plain HTTP, run by a worker, on the local platform's real traffic."""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from tests.flows.platform import POLICY, SLOW, Running

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]


GOING = ["SCHEDULED", "PENDING", "RUNNING"]


@pytest.fixture
def at(platform: Running) -> Iterator[Running]:
    """Whatever a test leaves going is ended, and v1 put back."""
    yield platform
    for run in platform.prefect.post("/flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": GOING}}}}):
        platform.serinus("abort", "shop")
        platform.until(run)


def stable(at: Running) -> str:
    store = sorted((at.folders.service("shop") / "stable").glob("r*"))[-1]
    return str(json.loads(store.read_bytes())["template"]["version"])


def evidence(at: Running) -> str:
    """Of the release that was begun last."""
    return max(at.folders.evidence.glob("shop-*.log")).read_text()


def test_a_key_twice_is_one_release_and_its_run_is_in_the_history(at: Running) -> None:
    key = uuid4().hex
    first, again = at.start("v2", key=key), at.start("v2", key=key)
    assert first["id"] == again["id"]
    ended = at.until(first)
    assert (ended["state_name"], ended["name"]) == ("Promoted", "shop v2")
    deployment = at.prefect.get("/deployments/name/release/release")["id"]
    filter_ = {"deployments": {"id": {"any_": [deployment]}}}
    runs = at.prefect.post("/flow_runs/filter", filter_)
    assert [run["id"] for run in runs].count(first["id"]) == 1
    assert stable(at) == "v2"
    undone = at.until(at.begin("rollback/rollback", service="shop", why="v2 was only a test"))
    assert (undone["state_name"], stable(at)) == ("RolledBack", "v1")
    names = [task["name"] for task in at.prefect.tasks(undone["id"])]
    assert names == ["reopen shop", "put v1 back", "retire canary", "tell people"]


def test_a_bad_version_is_taken_back(at: Running) -> None:
    ended = at.until(at.start("v2-errors"))
    assert (ended["state_name"], ended["state_type"], stable(at)) == ("RolledBack", "FAILED", "v1")
    chapters = at.prefect.subflows(ended["id"])
    assert len(chapters) == 1, evidence(at)
    [chapter] = chapters
    assert chapter["name"].startswith("error_rate")
    assert chapter["name"].endswith("at 20 %")


def test_a_bad_policy_is_refused_with_all_its_errors(at: Running) -> None:
    bad = {
        **POLICY,
        "bake": "2",
        "phases": [{"weight": "200%", "soak": "3s"}, {"weight": "100%", "soak": "2s"}],
        "cheks": {},
        "limits": {"duration": "fast"},
    }
    ended = at.until(at.start("v2", bad))
    message = ended["state"]["message"]
    assert ended["state_name"] == "Refused"
    for where in ("bake", "phases[0].weight", "cheks", "limits.duration"):
        assert where in message, message
    [report] = at.prefect.artifacts(ended["id"]).values()
    assert "Nothing was touched" in report["data"]


def test_parameters_of_the_wrong_kind_are_not_even_taken(at: Running) -> None:
    deployment = at.prefect.get("/deployments/name/release/release")["id"]
    for wrong in ({"version": 7}, {"policy": "policy.yaml"}, {"if_busy": "perhaps"}):
        answer = httpx.post(
            f"{at.prefect.api}/deployments/{deployment}/create_flow_run",
            json={"parameters": {"service": "shop", "version": "v2"} | wrong}, timeout=20, trust_env=False,
        )  # fmt: skip
        assert answer.status_code == 409, answer.text


def test_a_second_release_waits_where_it_is_asked_to(at: Running) -> None:
    first = at.start("v2", SLOW)
    at.held(first, "hold 20 %")
    waiting = at.start("v2-errors", if_busy="wait")
    at.held(waiting, "wait for shop")
    taken = at.until(at.begin("rollback/rollback", service="shop", why="the other one waits"))
    assert (taken["state_name"], "the other one waits" in taken["state"]["message"]) == ("RolledBack", True)
    assert at.until(first)["state_name"] == "RolledBack"
    assert at.until(waiting)["state_name"] == "RolledBack"
    names = [task["name"] for task in at.prefect.tasks(waiting["id"])]
    assert names[:3] == ["wait for shop", "preflight", "acquire shop"]


def test_cancelling_in_the_ui_gives_the_traffic_back(at: Running) -> None:
    going = at.start("v2", SLOW)
    at.held(going, "hold 20 %")
    at.prefect.post(f"/flow_runs/{going['id']}/set_state", {"state": {"type": "CANCELLING"}})
    assert at.until(going)["state_type"] == "CANCELLED"
    assert stable(at) == "v1"


def test_a_person_promotes_early(at: Running) -> None:
    going = at.start("v2", SLOW)
    at.held(going, "hold 20 %")
    asked = at.until(at.begin("promotion/promotion", service="shop", why="seen enough"))
    assert (asked["state_name"], at.until(going)["state_name"], stable(at)) == ("Promoted", "Promoted", "v2")
    undone = at.until(at.begin("rollback/rollback", service="shop"))
    assert (undone["state_name"], stable(at)) == ("RolledBack", "v1")


def test_there_is_nothing_to_roll_back_or_to_promote(at: Running) -> None:
    runs = [at.begin(name, service="shop") for name in ("rollback/rollback", "promotion/promotion")]
    assert [at.until(run)["state_name"] for run in runs] == ["Refused", "Refused"]
