"""Deploy `prefect.yaml` to a server; repeatable.

The same as `prefect work-pool create --type process serinus` and `prefect --no-prompt deploy --all`, in a second instead of twenty:
a platform that starts for a demo does not wait for two more Python processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from prefect import Flow, get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL, temporary_settings
from ruamel.yaml import YAML

from flows.server import asked
from serinus.errors import Refused
from serinus.within import within

HERE = Path(__file__).resolve().parent.parent
TIMEOUT_SECONDS = 60.0
SCHEDULE_KEYS = {"slug", "cron", "timezone", "active", "parameters"}
DEPLOYMENT_KEYS = {"name", "description", "entrypoint", "tags", "work_pool", "schedules", "parameters"}


def project_file() -> Path:
    """`prefect.yaml`: of the clone, else the copy that the wheel carries.

    Raises:
        Refused: neither is there
    """
    for place in (HERE / "prefect.yaml", HERE / "deployments" / "prefect.yaml"):
        if place.is_file():
            return place
    raise Refused(f"prefect.yaml is neither in {HERE} nor in {HERE / 'deployments'}: install the project again")


def described() -> list[dict[str, Any]]:
    """The deployments as `prefect.yaml` describes them.

    Raises:
        Refused: a key that only `prefect deploy` understands
    """
    with project_file().open(encoding="utf-8") as file:
        found: list[dict[str, Any]] = YAML(typ="safe").load(file)["deployments"]
    for deployment in found:
        unknown = set(deployment) - DEPLOYMENT_KEYS
        unknown |= {key for schedule in deployment.get("schedules", []) for key in set(schedule) - SCHEDULE_KEYS}
        if unknown:
            raise Refused(f"prefect.yaml, {deployment['name']}: {', '.join(sorted(unknown))} is not deployed from here")
    return found


async def deploy(api_url: str) -> None:
    """Work pool and deployments, made or brought up to date.

    Args:
        api_url: of the server, such as `http://127.0.0.1:4200/api`

    Raises:
        Refused: the server or the file does not take it
        Unavailable: the server does not answer
    """
    with temporary_settings({PREFECT_API_URL: api_url}), asked(f"the deployments ({api_url})"):
        async with within(TIMEOUT_SECONDS), get_client() as client:
            for deployment in described():
                await _pool(client, deployment["work_pool"]["name"])
                await _deployment(client, deployment)


async def _pool(client: PrefectClient, name: str) -> None:
    try:
        await client.read_work_pool(name)
    except ObjectNotFound:
        await client.create_work_pool(WorkPoolCreate(name=name, type="process"))


async def _deployment(client: PrefectClient, said: Mapping[str, Any]) -> None:
    """Made or changed; sent as it is said, as a newer client's own method sends keys that an older server refuses."""
    module, _, function = said["entrypoint"].rpartition(".")
    flow: Flow[..., Any] = getattr(import_module(module), function)
    wanted = {
        "flow_id": str(await client.create_flow(flow)),
        "name": said["name"],
        "description": said.get("description"),
        "entrypoint": said["entrypoint"],
        "parameters": said.get("parameters", {}),
        "parameter_openapi_schema": flow.parameters.model_dump_for_openapi(),
        "enforce_parameter_schema": True,
        "tags": list(said.get("tags", [])),
        "work_pool_name": said["work_pool"]["name"],
        "job_variables": dict(said["work_pool"].get("job_variables", {})),
        "pull_steps": [],
        "schedules": [_schedule(schedule) for schedule in said.get("schedules", [])],
    }
    await client.request("POST", "/deployments/", json=wanted)


def _schedule(said: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "schedule": {"cron": said["cron"], "timezone": said.get("timezone", "UTC")},
        "active": said.get("active", True),
        "parameters": dict(said.get("parameters", {})),
        "slug": said["slug"],
    }
