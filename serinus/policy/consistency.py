"""Do sound values fit together? One function a question, each with its own sentence; also what is allowed but probably not meant.

Whether a key is known and a value of its kind is `structure`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from serinus.errors import Problem
from serinus.policy import platform, query, reach
from serinus.policy.gate import LATENCY, Asked, Gates, LatencyGate, RateLimits, SuccessGate, asked
from serinus.policy.model import Content
from serinus.policy.settle import planned_seconds, scrape_seconds
from serinus.policy.unit import show_percent, show_seconds
from serinus.release.plan import Inconclusive


def problems(content: Content, bad: frozenset[str]) -> Iterator[Problem]:
    """What cannot be meant; questions that need an unsound section are not asked."""
    for needed, question in QUESTIONS:
        if not needed & bad:
            yield from question(content)


def warnings(content: Content) -> Iterator[Problem]:
    """What is allowed and probably not meant."""
    yield from reach.warnings(content)
    scrape = scrape_seconds(content)
    for where, written in _written(content):
        for index, gate in enumerate(written.custom):
            yield from query.warnings(f"{where}.custom[{index}]", gate, scrape)
    for where, gates in _every(content):
        if not {"error_rate", "success_rate", "server_errors"} & gates.rates.keys():
            yield Problem(where, "no gate looks at errors, and what is never answered has no latency", "add error_rate")
    for index, phase in enumerate(content.phases):
        for name, limits in asked(content.gates, phase.gates).rates.items():
            pause = content.checks.warm_up if limits.warm_up is None and LATENCY.fullmatch(name) else limits.warm_up
            if pause and pause >= phase.soak:
                found = f"{name} is not asked for {show_seconds(pause)}, the soak is {show_seconds(phase.soak)}"
                yield Problem(f"phases[{index}].soak", found, "write a longer soak or a shorter warm_up")


def _weights(content: Content) -> Iterator[Problem]:
    if not content.phases:
        yield Problem("phases", "there are none", "write phases, or `preset: plan`")
        return
    for index, phase in enumerate(content.phases):
        where = f"phases[{index}].weight"
        if phase.weight == 0:
            yield Problem(where, "0% is no phase", "write a weight above 0%")
        elif abs(phase.weight * 100 - round(phase.weight * 100)) > 1e-6:
            yield Problem(where, f"{show_percent(phase.weight)} is finer than 0.01%", "write at most two decimals")
    for index, (before, after) in enumerate(pairwise(content.phases), start=1):
        if after.weight < before.weight:
            found = f"{show_percent(after.weight)} is less than the {show_percent(before.weight)} before it"
            yield Problem(f"phases[{index}].weight", found, "write weights that rise from phase to phase")
        elif after.weight == before.weight:
            found = f"{show_percent(after.weight)} stands there twice"
            yield Problem(f"phases[{index}].weight", found, "write one phase with the longer soak")
    last = content.phases[-1].weight
    most = platform.most_percent(content)
    if most < 100:
        for index, phase in enumerate(content.phases):
            if phase.weight > most:
                found = f"{show_percent(phase.weight)} is more than pods beside stable's can have"
                right = f"end with at most {show_percent(most)}: promotion starts from there"
                yield Problem(f"phases[{index}].weight", found, right)
    elif last != 100:
        where = f"phases[{len(content.phases) - 1}].weight"
        yield Problem(
            where, f"the last phase has {show_percent(last)}", "add a last phase of 100%: promotion starts from it"
        )


def _checks(content: Content) -> Iterator[Problem]:
    checks, scrape = content.checks, scrape_seconds(content)
    if checks.interval < scrape:
        found = f"{show_seconds(checks.interval)} is shorter than a scrape of {show_seconds(scrape)}"
        yield Problem(
            "checks.interval", found, f"write at least {show_seconds(scrape)}: a check before a scrape sees nothing"
        )
    if checks.window < 2 * scrape:
        found = f"{show_seconds(checks.window)} is under two scrapes of {show_seconds(scrape)}"
        yield Problem("checks.window", found, f"write at least {show_seconds(2 * scrape)}")
    if checks.interval > checks.window:
        found = f"{show_seconds(checks.interval)} is longer than the window of {show_seconds(checks.window)}"
        yield Problem(
            "checks.interval", found, "write a shorter interval: what happens between two windows is never judged"
        )


def _deadlines(content: Content) -> Iterator[Problem]:
    scrape = scrape_seconds(content)
    for key in ("no_traffic", "metrics_down"):
        value = getattr(content.limits, key)
        if value < 2 * scrape:
            found = f"{show_seconds(value)} is under two scrapes of {show_seconds(scrape)}"
            yield Problem(f"limits.{key}", found, f"write at least {show_seconds(2 * scrape)}")


def _duration(content: Content) -> Iterator[Problem]:
    planned, longest = planned_seconds(content), content.limits.duration
    if longest is not None and longest < planned:
        found = f"{show_seconds(longest)} is shorter than phases and bake together, {show_seconds(planned)}"
        yield Problem("limits.duration", found, f"write well more than {show_seconds(planned)}, or leave it out")


def _anything(content: Content) -> Iterator[Problem]:
    for where, gates in _every(content):
        if not gates.rates and not gates.queries:
            yield Problem(where, "nothing would be judged", "add gates such as error_rate, or `preset: plan`")


def _contradictions(content: Content) -> Iterator[Problem]:
    """Of the policy's own gates, and of what a phase makes of them where it names one."""
    top = asked(content.gates, Gates())
    for name, limits in top.rates.items():
        yield from _contradiction(f"gates.{name}", limits)
    for index, phase in enumerate(content.phases):
        mine = asked(content.gates, phase.gates).rates
        for name in phase.gates.named():
            if name in mine and mine[name] != top.rates.get(name):
                yield from _contradiction(f"phases[{index}].gates.{name}", mine[name])


def _contradiction(where: str, limits: RateLimits) -> Iterator[Problem]:
    if isinstance(limits, SuccessGate):
        limit, abort, keys = limits.min, limits.abort_below, ("min", "abort_below", "below")
    else:
        limit, abort, keys = limits.max, limits.abort_above, ("max", "abort_above", "above")
    show = show_seconds if isinstance(limits, LatencyGate) else show_percent
    if limit is None and abort is None:
        yield Problem(where, "holds no limit", f"add {keys[0]}, {keys[1]} or both, or write `off`")
    elif limit is not None and abort is not None and (abort >= limit if keys[0] == "min" else abort <= limit):
        found = f"{keys[1]} {show(abort)} does not lie {keys[2]} {keys[0]} {show(limit)}"
        yield Problem(where, found, f"write {keys[1]} well {keys[2]} {keys[0]}, or leave it out")


def _inconclusive(content: Content) -> Iterator[Problem]:
    chosen = content.on.inconclusive
    if chosen is Inconclusive.ADVANCE:
        return
    right = "write `inconclusive: advance`, or a limit above 0%"
    for where, gates in _every(content):
        for name, limits in gates.rates.items():
            none = limits.min == 100 if isinstance(limits, SuccessGate) else limits.max == 0
            if none:
                found = (
                    f"`{chosen}` waits for a certificate, and the 0% limit of {name} in {where} can never be certified"
                )
                yield Problem("on.inconclusive", found, right)
                return


def _queries(content: Content) -> Iterator[Problem]:
    scrape = scrape_seconds(content)
    for where, gates in _written(content):
        for index, gate in enumerate(gates.custom):
            yield from query.problems(f"{where}.custom[{index}]", gate, scrape)
        taken = ("success_rate", "error_rate", "server_errors", *(gates.model_extra or {}))
        yield from query.doubled(f"{where}.custom", gates.custom, taken)


def _every(content: Content) -> Iterator[tuple[str, Asked]]:
    """Each phase's gates as they come out; the policy's own alone where no phase has any of its own."""
    yield "gates", asked(content.gates, Gates())
    for index, phase in enumerate(content.phases):
        if phase.gates != Gates():
            yield f"phases[{index}].gates", asked(content.gates, phase.gates)


def _written(content: Content) -> Iterator[tuple[str, Gates]]:
    """Each mapping of gates as it was written."""
    yield "gates", content.gates
    for index, phase in enumerate(content.phases):
        yield f"phases[{index}].gates", phase.gates


QUESTIONS: tuple[tuple[frozenset[str], Callable[[Content], Iterator[Problem]]], ...] = (
    (frozenset({"preset", "phases", "router"}), _weights),
    (frozenset({"preset", "checks", "telemetry"}), _checks),
    (frozenset({"limits", "checks", "telemetry"}), _deadlines),
    (frozenset({"preset", "phases", "limits"}), _duration),
    (frozenset({"preset", "phases", "gates"}), _anything),
    (frozenset({"preset", "phases", "gates"}), _contradictions),
    (frozenset({"preset", "phases", "gates", "on"}), _inconclusive),
    (frozenset({"phases", "gates", "checks", "telemetry"}), _queries),
    (frozenset({"workload", "router"}), platform.problems),
    (frozenset({"workload", "router", "telemetry"}), platform.telemetry_problems),
    (frozenset({"telemetry"}), reach.telemetry_problems),
    (frozenset({"notify"}), reach.notify_problems),
)
"""What each question needs to be sound, and the question."""
