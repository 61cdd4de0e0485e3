"""What an instance says of itself, read as Prometheus reads it."""

from __future__ import annotations

from serinus.local.meter import Meter


def test_buckets_are_counted_up_and_end_with_all() -> None:
    meter = Meter()
    for seconds in (0.001, 0.005, 0.3, 60.0):
        meter.observe("GET", 200, seconds)
    meter.observe("POST", 503, 0.3)
    lines = meter.text().splitlines()
    assert 'http_requests_total{method="GET",status="200"} 4' in lines
    assert 'http_requests_total{method="POST",status="503"} 1' in lines
    edges = {'le="0.005"': 2, 'le="0.25"': 2, 'le="0.5"': 4, 'le="10"': 4, 'le="+Inf"': 5}
    for edge, count in edges.items():
        assert f"http_request_duration_seconds_bucket{{{edge}}} {count}" in lines
    assert "http_request_duration_seconds_sum 60.606000" in lines
    assert "http_request_duration_seconds_count 5" in lines


def test_nothing_counted_yet() -> None:
    lines = Meter().text().splitlines()
    assert "http_request_duration_seconds_count 0" in lines
    assert not [line for line in lines if line.startswith("http_requests_total")]
