"""Which verbs there are, in which groups, and how `serinus --help` shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from serinus.cli import ask, check, demo, doctor, evidence, guard, local, plan, release, status, traffic, watch

DAILY, PROVING, PLATFORM = "Daily", "Proving", "Platform"


class Grouped(TyperGroup):
    """Lists the verbs under the headings of their groups. Typer's own way to do so imports rich, which takes a quarter of a second."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        verbs = [self.commands[name] for name in self.list_commands(ctx)]
        width = formatter.width - 6 - max(len(verb.name or "") for verb in verbs)
        for panel in dict.fromkeys(getattr(verb, "rich_help_panel", None) for verb in verbs):
            rows = [
                (verb.name or "", verb.get_short_help_str(width))
                for verb in verbs
                if not verb.hidden and getattr(verb, "rich_help_panel", None) == panel
            ]
            with formatter.section(panel if isinstance(panel, str) else "Verbs"):
                formatter.write_dl(rows)


def new(help_text: str) -> typer.Typer:
    """A group of verbs with the project's way of showing help."""
    return typer.Typer(
        cls=Grouped, help=help_text, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
    )


app = new("Canary releases that give the traffic back.")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"serinus {version('serinus')}")
        raise typer.Exit()


@app.callback()
def common(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version, and end.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Print the traceback of whatever goes wrong.")] = False,
) -> None:
    """Canary releases: a new version to a few percent, then everyone, taken back before users notice."""
    context.obj = debug


def _add(panel: str, **verbs: Callable[..., None]) -> None:
    for name, function in verbs.items():
        app.command(name, rich_help_panel=panel)(function)


def _group(panel: str, name: str, help_text: str, **verbs: Callable[..., None]) -> typer.Typer:
    group = new(help_text)
    for verb_name, function in verbs.items():
        group.command(verb_name)(function)
    app.add_typer(group, name=name, rich_help_panel=panel)
    return group


_add(
    DAILY,
    release=release.release,
    status=status.status,
    watch=watch.watch,
    pause=ask.pause,
    resume=ask.resume,
    abort=ask.abort,
    rollback=ask.rollback,
    promote=ask.promote,
)
_add(PROVING, check=check.check, plan=plan.plan, doctor=doctor.doctor)
_group(
    PROVING,
    "evidence",
    "What a release saw, decided and did.",
    show=evidence.show,
    verify=evidence.verify,
    pull=evidence.pull,
)
_add(PLATFORM, demo=demo.demo, guard=guard.guard)
_group(
    PLATFORM,
    "local",
    "The platform on this machine.",
    up=local.up,
    down=local.down,
    status=local.status,
    fault=traffic.fault,
    load=traffic.load,
).command("deploy", hidden=True)(local.deploy)  # what `up` calls
