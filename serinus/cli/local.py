"""`serinus local up | down | status | fault | load`: the platform on this machine, as `serinus.local` runs it.

`up` is its supervisor in the foreground, and the guard of its releases.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serinus.cli.exit_code import Code
from serinus.cli.failure import Usage
from serinus.cli.terminal import Terminal
from serinus.cli.verb import Json, Service, verb

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

    from serinus.local.platform import Platform
    from serinus.settings import Folders

UP_SECONDS = 180.0
"""Ready within that, fetching Prometheus and migrating Prefect's database included."""
DOWN_SECONDS = 30.0
POLL_SECONDS = 0.1
DEPLOYED = "flows deployed: releases can begin"

Services = Annotated[
    list[str] | None,
    typer.Option(
        "--service", metavar="NAME[:VERSION[:REPLICAS[:PORT]]]", help="A service; again for more [shop:v1:2]."
    ),
]
Scrape = Annotated[str, typer.Option("--scrape", metavar="DURATION", help="How often Prometheus looks.")]
Detach = Annotated[bool, typer.Option("--detach", help="Go on in the background; returns when everything answers.")]
Port = Annotated[int | None, typer.Option(help="A port of your choice; otherwise any free one.")]
Arm = Annotated[str, typer.Option("--arm", help="Who suffers: stable, canary or all.")]


@verb
async def up(
    context: typer.Context,
    service: Services = None,
    scrape: Scrape = "1s",
    detach: Detach = False,
    prefect_port: Port = None,
    prometheus_port: Port = None,
    as_json: Json = False,
) -> Code:
    """Start Envoy, Prometheus, Prefect and a service, and guard its releases until Ctrl-C."""
    from serinus.local.service import service_from
    from serinus.local.supervisor import Options
    from serinus.settings import Folders

    out, folders = Terminal(as_json), Folders.resolve()
    try:
        services = [service_from(text) for text in service or ["shop:v1:2"]]
    except ValueError as cause:
        raise Usage(f"--service is NAME[:VERSION[:REPLICAS[:PORT]]], such as shop:v1:2: {cause}") from None
    options = Options(duration(scrape, "--scrape"), prefect_port, prometheus_port)
    if not detach:
        return await _foreground(out, folders, services, options)
    words = [word for text in service or [] for word in ("--service", text)] + ["--scrape", scrape]
    for name, port in (("--prefect-port", prefect_port), ("--prometheus-port", prometheus_port)):
        words += [name, str(port)] if port is not None else []
    platform, _ = await launched(folders, words, list, lambda line: out.say(line, "dim"))
    described_platform(out, platform)
    return Code.DONE


async def _foreground(out: Terminal, folders: Folders, services: Sequence[Any], options: Any) -> Code:
    import asyncio
    import signal

    from serinus.local.supervisor import up as supervise
    from serinus.moves.look import look_at_all
    from serinus.wiring import guards

    def say(text: str) -> None:
        out.result({"event": "platform", "said": text}, text)

    async with _Guards(folders, guards, look_at_all) as guard:
        running = asyncio.ensure_future(supervise(folders, services, options, guard, say))
        deploying = asyncio.ensure_future(_deployed(folders, say))
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
        await asyncio.wait((running, deploying), return_when=asyncio.FIRST_EXCEPTION)
        for task in (running, deploying):
            task.cancel()
        ended = await asyncio.gather(running, deploying, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            raise error
    out.result({"ended": True}, "everything is stopped", "dim")
    return Code.DONE


async def _deployed(folders: Folders, say: Callable[[str], None]) -> None:
    """The flows deployed to the platform's own server, by a process that goes again: the supervisor stays small.

    Raises:
        Unavailable: they could not be; releases would be refused
    """
    import asyncio
    import os

    from serinus.errors import Unavailable
    from serinus.local.child import tied

    process = await asyncio.create_subprocess_exec(
        *tied((sys.executable, "-m", "serinus.cli", "local", "deploy")),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "SERINUS_STATE": str(folders.state)},
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        raise Unavailable(f"the flows could not be deployed: {said.decode(errors='replace').strip()[-500:]}")
    say(DEPLOYED)


@verb
async def deploy(context: typer.Context, as_json: Json = False) -> Code:
    """Deploy the flows to the platform's own Prefect server, as soon as it answers (`up` does it)."""
    import asyncio

    import httpx

    from flows.deploy import deploy as deploy_to
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


class _Guards:
    """The guard of every service, opened at its first look, when the platform is there; it remembers between two looks."""

    def __init__(self, folders: Folders, opening: Any, look: Any) -> None:
        from contextlib import AsyncExitStack

        self._folders, self._opening, self._look = folders, opening, look
        self._stack = AsyncExitStack()
        self._opened: Any = None

    async def __aenter__(self) -> _Guards:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def __call__(self) -> list[str]:
        if self._opened is None:
            self._opened = await self._stack.enter_async_context(self._opening(self._folders))
        done: list[str] = await self._look(self._opened)
        return done


async def launched(
    folders: Folders, options: Sequence[str], tie: Callable[[Sequence[str]], Sequence[str]], say: Callable[[str], None]
) -> tuple[Platform, asyncio.subprocess.Process]:
    """A supervisor as a process of its own, waited for until everything answers.

    Args:
        options: of `serinus local up`
        tie: what is put around its command; `list` leaves it free
        say: told its lines meanwhile

    Raises:
        Refused: one runs already, or it ended instead; its log's last lines say why
        Unavailable: it takes too long
    """
    import asyncio
    import os

    from serinus.errors import Refused, Unavailable
    from serinus.local.child import tail
    from serinus.local.platform import read_platform

    if running := read_platform(folders):
        raise Refused(f"a platform already runs in {folders.state} (pid {running.pid}): `serinus local down` ends it")
    log = folders.state / "logs" / "supervisor.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *tie((sys.executable, "-m", "serinus.cli", "local", "up", *options)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
            env={**os.environ, "SERINUS_STATE": str(folders.state)},
        )
    told = 0
    for _ in range(round(UP_SECONDS / POLL_SECONDS)):
        lines = log.read_text(errors="replace").splitlines()
        for line in lines[told:]:
            say(line)
        told = len(lines)
        platform = read_platform(folders)
        if platform and platform.ready and platform.pid == process.pid and DEPLOYED in lines:
            return platform, process
        if process.returncode is not None:
            raise Refused(f"the platform did not start: {tail(log) or 'it said nothing'}")
        await asyncio.sleep(POLL_SECONDS)
    process.terminate()
    raise Unavailable(f"the platform did not answer within {UP_SECONDS:g} s; see {log}")


def described_platform(out: Terminal, platform: Platform) -> None:
    """Where everything is."""
    rows = [*((f"traffic of {name}", url) for name, url in platform.traffic.items())]
    rows += [
        ("Prefect", platform.prefect_ui),
        ("Prometheus", platform.prometheus),
        ("Envoy's admin", platform.envoy_admin),
    ]
    rows += [("logs", platform.logs), ("supervisor", f"pid {platform.pid}")]
    for name, value in rows:
        out.say(f"{name:<18} {value}")
    from dataclasses import asdict

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


@verb
def fault(
    context: typer.Context,
    service: Service,
    arm: Arm = "all",
    error_rate: Annotated[
        str, typer.Option("--error-rate", metavar="PERCENT", help="Part of the requests that fail.")
    ] = "0%",
    latency: Annotated[str, typer.Option("--latency", metavar="DURATION", help="Added to every request.")] = "0s",
    dead: Annotated[bool, typer.Option("--dead", help="Every connection is refused.")] = False,
    as_json: Json = False,
) -> Code:
    """Break a running service on purpose; without options, end what was broken."""
    from serinus.local.fault import ARMS, Fault, faults_file, write_fault
    from serinus.settings import Folders

    out, folders = Terminal(as_json), Folders.resolve()
    served(running_in(folders), service)
    if arm not in ARMS:
        raise Usage(f"--arm is {', '.join(ARMS[:-1])} or {ARMS[-1]}, not {arm}.")
    try:
        wanted = Fault(percentage(error_rate, "--error-rate"), duration(latency, "--latency"), dead)
    except ValueError as cause:
        raise Usage(str(cause)) from None
    write_fault(faults_file(folders.service(service)), arm, wanted)
    broken = wanted != Fault()
    told = f"{arm} of {service}: {wanted.error_rate:.3g} of the requests fail, {wanted.latency_seconds:g} s slower" + (
        ", dead" if dead else ""
    )
    out.result(
        {"service": service, "arm": arm, "broken": broken},
        told if broken else f"{arm} of {service}: as its version is",
        "warn" if broken else "good",
    )
    return Code.DONE


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


def percentage(text: str, option: str) -> float:
    """The fraction of `30%`. Raises Usage."""
    from serinus.policy.unit import UnitError, percent

    try:
        return percent(text) / 100
    except UnitError as cause:
        raise Usage(f"{option}: {cause}.") from None


@verb
async def load(
    context: typer.Context,
    service: Service,
    rate: Annotated[float, typer.Option("--rate", help="Requests a second.")] = 200.0,
    lasting: Annotated[str, typer.Option("--for", metavar="DURATION", help="How long; otherwise until Ctrl-C.")] = "",
    as_json: Json = False,
) -> Code:
    """Send steady requests to a service, as its users do, and count what came back."""
    import asyncio
    import signal
    from contextlib import suppress
    from dataclasses import asdict

    from serinus.local.traffic import sending
    from serinus.settings import Folders

    out, stop = Terminal(as_json), asyncio.Event()
    url = served(running_in(Folders.resolve()), service)
    seconds = duration(lasting, "--for") if lasting else None
    if not 0.1 <= rate <= 20_000:
        raise Usage(f"--rate is 0.1 to 20000 requests a second, not {rate:g}.")
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    out.say(f"{rate:g} requests a second to {url}" + ("" if lasting else "; Ctrl-C ends it"), "dim")
    async with sending(url, rate) as sender:
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), seconds)
    sent = sender.result()
    told = f"{sent.requests:,} requests in {sent.seconds:.1f} s, {sent.failed:,} failed"
    out.result(
        {**asdict(sent), "requests": sent.requests, "failed": sent.failed}, told, "warn" if sent.failed else "good"
    )
    return Code.DONE
