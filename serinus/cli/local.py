"""`serinus local up | down | status`: the platform on this machine, as `serinus.local` runs it and `launch` starts it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serinus.cli.exit_code import Code
from serinus.cli.failure import Usage
from serinus.cli.terminal import Terminal
from serinus.cli.verb import Json, verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serinus.local.platform import Platform
    from serinus.settings import Folders

DOWN_SECONDS = 30.0
POLL_SECONDS = 0.1

Services = Annotated[
    list[str] | None,
    typer.Option(
        "--service", metavar="NAME[:VERSION[:REPLICAS[:PORT]]]", help="A service; again for more [shop:v1:2]."
    ),
]
Scrape = Annotated[str, typer.Option("--scrape", metavar="DURATION", help="How often Prometheus looks.")]
Detach = Annotated[bool, typer.Option("--detach", help="Go on in the background; returns when everything answers.")]
Port = Annotated[int | None, typer.Option(help="A port of your choice; otherwise any free one.")]


OnKubernetes = Annotated[
    bool, typer.Option("--kubernetes", help="A Kubernetes of this machine's own, with the shop as a Deployment.")
]


@verb
async def up(
    context: typer.Context,
    service: Services = None,
    scrape: Scrape = "1s",
    kubernetes: OnKubernetes = False,
    detach: Detach = False,
    prefect_port: Port = None,
    prometheus_port: Port = None,
    as_json: Json = False,
) -> Code:
    """Start the platform, and guard its releases until Ctrl-C."""
    from serinus.cli.launch import foreground, launched
    from serinus.errors import Refused
    from serinus.local.service import service_from
    from serinus.local.supervisor import Options
    from serinus.settings import Folders

    out, folders = Terminal(as_json), Folders.resolve()
    if kubernetes:
        if service or scrape != "1s":
            raise Usage(
                "--service and --scrape are for the plain platform: on Kubernetes the shop is scraped each second."
            )
        return await _on_kubernetes(out, folders, detach, prefect_port, prometheus_port)
    try:
        services = [service_from(text) for text in service or ["shop:v1:2"]]
    except Refused as cause:
        raise Usage(f"--service: {cause}.") from None
    options = Options(duration(scrape, "--scrape"), prefect_port, prometheus_port)
    if not detach:
        await foreground(out, folders, services, options)
        out.result({"ended": True}, "everything is stopped", "dim")
        return Code.DONE
    words = [word for text in service or [] for word in ("--service", text)] + ["--scrape", scrape]
    words += _ports(prefect_port, prometheus_port)
    platform, _ = await launched(folders, words, list, lambda line: out.say(line, "dim"))
    described_platform(out, platform)
    return Code.DONE


async def _on_kubernetes(
    out: Terminal, folders: Folders, detach: bool, prefect_port: int | None, prometheus_port: int | None
) -> Code:
    from serinus.cli.launch import launched
    from serinus.cli.on_kubernetes import foreground, prepared
    from serinus.local.kubernetes import Ports

    if not detach:
        await foreground(out, folders, Ports(prefect_port, prometheus_port))
        out.result({"ended": True}, "everything is stopped", "dim")
        return Code.DONE

    def say(line: str) -> None:
        out.say(line, "dim")

    await prepared(folders, say)
    words = ["--kubernetes", *_ports(prefect_port, prometheus_port)]
    platform, _ = await launched(folders, words, list, say)
    described_platform(out, platform)
    return Code.DONE


def _ports(prefect: int | None, prometheus: int | None) -> list[str]:
    """As options again."""
    given = (("--prefect-port", prefect), ("--prometheus-port", prometheus))
    return [word for name, port in given if port is not None for word in (name, str(port))]


@verb
async def deploy(context: typer.Context, as_json: Json = False) -> Code:
    """Deploy the flows to the platform's own Prefect server, as soon as it answers (`up` does it)."""
    import asyncio

    import httpx

    from flows.deploy import deploy as deploy_to
    from serinus.cli.launch import POLL_SECONDS, UP_SECONDS
    from serinus.errors import Unavailable
    from serinus.local.platform import read_platform
    from serinus.local.prefect_server import answers
    from serinus.settings import Folders

    out, folders = Terminal(as_json), Folders.resolve()
    async with httpx.AsyncClient(trust_env=False) as client:
        for _ in range(round(UP_SECONDS / POLL_SECONDS)):
            platform = read_platform(folders)
            if platform and await answers(client, platform.prefect_api):
                await deploy_to(platform.prefect_api)
                out.result({"deployed": platform.prefect_api}, f"deployed to {platform.prefect_api}", "good")
                return Code.DONE
            await asyncio.sleep(POLL_SECONDS)
    raise Unavailable(f"no Prefect server of {folders.state} answered within {UP_SECONDS:g} s")


def described_platform(out: Terminal, platform: Platform) -> None:
    """Where everything is."""
    if platform.kubernetes:
        from serinus.cli.on_kubernetes import lines

        for line in lines(platform):
            out.say(line)
        out.emit(asdict(platform))
        return
    rows = [*((f"traffic of {name}", url) for name, url in platform.traffic.items())]
    rows += [
        ("Prefect", platform.prefect_ui),
        ("Prometheus", platform.prometheus),
        ("Envoy's admin", platform.envoy_admin),
    ]
    rows += [("logs", platform.logs), ("supervisor", f"pid {platform.pid}")]
    for name, value in rows:
        out.say(f"{name:<18} {value}")
    out.say(f"\n  {platform.exported}")
    out.emit(asdict(platform))


@verb
async def down(context: typer.Context, as_json: Json = False) -> Code:
    """Stop everything. State and evidence stay."""
    import asyncio
    import os
    import signal

    from serinus.errors import Unavailable
    from serinus.settings import Folders

    out, folders = Terminal(as_json), Folders.resolve()
    platform = running_in(folders)
    os.kill(platform.pid, signal.SIGTERM)
    for _ in range(round(DOWN_SECONDS / POLL_SECONDS)):
        if not platform.supervisor.alive:
            out.result({"stopped": platform.pid}, f"everything in {folders.state} is stopped", "good")
            return Code.DONE
        await asyncio.sleep(POLL_SECONDS)
    raise Unavailable(
        f"the supervisor (pid {platform.pid}) has not ended after {DOWN_SECONDS:g} s; see {platform.logs}"
    )


@verb
def status(context: typer.Context, as_json: Json = False) -> Code:
    """Show what runs, where it answers, and where its logs are."""
    from serinus.settings import Folders

    out, folders = Terminal(as_json), Folders.resolve()
    platform = running_in(folders)
    for name in platform.services:
        for pod in _pods(folders, name):
            state = pod.trouble or ("serving" if pod.serving else "ready" if pod.ready else "not ready")
            out.say(
                f"{pod.name:<24} {pod.version:<12} {state}" + (f" (pid {pod.pid})" if pod.pid else ""),
                "bad" if pod.trouble else "",
            )
    described_platform(out, platform)
    return Code.DONE


def _pods(folders: Folders, service: str) -> Sequence[Any]:
    from serinus.stores.pods import read_pods

    pods = read_pods(folders.service(service))
    return pods.pods if pods else ()


def running_in(folders: Folders) -> Platform:
    """The platform of this folder.

    Raises:
        Usage: none runs
    """
    from serinus.local.platform import read_platform

    if platform := read_platform(folders):
        return platform
    raise Usage(
        f"No local platform runs in {folders.state}. `serinus local up` starts one; SERINUS_STATE names another folder."
    )


def served(platform: Platform, service: str) -> str:
    """Where users' requests of that service go.

    Raises:
        Usage: the platform has no such service
    """
    if service not in platform.traffic:
        raise Usage(f"The local platform has no service {service}; it has {', '.join(platform.traffic)}.")
    return platform.traffic[service]


def duration(text: str, option: str) -> float:
    """Seconds of `500ms`, `8s`, `5m`. Raises Usage."""
    from serinus.policy.unit import UnitError, seconds

    try:
        return seconds(text) if text not in ("0", "0s") else 0.0
    except UnitError as cause:
        raise Usage(f"{option}: {cause}.") from None
