"""How surprising so many bad requests are: tails of the binomial distribution, with counts that need not be whole.

Counts are divided by the burst factor before they come here, so the tails are regularized incomplete beta functions.
Source: DLMF 8.17 (dlmf.nist.gov/8.17), its continued fraction by the modified Lentz method.
"""

from __future__ import annotations

import math

_TINY = 1e-300
_LONGEST = 100_000


def log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def log_beta_tails(p: float, a: float, b: float) -> tuple[float, float]:
    """Logarithms of I_p(a, b) and of 1 - I_p(a, b), both accurate where small."""
    if p <= 0:
        return -math.inf, 0.0
    if p >= 1:
        return 0.0, -math.inf
    front = a * math.log(p) + b * math.log1p(-p) - log_beta(a, b)
    if p < (a + 1) / (a + b + 2):
        small = min(0.0, front - math.log(a) + math.log(_fraction(p, a, b)))
        return small, _log_rest(small)
    small = min(0.0, front - math.log(b) + math.log(_fraction(1 - p, b, a)))
    return _log_rest(small), small


def _log_rest(log_part: float) -> float:
    """log(1 - exp(log_part))."""
    return math.log(-math.expm1(log_part)) if log_part < 0 else -math.inf


def _fraction(x: float, a: float, b: float) -> float:
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _LONGEST):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d, c = 1 / _away(1 + even * d), _away(1 + even / c)
        value *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d, c = 1 / _away(1 + odd * d), _away(1 + odd / c)
        value *= d * c
        if abs(d * c - 1) < 1e-14:
            break
    return max(value, _TINY)


def _away(x: float) -> float:
    return x if abs(x) > _TINY else _TINY


def tail(bad: float, of: float, p: float) -> float:
    """P(Bin(of, p) >= bad), for counts that need not be whole.

    Args:
        bad, of: counts; more bad ones than there are count as all
        p: probability of a bad one, 0 to 1
    """
    of = max(of, bad)
    if bad <= 0 or p >= 1:
        return 1.0
    if p <= 0:
        return 0.0
    return math.exp(log_beta_tails(p, bad, of - bad + 1)[0])


def at_most(probability: float, limit: float) -> bool:
    """`probability <= limit`, with room for the last digits: .01 squared is 1e-4."""
    return probability <= limit * (1 + 1e-9)


def worse(bad: float, of: float, other_bad: float, other_of: float, ratio: float = 1.0) -> float:
    """How likely at least so many of all bad ones are here, were the rate here `ratio` times the other's.

    Given their sum, the bad ones here are Bin(bad + other_bad, ratio of / (ratio of + other_of)): a rate that moves for both
    cancels. Where the other has no request there is nothing to explain a bad one: 0.
    Source: Przyborowski & Wilenski 1940, doi 10.1093/biomet/31.3-4.313.
    """
    if bad <= 0:
        return 1.0
    if other_of <= 0 or of <= 0:
        return 0.0
    return tail(bad, bad + other_bad, ratio * of / (ratio * of + other_of))
