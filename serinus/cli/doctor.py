"""`serinus doctor`: is everything there that a release needs? Reads only, and says how to mend what is not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serinus.cli.exit_code import Code
from serinus.cli.item import Item
from serinus.cli.place import Context, Namespace
from serinus.cli.terminal import Terminal
from serinus.cli.verb import Json, verb

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

    from serinus.cli.follow import Seen
    from serinus.ports import Metrics
    from serinus.settings import Folders

ANSWER_SECONDS = 3.0


@verb
async def doctor(
    context: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            metavar="[POLICY]", help="A policy's file, or a service; without one, all; those on Kubernetes as notes."
        ),
    ] = "",
    namespace: Namespace = "",
    kube_context: Context = "",
    api: Annotated[str, typer.Option("--api", help="The Prefect server's address, with /api.")] = "",
    as_json: Json = False,
) -> Code:
    """Say what is missing for a release, and how to mend it. Exit code 1 where something is."""
    from serinus.cli import elsewhere
    from serinus.settings import Folders

    out, folders, found = Terminal(as_json), Folders.resolve(), list[Item]()

    def add(items: list[Item]) -> None:
        for item in items:
            found.append(item)
            word, style = item.mark
            out.say(
                f"{word:>8}  {item.what}: {item.found}" + (f"\n          {item.mend}" if item.mend else ""),
                style if item.mend else "",
            )

    plans, wrong = await elsewhere.plans(what, folders, namespace, kube_context)
    named = bool(what or namespace or kube_context)
    local = [] if named and plans else _local(what, folders)
    if not (named and plans):
        add(list(programs()))
    add(list(writable(folders)))
    add(await server(api, folders))
    for name in local:
        add(await service_items(name, folders))
    add(wrong)
    for plan in plans:
        # Who named none need not mean these: what they lack hinders nothing but their own releases.
        add([replace(item, fatal=item.fatal and named) for item in await elsewhere.items(plan, folders)])
    missing = sum(bool(item.mend) and item.fatal for item in found)
    out.emit(
        {
            "missing": missing,
            "items": [{"what": i.what, "found": i.found, "mend": i.mend, "fatal": i.fatal} for i in found],
        }
    )
    out.say(verdict(missing, sum(item.mark[0] == "note" for item in found)), "bad" if missing else "good")
    return Code.UNEXPECTED if missing else Code.DONE


def verdict(missing: int, notes: int) -> str:
    """The last line: notes are not in order either, but hinder nothing."""
    noted = f"; {notes} {'note' if notes == 1 else 'notes'}" if notes else ""
    if missing:
        return f"{missing} to mend{noted}."
    return f"Nothing to mend{noted}." if notes else "Everything is in order."


def _local(what: str, folders: Folders) -> list[str]:
    """The services of the local platform that are meant: that of a policy's file, or all."""
    from pathlib import Path

    from serinus.policy.load import read
    from serinus.wiring import services

    service = read(what).content.service if what and Path(what).is_file() else what
    return [name for name in services(folders) if service in ("", name)]


def programs() -> Iterator[Item]:
    """What the local platform runs."""
    from serinus.errors import SerinusError
    from serinus.local import programs as local

    for name, find in (("envoy", local.envoy), ("setpriv", local.setpriv)):
        try:
            yield Item(name, str(find()))
        except SerinusError as cause:
            yield Item(name, "not there", f"{cause}; only the local platform needs it", fatal=False)
    for name in local.DEBIAN:
        path = local.find(name)
        mend = (
            ""
            if path
            else f"`serinus local up` fetches it, or: apt-get install {name}; only the local platform needs it"
        )
        yield Item(name, str(path or "not there"), mend, fatal=False)


def writable(folders: Folders) -> Iterator[Item]:
    """State and evidence can be written, and there is room."""
    import os
    import shutil

    for what, folder in (("state", folders.state), ("evidence", folders.evidence)):
        there = next(path for path in (folder, *folder.parents) if path.exists())
        if not os.access(there, os.W_OK) or not there.is_dir():
            yield Item(
                what,
                f"{folder} cannot be written",
                f"mend the rights of {there}, or name another folder: SERINUS_STATE",
            )
            continue
        free = shutil.disk_usage(there).free / 2**20
        mend = "" if free > 100 else f"make room on the disk of {there}: evidence must be written before traffic moves"
        yield Item(what, f"{folder}, {free:,.0f} MiB free", mend)


async def server(api: str, folders: Folders) -> list[Item]:
    """The Prefect server answers, its version goes with the client's, and the flows are deployed to it."""
    import asyncio

    from prefect import get_client

    from flows.server import NO_ANSWER
    from flows.start import DEPLOYING, DEPLOYMENT
    from serinus.cli.failure import Usage
    from serinus.cli.server import choose, connected
    from serinus.within import within

    try:
        meant = await asyncio.to_thread(choose, api, folders)
    except Usage as cause:
        return [Item("Prefect server", "none is named", str(cause))]
    try:
        with connected(meant):  # by Prefect's own client, which knows the key that the server demands
            async with within(ANSWER_SECONDS), get_client() as client:
                version = str((await client.request("GET", "/admin/version")).json())
                deployed = await _deployed(client)
    except (*NO_ANSWER, ValueError) as cause:
        why = str(cause) or type(cause).__name__
        return [
            Item(
                "Prefect server",
                f"{meant.api} (from {meant.whence}) does not answer: {why}",
                "start it, or name another: --api URL",
            )
        ]
    there = Item("Prefect server", f"{meant.api}, version {version} (from {meant.whence})")
    lacking = Item("Prefect server", f"has no deployment {DEPLOYMENT}", f"once: {DEPLOYING}")
    return [there, versions(version), *([] if deployed else [lacking])]


async def _deployed(client: PrefectClient) -> bool:
    """Whether the server has the deployment that a release is a run of; who may not look there does not know that it is missing."""
    from prefect.exceptions import PrefectHTTPStatusError

    from flows.start import DEPLOYMENT

    try:
        names = dict(zip(("flow_name", "deployment_name"), DEPLOYMENT.split("/"), strict=True))
        await client.request("GET", "/deployments/name/{flow_name}/{deployment_name}", path_params=names)
    except PrefectHTTPStatusError as cause:
        return cause.response.status_code != 404
    return True


def versions(server_version: str) -> Item:
    """Whether client and server go together: a server may be older than its clients, as far back as its history is whole."""
    from importlib.metadata import version

    from flows.start import OLDEST_SERVER

    client = version("prefect")
    theirs, what = _release(server_version), "Prefect client"
    mend = f"upgrade the server to {OLDEST_SERVER} or newer"
    if len(theirs) < 2:
        return Item(what, f"{client}; the server's version cannot be read: {server_version[:40]!r}", mend)
    if theirs < _release(OLDEST_SERVER):
        return Item(
            what, f"{client}; its server is older than {OLDEST_SERVER}, a release's history has gaps there", mend
        )
    if theirs < _release(client):
        return Item(what, f"{client}, newer than its server: fine from {OLDEST_SERVER} on")
    return Item(what, client)


def _release(version: str) -> tuple[int, ...]:
    """Its numbers as far as they are numbers: 3.7 of `3.7.0rc1`."""
    return tuple(int(part) for part in takewhile(str.isdecimal, version.split(".")[:3]))


async def service_items(service: str, folders: Folders) -> list[Item]:
    """Its policy is sound, its route can be read and closed, its metrics can judge a release, and nothing is left over."""
    from serinus.cli.failure import placed
    from serinus.cli.follow import look
    from serinus.errors import PolicyError, PreflightError, SerinusError
    from serinus.wiring import open_ports, plan_of

    plan, items = None, list[Item]()
    try:
        plan = plan_of(service, "doctor", None)
        items.append(Item(f"{service}: policy", "in order"))
    except PolicyError as cause:
        wrong = "\n          ".join(placed(cause.source, problem) for problem in cause.problems)
        items.append(Item(f"{service}: policy", wrong, "mend it, or name one: serinus release --policy", fatal=False))
    try:
        async with open_ports(service, folders, plan) as ports:
            seen = await look(ports)
            canary = await ports.workload.canary()
            items.append(await _tried(f"{service}: closing its route", ports.router.rehearse_close, "possible"))
            items += await _metrics(service, ports.metrics)
    except PreflightError as cause:
        return [*items, *(Item(f"{service}: {f.where}", f.what, f.mend, f.fatal) for f in cause.findings)]
    except SerinusError as cause:
        return [*items, Item(f"{service}: platform", str(cause), "mend that first; the rest could not be looked at")]
    return [*items, *_route(service, seen), *_leftovers(service, seen, canary.release if canary else "")]


async def _metrics(service: str, metrics: Metrics) -> list[Item]:
    from serinus.metrics.prometheus import PrometheusMetrics

    if not isinstance(metrics, PrometheusMetrics):
        return []
    found = [Item(f"{service}: {f.where}", f.what, f.mend, f.fatal) for f in await metrics.findings()]
    return found or [Item(f"{service}: metrics", "a release could be judged by them")]


def _route(service: str, seen: Seen) -> list[Item]:
    if seen.trouble:
        return [
            Item(
                f"{service}: route", seen.trouble, "`serinus local status` says what runs; the logs say why it does not"
            )
        ]
    if seen.route is None:
        return []
    mend = "" if seen.taken_up else "the router does not serve by it: look again in a second, else see the router's log"
    return [Item(f"{service}: route", f"the canary has {seen.route.weight}", mend)]


def _leftovers(service: str, seen: Seen, canary: str) -> list[Item]:
    """A mark or a canary that no live release owns."""
    mark = seen.route.mark if seen.route else None
    left = canary or (mark.release if mark else "")
    if not left or (seen.record is not None and not seen.record.ended):
        return []
    return [Item(f"{service}: leftovers", f"{left} is over and has left something", "`serinus guard --once` clears it")]


async def _tried(what: str, attempt: Callable[[], Awaitable[Any]], fine: str) -> Item:
    from serinus.errors import SerinusError

    try:
        await attempt()
    except SerinusError as cause:
        return Item(what, str(cause), "mend that first: without it no traffic could be returned")
    return Item(what, fine)
