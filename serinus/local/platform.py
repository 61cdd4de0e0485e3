"""What runs in a state folder, and where: the file that everybody else finds the local platform by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from serinus.errors import Refused
from serinus.settings import Folders
from serinus.stores.process import Identity


@dataclass(frozen=True, slots=True)
class OnKubernetes:
    """What a platform has whose service is a Deployment of a cluster of its own.

    Args:
        kubeconfig: of a user who may do everything, by an address that everybody on this machine reaches
        kubectl: the program
        namespace: of the service and all that releases make
        host: by which the ingress tells the service's requests from others'
        policy: a file; releases the service by it
        cluster: the folder of the cluster's own files
    """

    kubeconfig: str
    kubectl: str
    namespace: str
    host: str
    policy: str
    cluster: str


@dataclass(frozen=True, slots=True)
class Platform:
    """One running platform.

    Args:
        pid, start_time, boot_id: the supervisor's (`serinus.stores.process.Identity`)
        ready: everything answers
        services: names of those that are its own processes
        prefect_api, prefect_ui, prometheus, envoy_admin: addresses, without a slash at their end
        traffic: where users' requests go, by service
        scrape_seconds: how often Prometheus looks
        logs: the folder of the logs
        children: process ids by name
        kubernetes: where that is what it runs; then its one service is a Deployment, and no process of its own
    """

    pid: int
    start_time: int
    boot_id: str
    ready: bool
    services: tuple[str, ...]
    prefect_api: str
    prefect_ui: str
    prometheus: str
    envoy_admin: str
    traffic: Mapping[str, str]
    scrape_seconds: float
    logs: str
    children: Mapping[str, int] = field(default_factory=dict)
    kubernetes: OnKubernetes | None = None

    @property
    def supervisor(self) -> Identity:
        return Identity(self.pid, self.start_time, self.boot_id)

    @property
    def exported(self) -> str:
        """A line for a shell: by which commands in other folders find its Prefect server."""
        return f"export PREFECT_API_URL={self.prefect_api}    # outside of this folder"


@cache
def _adapter() -> TypeAdapter[Platform]:
    return TypeAdapter(Platform)


def platform_file(folders: Folders) -> Path:
    return folders.state / "platform.json"


def write_platform(folders: Folders, platform: Platform) -> None:
    path = platform_file(folders)
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(_adapter().dump_json(platform, indent=1))
    temporary.replace(path)


def read_platform(folders: Folders) -> Platform | None:
    """The platform of this folder; None where none runs, whatever a killed one left lying.

    Raises:
        Refused: the file is not one of ours
    """
    path = platform_file(folders)
    try:
        platform = _adapter().validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as cause:
        raise Refused(
            f"{path} is not a platform's file ({cause.errors()[0]['msg']}): remove it, or choose another folder"
        ) from cause
    return platform if platform.supervisor.alive else None
