"""What does one instance of the demo service tell Prometheus of itself? Requests by status, and how long they took.

The names are those that most instrumented services have: `http_requests_total` and `http_request_duration_seconds`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

EDGES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(slots=True)
class Meter:
    """Counted since its start."""

    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    buckets: Counter[float] = field(default_factory=Counter)
    seconds: float = 0.0

    def observe(self, method: str, status: int, seconds: float) -> None:
        self.requests[method, status] += 1
        self.buckets[next((edge for edge in EDGES if seconds <= edge), float("inf"))] += 1
        self.seconds += seconds

    def text(self) -> str:
        """In Prometheus' own format."""
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        yield "# TYPE http_requests_total counter"
        for (method, status), count in sorted(self.requests.items()):
            yield f'http_requests_total{{method="{method}",status="{status}"}} {count}'
        yield "# TYPE http_request_duration_seconds histogram"
        for edge, count in zip(EDGES, accumulate(self.buckets[edge] for edge in EDGES), strict=True):
            yield f'http_request_duration_seconds_bucket{{le="{edge:g}"}} {count}'
        total = self.requests.total()
        yield f'http_request_duration_seconds_bucket{{le="+Inf"}} {total}'
        yield f"http_request_duration_seconds_sum {self.seconds:.6f}"
        yield f"http_request_duration_seconds_count {total}"
