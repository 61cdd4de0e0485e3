"""Whether the figures prove that one arm keeps, or breaks, an absolute limit: e-values, valid however often one looks.

Beta-binomial mixture, prior a = .5, b = .5 / limit, cut at the limit. Only says; what follows is `gate`'s question.
Source: Lindon & Malek, arXiv 2011.03567 (mixtures); Johari et al., doi 10.1287/opre.2021.2135.
"""

from __future__ import annotations

import math
from functools import lru_cache

from serinus.analysis.binomial import log_beta, log_beta_tails

_MOST = 10**12


def log_kept(bad: float, of: float, limit: float) -> float:
    """Logarithm of the evidence against "the rate is at least `limit`"."""
    return _log_evidence(bad, of, limit, 0)


def log_broken(bad: float, of: float, limit: float) -> float:
    """Logarithm of the evidence against "the rate is at most `limit`"."""
    return _log_evidence(bad, of, limit, 1)


def _log_evidence(bad: float, of: float, limit: float, side: int) -> float:
    good = max(0.0, of - bad)
    likelihood = bad * math.log(limit) + good * math.log1p(-limit)
    return _log_mass(bad, good, limit, side) - _log_prior(limit, side) - likelihood


def _log_mass(bad: float, good: float, limit: float, side: int) -> float:
    """Of the mixture, once so many were seen: what lies below the limit, or (1) above."""
    a, b = 0.5 + bad, 0.5 / limit + good
    return log_beta(a, b) + log_beta_tails(limit, a, b)[side]


@lru_cache(maxsize=1024)
def _log_prior(limit: float, side: int) -> float:
    return _log_mass(0, 0, limit, side)


def certified(bad: float, of: float, limit: float, alpha: float = 0.05) -> bool:
    """The figures exclude, at level `alpha`, that the rate is at or beyond `limit` (0 < limit < 1)."""
    return log_kept(bad, of, limit) >= -math.log(alpha)


@lru_cache(maxsize=1024)  # each check asks for each limit, and most often no error more has come
def needed(limit: float, errors: float = 0, alpha: float = 0.05) -> int:
    """The fewest requests that certify a rate below `limit`, with so many errors among them.

    Args:
        limit: fraction, 0 < limit < 1
        errors: bad ones among the requests
        alpha: level of the certificate
    """

    def short(requests: int) -> float:
        """How much evidence so many requests lack; negative once they suffice."""
        return -math.log(alpha) - log_kept(errors, requests, limit)

    low, high = math.ceil(errors), math.ceil((errors + 4) / limit)
    while (over := short(high)) > 0:
        if high >= _MOST:
            return high
        low, high = high, 2 * high
    under = short(low)
    while high - low > 1:
        # Illinois: a chord, the end that stays halved, so that no end stays for long.
        middle = min(high - 1, max(low + 1, round(low + (high - low) * under / (under - over))))
        if (lack := short(middle)) > 0:
            low, under, over = middle, lack, over / 2
        else:
            high, over, under = middle, lack, under / 2
    return high
