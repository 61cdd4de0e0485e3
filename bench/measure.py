"""What the runs say of each promise: a figure, its goal, and whether it is met."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.play import Run

SPOTLESS = "v1.0"
"""Where stable is this, the good version has no errors of its own either."""
PHASES_SECONDS = 48.0
ON_TIME = 1.5
"""A release that takes so many times its phases and bake is late."""
GOAL_RATE = 200
STANDARD_ERRORS = 3.5
"""One share in two thousand is farther by chance."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One promise.

    Args:
        goal: empty where there is none
        met: None where there is no goal, or nothing to measure it by
    """

    name: str
    figure: str
    goal: str = ""
    met: bool | None = None


def measures(runs: Sequence[Run]) -> list[Measure]:
    """Every promise that these runs can speak of."""
    found: list[Measure] = []
    for rate, scrape in sorted({(run.row.rate, run.row.scrape) for run in runs}):
        some = [run for run in runs if (run.row.rate, run.row.scrape) == (rate, scrape)]
        at = f"{rate:g}/s" + ("" if scrape == "1s" else f", scrapes {scrape}")
        for name, say in SAY.items():
            played = [run for run in some if run.scenario == name]
            for measure in say(played) if played else ():
                # Goals are set for a scrape every second, counts of failed requests for 200 a second; else figures are to compare.
                has_goal = scrape == "1s" and (rate == GOAL_RATE or not measure.name.endswith("failed"))
                judged = measure if has_goal else Measure(measure.name, measure.figure)
                found.append(Measure(f"{name}, {at}{judged.name}", judged.figure, judged.goal, judged.met))
    return [*found, *_of_all(runs)]


def _good(runs: Sequence[Run]) -> Iterator[Measure]:
    failed, asked = _users(runs)
    figure = f"{_promoted(runs)}, {failed:,} of {asked:,} requests failed"
    if all(run.row.stable == SPOTLESS for run in runs):
        yield Measure("", figure, "all promoted, 0 failed", _well(runs) and failed == 0)
    else:
        yield Measure("", figure, "all promoted", _well(runs))
    far = [(abs(share.z), share) for run in runs for share in run.shares]
    if far:
        worst, share = max(far, key=lambda pair: pair[0])
        seen = f"{100 * share.canary / share.all:.2f} % at {share.weight:g} %"
        figure = f"farthest of {len(far)}: {worst:.1f} standard errors ({seen})"
        yield Measure(": shares", figure, f"each within {STANDARD_ERRORS:g}", worst <= STANDARD_ERRORS)


def _errors(runs: Sequence[Run]) -> Iterator[Measure]:
    failed = _failed(runs)
    yield Measure(": failed", _spread(failed), "median <= 12", median(failed) <= 12 and _well(runs))


def _dead(runs: Sequence[Run]) -> Iterator[Measure]:
    failed, seconds = _failed(runs), _seconds(runs)
    yield Measure(": failed", _spread(failed), "median <= 10", median(failed) <= 10 and _well(runs))
    yield Measure(": seconds", _spread(seconds), "median <= 2", median(seconds) <= 2)


def _taken_back(runs: Sequence[Run]) -> Iterator[Measure]:
    yield Measure(": failed", _spread(_failed(runs)), "all taken back", _well(runs))


def _survives(runs: Sequence[Run]) -> Iterator[Measure]:
    yield Measure("", _promoted(runs), "none aborted", _well(runs))


def _on_time(runs: Sequence[Run]) -> Iterator[Measure]:
    slowest, allowed = max(run.summary["seconds"]["total"] for run in runs), ON_TIME * PHASES_SECONDS
    figure = f"{_promoted(runs)}, slowest {slowest:.1f} s"
    yield Measure("", figure, f"all promoted within {allowed:g} s", _well(runs) and slowest <= allowed)


def _killed(runs: Sequence[Run]) -> Iterator[Measure]:
    seconds = _seconds(runs)
    yield Measure(": seconds", _spread(seconds), "each <= 10", max(seconds) <= 10 and _well(runs))


def _restarted(runs: Sequence[Run]) -> Iterator[Measure]:
    failed, asked = _users(runs)
    figure = f"{_promoted(runs)}, {failed:,} of {asked:,} requests failed"
    yield Measure("", figure, "all promoted, 0 failed", _well(runs) and failed == 0)
    kept = [run.history for run in runs if run.history]
    whole = sum(not history.missing for history in kept)
    figure = f"{whole} of {len(runs)} complete, {sum(history.sound for history in kept)} complete or the gap named"
    yield Measure(
        ": history", figure, "each complete or the gap named", all(run.history and run.history.sound for run in runs)
    )


SAY: Mapping[str, Callable[[Sequence[Run]], Iterator[Measure]]] = {
    "good": _good,
    "errors": _errors,
    "dead": _dead,
    "slow": _taken_back,
    "late": _taken_back,
    "no-traffic": _taken_back,
    "incident": _survives,
    "noisy": _on_time,
    "engine-killed": _killed,
    "server-restart": _restarted,
}


def _of_all(runs: Sequence[Run]) -> Iterator[Measure]:
    """What is measured over every run."""
    seconds = [run.summary.get("seconds", {}).get("verdict_to_stable") for run in runs]
    took = [1000 * value for value in seconds if value is not None]
    if took:
        figure = f"median {median(took):.0f} ms, worst of {len(took)} {max(took):.0f} ms"
        met = median(took) <= 50 and max(took) <= 1000
        yield Measure("verdict to weight 0 read back", figure, "median <= 50 ms, worst of 50 <= 1 s", met)
    whole = sum(not run.faults for run in runs)
    yield Measure("evidence", f"{whole} of {len(runs)} verified whole", "all", whole == len(runs))
    memory = [run.played.rss_bytes for run in runs if run.played.rss_bytes]
    if memory:
        yield Measure("engine's memory", f"highest {max(memory) / 1e6:.0f} MB", "< 200 MB", max(memory) < 200e6)


def _users(runs: Sequence[Run]) -> tuple[int, int]:
    """Failed and all, as users saw them."""
    sent = [run.played.users for run in runs if run.played.users]
    return sum(one.failed for one in sent), sum(one.requests for one in sent)


def _failed(runs: Sequence[Run]) -> list[int]:
    return [run.played.failed["canary"] for run in runs]


def _seconds(runs: Sequence[Run]) -> list[float]:
    return [run.played.seconds_to_stable or 0.0 for run in runs]


def _well(runs: Sequence[Run]) -> bool:
    return all(run.played.as_it_should for run in runs)


def _promoted(runs: Sequence[Run]) -> str:
    return f"{sum(run.summary.get('outcome') == 'promoted' for run in runs)} of {len(runs)} promoted"


def _spread(values: Sequence[float]) -> str:
    return f"median {median(values):.3g}, worst of {len(values)} {max(values):.3g}"


def start_up(times: int) -> tuple[list[Measure], dict[str, list[float]]]:
    """How long `serinus --help` and `serinus check` take, whole processes; the seconds of every run beside."""
    found, raw = [], {}
    for words, goal in ((("--help",), 0.25), (("check", "deployments/policies/shop.yaml"), 0.6)):
        command = (sys.executable, "-m", "serinus.cli", *words)
        seconds = []
        for _ in range(times):
            began = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True, timeout=60)
            seconds.append(time.perf_counter() - began)
        name, figure = f"serinus {words[0]}", f"median {median(seconds):.2f} s, worst of {times} {max(seconds):.2f} s"
        raw[name] = seconds
        found.append(Measure(name, figure, f"median < {goal} s", median(seconds) < goal))
    return found, raw
