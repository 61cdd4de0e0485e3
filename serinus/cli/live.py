"""How a release is drawn: a panel that moves in place on a terminal, else a line for each change.

Draws what `glance` says; asks nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from serinus.cli.changes import changes
from serinus.cli.glance import Count, Glance
from serinus.cli.terminal import Terminal

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
    from rich.live import Live

STATE_STYLES = {"promoted": "bold green", "rolled back": "bold red", "rolling back": "red", "undoing": "red"}
VERDICT_STYLES = {"PASS": "green", "HOLD": "yellow", "FAIL": "red", "ABORT": "bold red"}
BAR = 24


class View:
    """What a person watches; use it as a context manager."""

    def __init__(self, out: Terminal) -> None:
        self._out = out
        self._before: Glance | None = None
        self._live: Live | None = None

    def __enter__(self) -> View:
        if self._out.live:
            from rich.live import Live

            self._live = Live(console=self._out.console(), refresh_per_second=8, transient=False)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            _drawn(self._live.stop)

    def show(self, now: Glance) -> None:
        """This moment; what has changed since the last one as lines, what moves as a panel."""
        news = list(changes(self._before, now))
        for change in news:
            self.note(f"{change.seconds:7.1f} s  {change.text}")
        if news:
            self._out.emit({"event": "change", "news": [change.text for change in news], **now.as_json()})
        if self._live:
            _drawn(partial(self._live.update, panel(now), refresh=True))
        self._before = now

    def note(self, text: str) -> None:
        """A line above the panel."""
        if self._live:
            console = self._live.console
            _drawn(lambda: console.print(text, markup=False, overflow="ignore", no_wrap=True, crop=False))
        else:
            self._out.say(text)


def _drawn(draw: Callable[[], None]) -> None:
    """A terminal that has hung up, or takes nothing now, is no reason to end what is watched."""
    with suppress(OSError):
        draw()


def panel(now: Glance) -> RenderableType:
    """The moving part: where it stands, weights, figures of both arms, time left, what it waits for."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    head = Text(f"{now.service} {now.version}  ", style="bold")
    head.append(now.step, style=STATE_STYLES.get(str(now.state), "bold cyan"))
    if now.verdict and not now.ended and not now.silent_seconds:
        head.append(f"  {now.verdict}", style=VERDICT_STYLES.get(now.verdict, ""))
    for flag, on in (("no beat", now.silent_seconds), ("paused", now.paused), ("rollback late", now.late)):
        if on:
            head.append(f"  {flag}", style="bold yellow")
    arms = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), show_edge=False)
    seen = () if now.ended else ("seen so far" if now.whole and now.phase > 1 else "seen",)
    for name in ("", "set", *seen, "requests", "failed", "error rate"):
        arms.add_column(name, justify="left" if not name else "right", style="bold" if not name else "")
    rest = None if now.set_percent is None else 100 - now.set_percent
    others = None if now.share is None else 1 - now.share
    for name, weight, share, whole, here in (
        ("canary", now.set_percent, now.share, now.canary, now.canary_now),
        ("stable", rest, others, now.stable, now.stable_now),
    ):
        shares = () if now.ended else (percent(share),)
        arms.add_row(name, percent(weight, 100), *shares, *_figures(whole, here))
    return Group(head, arms, Progress(now))


@dataclass(frozen=True, slots=True)
class Progress:
    """The panel's last lines, as wide as the terminal is now; broken at words."""

    now: Glance

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        yield Text(progress(self.now, options.max_width))


def progress(now: Glance, width: int = 1000) -> str:
    """`━━━━────  4 of 8 s soaked, 41 s left; waits for 4 s of the soak`, shorter where it is narrow: what is waited for stays."""
    if now.ended:
        return now.why
    done = min(now.soaked_seconds / now.soak_seconds, 1.0) if now.soak_seconds else 0.0
    bar = "━" * round(BAR * done) + "─" * (BAR - round(BAR * done))
    brief = f"{now.soaked_seconds:.0f} of {now.soak_seconds:g} s"
    whole = f"{brief} soaked, {now.left_seconds:.0f} s left"
    waits = f"waits for {now.waits_for}" if now.waits_for else ""
    tries = (("  ", bar, whole), ("", whole), ("", brief), ("",)) if waits else (("  ", bar, whole), ("", whole))
    said = ["; ".join(part for part in (between.join(parts), waits) if part) for between, *parts in tries]
    return next((text for text in said if len(text) <= width), said[-1])


def percent(value: float | None, whole: float = 1.0) -> str:
    """`5 %`, `4.83 %`; a dash where it is not known."""
    return "–" if value is None else f"{100 * value / whole:.3g} %"


def _figures(whole: Count, now: Count) -> tuple[str, str, str]:
    return f"{whole.requests:,.0f}", f"{whole.errors:,.0f}", percent(now.rate)
