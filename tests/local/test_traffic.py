from __future__ import annotations

import pytest

from serinus.errors import Unavailable
from serinus.local.traffic import Sent, load, parsed

SUMMARY = """
Summary:
  Total:	3.0053 secs
  Slowest:	0.0135 secs

Response time histogram:
  0.001 [1]	|
  0.002 [19978]	|■■■

Status code distribution:
  [200]	2998 responses
  [503]	2 responses

Error distribution:
  [20]	Get "http://127.0.0.1:1/": dial tcp 127.0.0.1:1: connect: connection refused
  [1]	Get "http://127.0.0.1:1/": EOF
"""


def test_a_summary_is_read_answers_and_silences_apart() -> None:
    sent = parsed(SUMMARY)
    assert sent == Sent(3.0053, {200: 2998, 503: 2}, {"connection refused": 20, "EOF": 1})
    assert (sent.requests, sent.failed) == (3021, 23)


def test_no_answer_at_all_is_a_summary_too() -> None:
    assert parsed('  Total:	1.0 secs\n\nError distribution:\n  [3]	Get "x": EOF\n').failed == 3


def test_anything_else_is_said() -> None:
    with pytest.raises(Unavailable, match="no such host"):
        parsed("", "no such host")


@pytest.mark.parametrize(("rate", "seconds"), [(0.0, 1.0), (1e6, 1.0), (10.0, 0.0), (10.0, 1e6)])
async def test_impossible_loads_are_refused(rate: float, seconds: float) -> None:
    with pytest.raises(ValueError, match="a load"):
        await load("http://127.0.0.1:1", rate, seconds)
