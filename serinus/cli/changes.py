"""Which changes from one moment of a release to the next are worth a line to whoever reads line by line?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from serinus.cli.glance import WAITING, Glance
from serinus.release.record import State


class Change(NamedTuple):
    """One line.

    Args:
        seconds: since the release began: when it was, where the record says that, else when it was seen
        text: a sentence
    """

    seconds: float
    text: str


def changes(before: Glance | None, now: Glance) -> Iterator[Change]:
    """A sentence for each thing that a person who reads line by line wants to know; none where nothing happened."""
    seen = now.elapsed_seconds
    if before is None or before.release != now.release:
        yield Change(seen, f"{now.service} {now.version}: release {now.release}" + (f", {now.run}" if now.run else ""))
        before = replace(
            now, state=State.STARTING, phase=0, told_percent=0.0, paused=False, late=False, told_verdict=""
        )
    for text in _verdict(before, now):
        yield Change(now.checked_seconds, text)
    given = f"the route gives the canary {now.told_percent:g} %" if _given(before, now) else ""
    if given and now.told_percent == 0:
        yield Change(now.weighed_seconds, given)
    if (before.state, before.phase) != (now.state, now.phase) and not now.ended:
        yield Change(seen, now.step + (_begun(before, now) if now.state in WAITING else f", {now.soak_seconds:g} s"))
    if given and now.told_percent:
        yield Change(now.weighed_seconds, given)
    for text in _standing(before, now):
        yield Change(seen, text)
    if now.ended and not before.ended:
        yield Change(seen, f"{now.state}: {now.why}" if now.why else str(now.state))


def _verdict(before: Glance, now: Glance) -> Iterator[str]:
    """What a check said that is news."""
    if now.told_verdict not in ("", "PASS") and (now.told_verdict, now.phase) != (before.told_verdict, before.phase):
        yield f"{now.told_verdict}: {now.because}"
    if now.told_verdict == "PASS" and before.told_verdict not in ("", "PASS"):
        yield f"PASS again: {now.because}" if now.because else "PASS again"


def _given(before: Glance, now: Glance) -> bool:
    return now.told_percent is not None and now.told_percent != before.told_percent


def _standing(before: Glance, now: Glance) -> Iterator[str]:
    """What keeps it from going on."""
    if now.silent_seconds and not before.silent_seconds:
        yield f"waits for {now.waits_for}"
    if before.paused != now.paused:
        yield "paused: weight and checks stay, the soak stands still" if now.paused else "resumed"
    if now.late and not before.late:
        yield "rollback late: the canary may still serve; the trying goes on"


def _begun(before: Glance, now: Glance) -> str:
    """Why, unless a verdict has just said it; and what that takes."""
    said = not now.why or now.why in (now.because, before.because)
    return (": " if said else f": {now.why}; ") + f"waits for {now.waits_for}"
