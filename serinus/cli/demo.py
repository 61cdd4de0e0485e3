"""`serinus demo`: releases on real traffic on this machine, good ones and bad ones, shown live."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serinus.cli.exit_code import Code
from serinus.cli.failure import Usage
from serinus.cli.scenario import SCENARIOS, Meanwhile, Scenario
from serinus.cli.terminal import Terminal
from serinus.cli.verb import Json, verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serinus.cli.stage import Played, Stage
    from serinus.settings import Folders

SHOP = "shop:v1.0"
RATE, KUBERNETES_RATE = 200.0, 50.0
WIDE = 100
"""Columns of a terminal from which on the reasons have a column of their own."""
NAMES = ", ".join(SCENARIOS)


@verb
async def demo(
    context: typer.Context,
    scenarios: Annotated[
        list[str] | None, typer.Argument(metavar="[SCENARIO]...", help=f"{NAMES} [good errors].")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Say what each scenario shows, and end.")] = False,
    state: Annotated[
        Path | None, typer.Option("--state", metavar="DIR", help="The demo's folder [.serinus/demo].")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the platform running.")] = False,
    rate: Annotated[
        float | None, typer.Option("--rate", help="Users' requests a second [200; on Kubernetes 50].")
    ] = None,
    kubernetes: Annotated[
        bool, typer.Option("--kubernetes", help="On a Kubernetes of this machine's own, which is built once.")
    ] = False,
    as_json: Json = False,
) -> Code:
    """Release a good version and take back a bad one, on real traffic on this machine."""
    from serinus.cli.live import View
    from serinus.cli.stage import stage
    from serinus.settings import Folders

    out = Terminal(as_json)
    if listed:
        return _list(out)
    chosen = _chosen(scenarios or ["good", "errors"], kubernetes)
    if rate is None:
        rate = KUBERNETES_RATE if kubernetes else RATE
    if not 1 <= rate <= 5_000:
        raise Usage(f"--rate is 1 to 5000 requests a second, not {rate:g}.")
    folders = Folders.at(state or Folders.resolve().state / "demo")
    played: list[Played] = []
    options = await _platform(out, folders, kubernetes)
    async with stage(folders, options, lambda line: out.say(f"  {line}", "dim"), keep) as there:
        there.rate = rate
        for scenario in chosen:
            out.say(f"\n{scenario.name}: {scenario.about}", "bold")
            with View(out) as view:
                there.show = view.show
                played.append(await there.play(scenario))
            _said(out, played[-1])
        _written(folders, played)
        _table(out, played)
        await _next(out, there, keep)
    out.emit({one.scenario.name: one.as_json() for one in played})
    return Code.DONE if all(one.as_it_should for one in played) else Code.UNEXPECTED


async def _platform(out: Terminal, folders: Folders, kubernetes: bool) -> tuple[str, ...]:
    """What is started, said; and built, where it has to be. Returns the options of `serinus local up`."""
    if not kubernetes:
        out.say("A platform on this machine: Envoy, Prometheus, Prefect, and a shop of two instances.", "bold")
        return "--service", SHOP
    from serinus.cli.on_kubernetes import prepared

    out.say("A Kubernetes on this machine, without containers: its control plane, Contour, Envoy, Prometheus;", "bold")
    out.say("beside it Prefect, and on it a shop: a Deployment of two pods, a Service, an HTTPProxy.", "bold")
    await prepared(folders, lambda line: out.say(f"  {line}", "dim"))
    return ("--kubernetes",)


def _list(out: Terminal) -> Code:
    for scenario in SCENARIOS.values():
        out.say(f"{scenario.name:<14} {scenario.about}: {scenario.outcome}")
    out.emit({name: {"about": one.about, "outcome": one.outcome} for name, one in SCENARIOS.items()})
    return Code.DONE


def _chosen(names: Sequence[str], kubernetes: bool) -> list[Scenario]:
    unknown = [name for name in names if name not in SCENARIOS]
    if unknown:
        raise Usage(f"There is no scenario {', '.join(unknown)}; there are {NAMES}.")
    chosen = [SCENARIOS[name] for name in names]
    if kubernetes and (broken := [one.name for one in chosen if one.meanwhile is Meanwhile.INCIDENT]):
        raise Usage(
            f"{broken[0]} breaks both versions by hand, which the plain platform alone can: leave --kubernetes out."
        )
    return chosen


def _said(out: Terminal, played: Played) -> None:
    """Where it did not end as it should: what the engine said last."""
    if not played.as_it_should:
        out.say(
            f"{played.scenario.name} should have been {played.scenario.outcome}, not {played.summary.get('outcome')}",
            "bad",
        )
        for line in played.log.splitlines():
            out.say(f"  {line}", "dim")


def _written(folders: Folders, played: Sequence[Played]) -> None:
    path = folders.state / "summary.json"
    temporary = path.with_suffix(".tmp")
    temporary.write_text(
        json.dumps({one.scenario.name: one.as_json() for one in played}, indent=1, ensure_ascii=False) + "\n"
    )
    temporary.replace(path)


def _table(out: Terminal, played: Sequence[Played]) -> None:
    """What came of each scenario."""
    if out.as_json:
        return
    from rich.table import Table

    console = out.console()
    wide = console.width >= WIDE
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    table.add_column("scenario", no_wrap=True)
    table.add_column("outcome", no_wrap=True)
    table.add_column("failed requests", justify="right")
    table.add_column("to stable", justify="right")
    if wide:
        table.add_column("why")
    whys = [str(one.summary.get("reason", {}).get("why", "")) for one in played]
    for one, why in zip(played, whys, strict=True):
        seconds = "" if one.seconds_to_stable is None else f"{one.seconds_to_stable:.1f} s"
        failed = f"{one.failed['canary']} of {one.completed['canary']:,}"
        style = "" if one.as_it_should else "bold red"
        row = (one.scenario.name, str(one.summary.get("outcome")), failed, seconds)
        table.add_row(*row, *((why,) if wide else ()), style=style)
    out.say("\nfailed requests: users' requests that the new version failed, by Envoy's counters", "dim")
    console.print(table)
    if not wide:
        for one, why in zip(played, whys, strict=True):
            console.print(f"{one.scenario.name}: {why}", markup=False)


async def _next(out: Terminal, there: Stage, keep: bool) -> None:
    """Where to look, and what to do for a service of one's own; the UI stays up as long as somebody looks at it."""
    import asyncio
    import signal
    import sys

    newest = "`serinus check`, `serinus plan` and `serinus release` take a policy of your own: docs/getting-started.md"
    state = f"SERINUS_STATE={there.folders.state}"
    out.say(
        f"\nWhat was seen, decided and done: `{state} serinus evidence show`; a file a release in {there.folders.evidence}"
    )
    out.say(f"Your own service: {newest}")
    if keep:
        out.say(f"Still running: {there.platform.prefect_ui} ; `{state} serinus local down` ends it.")
        return
    if not out.live or not sys.stdin.isatty():
        return
    out.say(f"Every move of these releases: {there.platform.prefect_ui}   (Enter or Ctrl-C ends the demo)", "bold")
    pressed, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, pressed.set)
    loop.add_reader(sys.stdin, pressed.set)
    try:
        await pressed.wait()
    finally:
        loop.remove_reader(sys.stdin)
        loop.remove_signal_handler(signal.SIGINT)
