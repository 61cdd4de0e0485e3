"""What is played, and how often: a row is one platform, one load, one scrape interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from serinus.cli.scenario import PROMOTED, SCENARIOS, Meanwhile, Scenario

RESTART = Scenario("server-restart", "the Prefect server is killed in mid-release", "", PROMOTED, Meanwhile.RESTART)
NOISY = Scenario("noisy", "a version with .5 % errors of its own, like stable's", "", PROMOTED)
ALL: Mapping[str, Scenario] = {**SCENARIOS, RESTART.name: RESTART, NOISY.name: NOISY}

SLOW_SCRAPES = """\
# The demo's service where Prometheus looks every 15 seconds, as it usually does.
service: shop
workload: local
router: envoy
phases:
  - {weight: 5%, soak: 60s, gates: {error_rate: {max: 0%}}}
  - {weight: 10%, soak: 60s}
  - {weight: 25%, soak: 60s}
  - {weight: 50%, soak: 60s}
  - {weight: 100%, soak: 60s}
bake: 60s
gates:
  success_rate: {min: 99%, abort_below: 95%}
  error_rate: {max: 1%, abort_above: 5%}
  server_errors: {max: 0.1%}
  latency_p50: {max: 100ms}
  latency_p99: {max: 500ms, abort_above: 2s}
checks: {interval: 15s, scrape: 15s, window: 60s, min_requests: 50, burst: 1}
limits: {no_traffic: 3m, metrics_down: 2m, duration: 20m, rollback: 10s}
notify: [log]
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One platform and what is played on it.

    Args:
        stable: version at the start
        rate: users' requests a second
        scrape: how often Prometheus looks
        plays: how often each scenario is played
        policy: instead of the deployed one; empty: that
    """

    name: str
    stable: str
    rate: float
    plays: Mapping[str, int]
    scrape: str = "1s"
    policy: str = ""


ROWS = (
    Row("clean 200/s", "v1.0", 200, {"good": 3, "engine-killed": 10, "server-restart": 2}),
    Row("usual 200/s", "v1", 200, {"errors": 12, "dead": 12, "slow": 3, "late": 5, "incident": 10, "no-traffic": 1}),
    Row("noisy 200/s", "v1-noisy", 200, {"noisy": 10}),
    Row("clean 1000/s", "v1.0", 1000, {"good": 3}),
    Row("usual 1000/s", "v1", 1000, {"errors": 12, "dead": 12}),
    Row("15 s scrapes, 200/s", "v1", 200, {"good": 1, "errors": 3, "dead": 2}, "15s", SLOW_SCRAPES),
)
QUICK = (
    Row("clean 200/s", "v1.0", 200, {"good": 1, "engine-killed": 1, "server-restart": 1}),
    Row("usual 200/s", "v1", 200, {"errors": 2, "dead": 2, "incident": 1}),
    Row("noisy 200/s", "v1-noisy", 200, {"noisy": 1}),
)
