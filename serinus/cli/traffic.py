"""`serinus local fault | load`: break a running service on purpose, and send requests as its users do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from serinus.cli.exit_code import Code
from serinus.cli.failure import Usage
from serinus.cli.local import duration, running_in, served
from serinus.cli.terminal import Terminal
from serinus.cli.verb import Json, Service, verb

if TYPE_CHECKING:
    from serinus.local.platform import Platform

Arm = Annotated[str, typer.Option("--arm", help="Who suffers: stable, canary or all.")]


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
    """Break a service on purpose; without options, mend it."""
    from serinus.local.fault import ARMS, Fault, faults_file, write_fault
    from serinus.settings import Folders

    out, folders = Terminal(as_json), Folders.resolve()
    platform = running_in(folders)
    served(platform, service)
    if platform.kubernetes:
        raise Usage(
            "On Kubernetes nothing is broken by hand: release a version that is bad by itself, such as v2-errors."
        )
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


@verb
async def load(
    context: typer.Context,
    service: Service,
    rate: Annotated[float, typer.Option("--rate", help="Requests a second.")] = 200.0,
    lasting: Annotated[str, typer.Option("--for", metavar="DURATION", help="How long; otherwise until Ctrl-C.")] = "",
    host: Annotated[
        str, typer.Option("--host", help="A service of your own on the local Kubernetes, by its host.")
    ] = "",
    as_json: Json = False,
) -> Code:
    """Send steady requests, as users do, and count the answers."""
    import asyncio
    import signal
    from dataclasses import asdict

    from serinus.local.traffic import sending
    from serinus.settings import Folders
    from serinus.within import happens

    out, stop = Terminal(as_json), asyncio.Event()
    platform = running_in(Folders.resolve())
    url, host = _addressed(platform, service, host)
    seconds = duration(lasting, "--for") if lasting else None
    if not 0.1 <= rate <= 20_000:
        raise Usage(f"--rate is 0.1 to 20000 requests a second, not {rate:g}.")
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    at = f"{host} at {url}" if host else url
    out.say(f"{rate:g} requests a second to {at}" + ("" if lasting else "; Ctrl-C ends it"), "dim")
    async with sending(url, rate, host) as sender:
        await happens(stop, seconds)
    sent = sender.result()
    odd = {status: count for status, count in sorted(sent.by_status.items()) if 300 <= status < 500}
    told = f"{sent.requests:,} requests in {sent.seconds:.1f} s, {sent.failed:,} failed"
    told += "".join(f", {count:,} answered {status}" for status, count in odd.items())
    style = "warn" if sent.failed or odd else "good"
    out.result({**asdict(sent), "requests": sent.requests, "failed": sent.failed}, told, style)
    return Code.DONE


def _addressed(platform: Platform, service: str, host: str) -> tuple[str, str]:
    """Where users' requests go, and by which host; empty: by that address alone. Raises Usage."""
    ours = platform.kubernetes
    if not host:
        if ours and service not in platform.traffic:
            raise Usage(f"The shop here is {', '.join(platform.traffic)}; of {service} say the host: --host NAME.")
        return served(platform, service), ours.host if ours else ""
    if not ours:
        raise Usage("--host is for `serinus local up --kubernetes`: here each service has an address of its own.")
    return next(iter(platform.traffic.values())), host


def percentage(text: str, option: str) -> float:
    """The fraction of `30%`. Raises Usage."""
    from serinus.policy.unit import UnitError, percent

    try:
        return percent(text) / 100
    except UnitError as cause:
        raise Usage(f"{option}: {cause}.") from None
