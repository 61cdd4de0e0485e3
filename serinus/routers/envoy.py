"""The route of a service in an Envoy that reads it from a file (file RDS).

The route is a store of revisions (`services/<service>/route`): a write is conditional on the revision that was read. Envoy's file,
`envoy/rds/<service>.yaml`, is its projection: the highest revision rendered, renamed into the folder that Envoy watches, and looked
at again. Whether Envoy serves by it is asked of its admin interface; nothing else here needs Envoy.

A full disk does not stop a return to stable: before any weight above 0 is written, the blocks for one more revision and one more
rendering are laid by (`stores.disk.reserve`), and only a write of weight 0 may spend them.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import httpx

from serinus.errors import Refused, Unavailable
from serinus.ports import Route
from serinus.release.mark import Mark
from serinus.release.weight import NOTHING
from serinus.settings import Folders
from serinus.stores.disk import CALL_SECONDS, bounded, reserve, saying, sync_folder, write_new, write_sparing
from serinus.stores.revisions import Store
from serinus.stores.route import as_found, from_json, is_route, to_json

TIMEOUT = "15s"
"""After which Envoy answers 504 in a version's place."""
_LOOKS = 100
_LOG_BYTES = 64 * 1024


class EnvoyRouter:
    """`ports.Router`; close it with `aclose` at the end.

    Args:
        folders: where the state lies
        service: its name, and that of Envoy's route configuration
        admin: address of Envoy's admin interface, `http://127.0.0.1:PORT`; None where there is none to ask
    """

    def __init__(self, folders: Folders, service: str, admin: str | None) -> None:
        self._service = service
        self._projection = _Projection(folders, service)
        self._log = folders.state / "logs" / "envoy.log"
        self._admin = admin
        self._http = httpx.AsyncClient(base_url=admin or "", timeout=CALL_SECONDS, trust_env=False, verify=False)
        self._waiting: tuple[str, int] | None = None
        """The version that is waited for, and what Envoy had refused before it was first asked for."""

    async def aclose(self) -> None:
        await self._http.aclose()

    async def read(self) -> Route:
        return await bounded(f"the route of {self._service}", self._projection.read)

    async def write(self, mark: Mark, seen: Route) -> Route:
        return await bounded(f"the route of {self._service}", self._projection.write, mark, seen)

    async def restore(self, original: str, seen: Route) -> Route:
        """Everything to stable and no mark: whatever was found before, nothing goes to a canary that nobody owns."""
        return await bounded(f"the route of {self._service}", self._projection.write, None, seen)

    async def rehearse_close(self) -> None:
        await bounded(f"the route of {self._service}", self._projection.rehearse)

    async def project(self) -> bool:
        return await bounded(f"Envoy's file of {self._service}", self._projection.mend)

    async def taken_up(self, route: Route) -> bool:
        wanted = version_text(route)
        versions, refused = await self._word()
        if versions == {wanted}:
            self._waiting = None
            return True
        if self._waiting is None or self._waiting[0] != wanted:
            self._waiting = (wanted, refused)
            return False
        before = self._waiting[1]
        mended = await bounded(f"Envoy's file of {self._service}", self._projection.mend, again=True)
        if refused > before and not mended:
            self._waiting = None
            words = await bounded("Envoy's log", _last_refusal, self._log)
            raise Refused(f"Envoy rejected the route {wanted} and serves by {', '.join(versions) or 'none'}{words}")
        return False

    async def _word(self) -> tuple[set[str], int]:
        """The versions that Envoy serves by (one, but for a change in progress), and how many it has refused."""
        if self._admin is None:
            raise Unavailable("no Envoy is known here: whether the route is served cannot be asked")
        wanted = rf"\.rds\.{re.escape(self._service)}\.(version_text|update_rejected|update_failure)$"
        try:
            answer = await self._http.get("/stats", params={"format": "json", "filter": wanted})
            answer.raise_for_status()
            stats = {stat["name"]: stat["value"] for stat in answer.json()["stats"] if "name" in stat}
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as cause:
            raise Unavailable(f"Envoy at {self._admin} gives no word: {cause or type(cause).__name__}") from cause
        if not stats:
            raise Unavailable(f"Envoy at {self._admin} knows no route configuration {self._service}, or not yet")
        versions = {str(value) for name, value in stats.items() if name.endswith("version_text")}
        return versions, sum(int(value) for name, value in stats.items() if not name.endswith("version_text"))


class _Projection:
    """The store, and Envoy's file made from it; blocking."""

    def __init__(self, folders: Folders, service: str) -> None:
        self._service = service
        self._store = Store(folders.service(service) / "route")
        self._file = folders.state / "envoy" / "rds" / f"{service}.yaml"
        self._spare = self._file.with_name(f".{service}.spare")

    def read(self) -> Route:
        # A revision that is no route serves nobody: the one before does, and the next write goes over both, a close above all.
        found = self._store.read(is_route)
        if found is None:
            raise Refused(f"{self._service} has no route: {self._store.folder} is empty; is the local platform up?")
        number, content = found
        return from_json(content, str(number))

    def write(self, mark: Mark | None, seen: Route) -> Route:
        weight = mark.weight if mark else NOTHING
        if weight > NOTHING:
            self._store.reserve()
            with saying(f"no space could be laid by in {self._file.parent}"):
                reserve(self._spare)
        stored = to_json(weight, mark, seen.original if mark else "")
        number = self._store.write(stored, int(seen.version), sparing=weight == NOTHING)
        self.mend()
        return Route(weight, mark, str(number), seen.original if mark else as_found(weight))

    def mend(self, *, again: bool = False) -> bool:
        """Bring Envoy's file to the highest revision; True where it was not there.

        Args:
            again: put it there once more even so, which makes Envoy look again
        """
        mended = False
        with saying(f"{self._file} cannot be written"):
            for _ in range(_LOOKS):
                route = self.read()
                text = render(self._service, route).encode()
                try:
                    same = self._file.read_bytes() == text
                except FileNotFoundError:
                    same = False
                if same and not again:
                    return mended
                self._put(text, sparing=route.weight == NOTHING)
                mended, again = mended or not same, False
        raise Unavailable(f"the route of {self._service} changes faster than Envoy's file can be written")

    def rehearse(self) -> None:
        self.read()
        for folder in (self._store.folder, self._file.parent):
            trial = folder / f".trial-{os.getpid()}-{os.urandom(4).hex()}"
            with saying(f"{folder} cannot be written, so the route could not be closed"):
                write_new(trial, b"closed")
                trial.unlink()

    def begin(self) -> None:
        if self._store.read() is None:
            self._store.write(to_json(NOTHING, None, ""), 0)
        with saying(f"{self._file.parent} cannot be written"):
            self._file.parent.mkdir(parents=True, exist_ok=True)
        self.mend()

    def _put(self, text: bytes, *, sparing: bool) -> None:
        draft = self._file.with_name(f".{self._service}.{os.getpid()}.{os.urandom(4).hex()}")
        try:
            if sparing:
                write_sparing(draft, text, self._spare)
            else:
                write_new(draft, text)
            draft.rename(self._file)
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(self._file.parent)


def initial(folders: Folders, service: str) -> None:
    """The first revision of a service's route (everything to stable) and Envoy's file; nothing to do where they are there.

    Raises:
        Unavailable, Refused: the disk, as `Store.write`
    """
    _Projection(folders, service).begin()


def version_text(route: Route) -> str:
    """What Envoy calls this very revision: `<release>:<token>:<seq>:<mode>@<revision>`."""
    mark = route.mark
    whose = f"{mark.release}:{mark.token}:{mark.seq}:{mark.mode}" if mark else "unmarked"
    return f"{whose}@{route.version}"


def render(service: str, route: Route) -> str:
    """Envoy's file: one virtual host for every name, both clusters by weight, no retries: they would hide a bad canary.

    Source: Envoy v3 API, `config.route.v3.RouteConfiguration`; JSON is YAML.
    """
    clusters = [
        {"name": f"{service}-stable", "weight": route.weight.stable_points},
        {"name": f"{service}-canary", "weight": route.weight.points},
    ]
    action = {"timeout": TIMEOUT, "weighted_clusters": {"clusters": clusters}}
    resource = {
        "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
        "name": service,
        "virtual_hosts": [{"name": service, "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": action}]}],
    }
    return json.dumps({"version_info": version_text(route), "resources": [resource]}, indent=1) + "\n"


def _last_refusal(log: Path) -> str:
    """Envoy's own words: it gives them to its log alone."""
    try:
        with log.open("rb") as file:
            file.seek(max(log.stat().st_size - _LOG_BYTES, 0))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    found = [line for line in lines if "config update rejected" in line or "config update failure" in line]
    return f": {found[-1].partition('config update ')[2]}" if found else ""
