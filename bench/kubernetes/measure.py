"""What do the runs say of each promise, and of both tools beside each other?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import median

from bench.kubernetes.row import FLAGGER, NOBODY, SERINUS
from bench.kubernetes.run import Run
from bench.measure import Measure

FAILED = {1: 14, 15: 60, 30: 120}
"""How many requests may fail of a version with 30 % errors, by the scrape interval."""
DEAD_SECONDS, SOAK_SECONDS = 2.5, 2.0
VERDICT_MEDIAN, VERDICT_WORST = 0.5, 2.0
LATE_SECONDS = 0.5
"""A load that is later than that by itself measures the machine."""


def measures(runs: Sequence[Run]) -> list[Measure]:
    """Every promise that these runs can speak of."""
    ours = [run for run in runs if run.tool == SERINUS]
    found: list[Measure] = []
    for router, scrape in sorted({(run.router, run.scrape) for run in ours}):
        some = [run for run in ours if (run.router, run.scrape) == (router, scrape)]
        for scenario, say in SAY.items():
            if played := [run for run in some if run.scenario == scenario]:
                at = f"{scenario}, {router}, scrapes {scrape} s"
                found += [Measure(f"{at}{m.name}", m.figure, m.goal, m.met) for m in say(played, scrape)]
    return [*found, *_verdicts(ours), *_load(runs)]


def _good(runs: Sequence[Run], scrape: int) -> Iterator[Measure]:
    failed, asked = sum(run.failed for run in runs), sum(run.requests for run in runs)
    promoted = sum(run.ended == "promoted" for run in runs)
    figure = f"{promoted} of {len(runs)} promoted, {failed} of {asked:,} requests failed"
    yield Measure("", figure, "all promoted, 0 failed", _well(runs) and failed == 0)


def _errors(runs: Sequence[Run], scrape: int) -> Iterator[Measure]:
    failed, goal = [run.failed for run in runs], FAILED[scrape]
    yield Measure(": failed", spread(failed), f"each <= {goal}", _well(runs) and max(failed) <= goal)


def _dead(runs: Sequence[Run], scrape: int) -> Iterator[Measure]:
    seconds = _seconds(runs)
    name, figure = ": seconds", spread(seconds)
    if scrape == 1:
        met = _well(runs) and bool(seconds) and max(seconds) <= DEAD_SECONDS
        yield Measure(name, figure, f"each <= {DEAD_SECONDS:g} s", met)
    else:
        yield Measure(name, figure)
    yield Measure(": failed", spread([run.failed for run in runs]))


def _slow(runs: Sequence[Run], scrape: int) -> Iterator[Measure]:
    yield Measure(": seconds", spread(_seconds(runs)), "all rolled back", _well(runs))


def _soak(runs: Sequence[Run], scrape: int) -> Iterator[Measure]:
    seconds = _seconds(runs)
    there = [run for run in runs if run.weight == 100]
    met = len(there) == len(runs) and _well(runs) and bool(seconds) and max(seconds) <= SOAK_SECONDS
    figure = f"{spread(seconds)}; {len(there)} of {len(runs)} at 100 %"
    yield Measure(": seconds from the first failure", figure, f"each <= {SOAK_SECONDS:g} s", met)


SAY: dict[str, Callable[[Sequence[Run], int], Iterator[Measure]]] = {
    "good": _good,
    "errors": _errors,
    "dead": _dead,
    "slow": _slow,
    "soak": _soak,
}


def _verdicts(runs: Sequence[Run]) -> Iterator[Measure]:
    took = [run.verdict_to_stable for run in runs if run.verdict_to_stable is not None]
    if took:
        met = median(took) <= VERDICT_MEDIAN and max(took) <= VERDICT_WORST
        goal = f"median <= {VERDICT_MEDIAN:g} s, worst of 50 <= {VERDICT_WORST:g} s"
        yield Measure("verdict to weight 0 read back", f"{spread(took)} s", goal, met)


def _load(runs: Sequence[Run]) -> Iterator[Measure]:
    for run in (run for run in runs if run.tool == NOBODY):
        share = run.load["cpu_seconds"] / max(run.load["seconds"], 1.0)
        figure = f"{run.failed} of {run.requests:,} failed, {100 * share:.0f} % of a processor, {_late(run)}"
        yield Measure("the load itself, stable alone", figure, "0 failed, none unsent", _sound(run) and not run.failed)
    if runs:
        sound = sum(_sound(run) for run in runs)
        latest = max(run.load["late_seconds"] for run in runs)
        figure = f"{sound} of {len(runs)} with every request sent, at worst {1000 * latest:.0f} ms late"
        yield Measure("the load itself, all runs", figure, "all", sound == len(runs))


def _sound(run: Run) -> bool:
    return not run.load["unsent"]


def _late(run: Run) -> str:
    return f"at worst {1000 * run.load['late_seconds']:.0f} ms late"


def beside(runs: Sequence[Run]) -> str:
    """Both tools by fault and scrape interval: failed requests and seconds; empty where Flagger was not played."""
    peers = [run for run in runs if run.tool == FLAGGER]
    rows = [("fault", "scrapes", "released by", "runs", "failed requests", "seconds to weight 0")]
    for scenario, scrape in sorted({(run.scenario, run.scrape) for run in peers}):
        same = [run for run in runs if (run.scenario, run.scrape, run.router) == (scenario, scrape, "contour")]
        for tool, interval, threshold in sorted(
            {(run.tool, run.interval, run.threshold) for run in same}, reverse=True
        ):
            some = [run for run in same if (run.tool, run.interval, run.threshold) == (tool, interval, threshold)]
            by = f"Flagger, {interval} x {threshold}" if tool == FLAGGER else "Serinus"
            odd = "" if _well(some) else f" ({', '.join(sorted({run.ended for run in some}))})"
            counted = spread([run.failed for run in some])
            rows.append((scenario, f"{scrape} s", by, str(len(some)), counted, spread(_seconds(some)) + odd))
    if len(rows) == 1:
        return ""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _well(runs: Sequence[Run]) -> bool:
    return all(run.as_it_should for run in runs)


def _seconds(runs: Sequence[Run]) -> list[float]:
    return [run.seconds for run in runs if run.seconds is not None]


def spread(values: Sequence[float]) -> str:
    """Median and worst."""
    if not values:
        return "none"
    return f"median {median(values):.3g}, worst of {len(values)} {max(values):.3g}"
