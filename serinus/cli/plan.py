"""`serinus plan`: what will happen with a policy, phase by phase, and what will not be proved. Touches nothing, asks nobody."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serinus.cli.exit_code import Code
from serinus.cli.failure import Usage, placed
from serinus.cli.terminal import Terminal
from serinus.cli.verb import Json, verb

if TYPE_CHECKING:
    from serinus.policy.explain import Explanation, GateView, PhaseView

LARGEST_RATE = 1e9
THEN = {"advance": "advances without", "hold": "waits for a person", "abort": "is taken back"}
"""What a phase does that has not seen enough, by `on.inconclusive`."""
Version = Annotated[str, typer.Option("--version", help="The version that would be released.")]
Rate = Annotated[float, typer.Option("--rate", help="Requests a second of the whole service; without it no counts.")]


@verb
def plan(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A policy.")],
    version: Version = "next",
    rate: Rate = 0.0,
    as_json: Json = False,
) -> Code:
    """Say what will happen, phase by phase, with every default resolved."""
    from serinus.policy.explain import explain
    from serinus.policy.load import read

    if not 0 <= rate <= LARGEST_RATE:
        raise Usage(f"--rate is requests a second, such as 200, at most {LARGEST_RATE:g}, not {rate:g}.")
    out = Terminal(as_json)
    explained = explain(read(file), version, rate or None)
    out.emit(asdict(explained))
    if not as_json:
        _draw(out, file, explained)
    return Code.DONE


def _draw(out: Terminal, file: Path, explained: Explanation) -> None:
    from serinus.policy.unit import show_seconds

    counted = explained.requests_per_second is not None
    at = (
        f" at {explained.requests_per_second:g} requests a second"
        if counted
        else "; --rate N shows what each phase sees"
    )
    out.say(
        f"{explained.service} {explained.version}: {show_seconds(explained.seconds)} and the rollouts if every check passes{at}",
        "bold",
    )
    _phases(out, explained, counted)
    for sentence in _uncertain(explained):
        out.say(f"not certain  {sentence}", "warn")
    for sentence in explained.idle:
        out.say(f"idle         {sentence}", "dim")
    for warning in explained.warnings:
        out.say(f"warning      {placed(str(file), warning)}", "warn")
    _settings(out, explained)


def _phases(out: Terminal, explained: Explanation, counted: bool) -> None:
    from rich.table import Table

    from serinus.policy.unit import show_percent

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for name in ("phase", "weight", "soak", *(("requests",) if counted else ()), "gates"):
        table.add_column(name, overflow="fold", justify="right" if name == "requests" else "left")
    named = [(f"{place} of {len(explained.phases)}", phase) for place, phase in enumerate(explained.phases, 1)]
    before: tuple[GateView, ...] = ()
    for name, phase in (*named, ("bake", explained.bake)):
        weight = show_percent(phase.weight_percent) if phase.weight_percent else "stable"
        requests = (f"{phase.requests or 0:,.0f}",) if counted else ()
        gates = "as before" if _limits(phase.gates) == _limits(before) else ", ".join(_limits(phase.gates))
        table.add_row(name, weight, _soak(phase), *requests, gates)
        before = phase.gates
    out.console().print(table)


def _soak(phase: PhaseView) -> str:
    from serinus.policy.unit import show_seconds

    if phase.soak_seconds == phase.written_seconds:
        return show_seconds(phase.soak_seconds)
    return f"{show_seconds(phase.soak_seconds)} (written {show_seconds(phase.written_seconds)})"


def _limits(gates: tuple[GateView, ...]) -> tuple[str, ...]:
    return tuple(" ".join(part for part in (g.name, g.limit, f"({g.abort})" if g.abort else "") if part) for g in gates)


def _uncertain(explained: Explanation) -> list[str]:
    """What the phases are too short, or the service too quiet, to prove."""
    from serinus.policy.unit import show_percent, show_seconds

    said = []
    for phase in explained.phases:
        at = show_percent(phase.weight_percent)
        if phase.thin:
            few = f"{phase.requests:,.0f} requests are fewer than the {explained.min_requests:,} of checks.min_requests"
            waits = f"it waits up to {show_seconds(phase.extension_seconds)} more for them"
            said.append(f"{at}: {few}: {waits}, then {THEN[explained.inconclusive]} (on.inconclusive)")
        lacking = [f"{g.name} {g.limit} takes {g.missing:,} more requests" for g in phase.gates if g.missing]
        if lacking:
            said.append(f"{at}: a clear breach is seen; to be sure of {', '.join(lacking)}")
    return said


def _settings(out: Terminal, explained: Explanation) -> None:
    """Every other key: what is written first, then what it is by default."""
    widest = max(len(setting.key) for setting in explained.settings)
    for setting in sorted(explained.settings, key=lambda setting: setting.origin == "default"):
        value = setting.value + (f" -> {setting.becomes} in the rehearsal" if setting.becomes else "")
        written = setting.origin != "default"
        out.say(f"{setting.key:<{widest}}  {value}  ({setting.origin})", "" if written else "dim")
