"""`prefect.yaml`: what it says can be deployed, twice as once, and as `prefect deploy` does it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from prefect import Flow, get_client
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from ruamel.yaml import YAML

from flows.deploy import deploy, described, project_file
from flows.start import create, digest
from serinus.errors import Refused, Unavailable
from tests.flows.serving import PrefectServer

SAME = ("entrypoint", "description", "tags", "work_pool_name", "job_variables", "pull_steps", "path", "parameters")


def flow_of(entrypoint: str) -> Flow[..., Any]:
    module, _, function = entrypoint.rpartition(".")
    found: Flow[..., Any] = getattr(import_module(module), function)
    return found


def test_every_deployment_is_a_flow_of_that_name_and_takes_its_schedules_parameters() -> None:
    found = {deployment["name"]: deployment for deployment in described()}
    assert set(found) == {"release", "rollback", "promotion"}
    for name, deployment in found.items():
        flow = flow_of(deployment["entrypoint"])
        assert flow.name == name
        assert all(flow.parameters.properties[key]["description"] for key in flow.parameters.properties), name
        for schedule in deployment.get("schedules", ()):
            assert set(schedule["parameters"]) <= set(flow.parameters.properties)
            assert {"service", "version"} <= set(schedule["parameters"]), "a schedule says which version it takes"
            assert schedule["active"] is False


def test_it_is_bound_to_no_folder() -> None:
    said = YAML(typ="safe").load(project_file())
    assert said["pull"] == []
    assert not [each for each in described() if "/" in each["entrypoint"] or ":" in each["entrypoint"]]


def test_a_key_stands_for_every_parameter() -> None:
    one = digest({"service": "shop", "version": "v2"}, "k")
    assert one == digest({"version": "v2", "service": "shop"}, "k")
    assert len({one, digest({"service": "shop", "version": "v3"}, "k"), digest({"service": "shop"}, "k2")}) == 3


async def test_a_server_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        await deploy("http://127.0.0.1:9/api")


async def test_neither_is_one_that_a_release_is_asked_of() -> None:
    with (
        temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}),
        pytest.raises(Unavailable, match="does not answer"),
    ):
        await create("shop", "v2", key="k", here=True)


@pytest.mark.real
async def test_a_server_without_the_deployments_says_how_to_get_them(bare: PrefectServer) -> None:
    with temporary_settings({PREFECT_API_URL: bare.api, PREFECT_API_AUTH_STRING: "user:password"}):
        with pytest.raises(Refused, match="prefect work-pool create .*; prefect --no-prompt deploy --all"):
            await create("shop", "v2", key="k", here=True)
        await deploy(bare.api)
        with pytest.raises(Refused, match="if_busy"):
            await create("shop", "v2", key="k", if_busy="perhaps", here=True)
        assert (await create("shop", "v2", key="k", here=True)).ours
        async with get_client() as client:
            for deployed in await client.read_deployments():
                await client.delete_deployment(deployed.id)


@pytest.mark.real
@pytest.mark.timeout(300)
def test_it_is_what_prefect_deploy_makes(prefect_server: PrefectServer, tmp_path: Path) -> None:
    def there() -> dict[str, dict[str, Any]]:
        return {each["name"]: each for each in prefect_server.post("/deployments/filter")}

    ours = there()
    environment = prefect_environment(prefect_server, tmp_path)
    for _ in range(2):
        words = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
        done = subprocess.run(
            words, cwd=project_file().parent, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    theirs = there()
    assert {name: each["id"] for name, each in theirs.items()} == {name: each["id"] for name, each in ours.items()}
    for name, each in theirs.items():
        assert {key: each[key] for key in SAME} == {key: ours[name][key] for key in SAME}
        forms = [one["parameter_openapi_schema"] for one in (each, ours[name])]
        assert forms[0]["properties"] == forms[1]["properties"]
        assert forms[0]["required"] == forms[1]["required"]
        assert each["enforce_parameter_schema"] is ours[name]["enforce_parameter_schema"] is True
        schedules = [
            [(s["slug"], s["active"], s["parameters"]) for s in one["schedules"]] for one in (each, ours[name])
        ]
        assert schedules[0] == schedules[1]


def prefect_environment(server: PrefectServer, home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return kept | {"PREFECT_API_URL": server.api, "PREFECT_HOME": str(home), "NO_COLOR": "1", "DO_NOT_TRACK": "1"}
