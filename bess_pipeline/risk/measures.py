"""Measures of risk and reward of daily or scenario P&L: VaR, CVaR with its tail weights, Sharpe, Sortino, hit rate.

What belongs here: pure functions of P&L arrays. What does not: falls of cumulative cash (`drawdown.py`), sums of
cash (`pnl.py`), intervals (`bootstrap.py`), tests of a risk model (`backtests.py`), who lost what (`attribution.py`)
and which measures are stored for which window (`summary.py`).

Conventions (domain reference 8): P&L is in GBP and positive when money is made; VaR and CVaR are *losses*, positive
when money is lost, so a strategy whose bad days still earn has negative ones. `confidence` is the share of outcomes
that is no tail (0.95 = the worst 5 %). Nothing is a return: there is no invested capital, no risk-free rate, and a
year has 365 trading days because GB power trades every day.

Every function refuses P&L that is not finite (a day without P&L is left out by the caller, never a zero) with
ValueError, and returns NaN where its measure does not exist.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bess_pipeline.risk.pnl import DAYS_PER_YEAR

FloatArray = NDArray[np.float64]
PROBABILITY_TOLERANCE = 1e-12  # rounding of a sum of probabilities; no atom is that small


@dataclass(frozen=True)
class Tail:
    """The worst `1 - confidence` of a distribution.

    var_gbp, cvar_gbp: losses, positive when money is lost. weights: (N,), the probability of each outcome within the
    tail, sum 1: `cvar_gbp = -(weights @ pnl)`, and the same weights attribute it to the parts of the P&L exactly.
    """

    confidence: float
    var_gbp: float
    cvar_gbp: float
    weights: FloatArray


def days_in_tail(days: int, confidence: float) -> int:
    """How many of the worst of `days` days CVaR is the mean of, the last one counted with its part; at least 1."""
    return max(1, math.ceil(round(days * (1.0 - confidence), 9)))


def tail(pnl_gbp: ArrayLike, confidence: float, probability: ArrayLike | None = None) -> Tail:
    """VaR, CVaR and tail weights of weighted outcomes.

    Parameters
    ----------
    pnl_gbp : (N,) P&L of outcomes, GBP; finite, N >= 1.
    confidence : in (0, 1).
    probability : (N,) weights >= 0 that sum to 1 (to 1e-9), or None for equal ones.

    Returns
    -------
    Tail
        `VaR = inf{l : P(L <= l) >= confidence}` of the loss L = -P&L. CVaR is the mean loss of the worst
        `1 - confidence` of probability, the atom at VaR counted with the part of it that lies in the tail
        (Rockafellar and Uryasev 2002, eq. 21 and proposition 8); outcomes that tie at VaR share that part by their
        probability, so that the order of outcomes changes nothing.

    Raises
    ------
    ValueError
        Outcomes that are missing or not finite, weights that are no probabilities, a confidence outside (0, 1).
    """
    pnl = _outcomes(pnl_gbp)
    if pnl.ndim != 1:
        raise ValueError(f"a tail is of one distribution, not of an array of shape {pnl.shape}")
    chance = _probabilities(probability, pnl.size)
    mass = _tail_mass(confidence)
    loss = -pnl
    order = np.argsort(loss, kind="stable")
    possible = order[chance[order] > 0.0]
    reached = np.cumsum(chance[possible]) >= confidence - PROBABILITY_TOLERANCE
    var = float(loss[possible[int(np.argmax(reached))]]) if reached.any() else float(loss[possible[-1]])
    weights = np.where(loss > var, chance, 0.0)
    at_var = loss == var
    left = max(mass - math.fsum(weights), 0.0)
    if left > PROBABILITY_TOLERANCE or not weights.any():
        weights[at_var] = max(left, PROBABILITY_TOLERANCE) * chance[at_var] / chance[at_var].sum()
    weights /= weights.sum()
    return Tail(confidence, var, float(weights @ loss), weights)


def value_at_risk(
    pnl_gbp: ArrayLike, confidence: float, probability: ArrayLike | None = None
) -> np.float64 | FloatArray:
    """VaR as a loss, GBP; without `probability` over the last axis of `pnl_gbp` (..., N). See `tail`."""
    if probability is not None:
        return np.float64(tail(pnl_gbp, confidence, probability).var_gbp)
    pnl = _outcomes(pnl_gbp)
    ranked = np.arange(pnl.shape[-1], dtype=float)  # outcome 0 is the worst
    rank = int(-tail(ranked, confidence).var_gbp)
    return -np.take(np.sort(pnl, axis=-1), rank, axis=-1) + 0.0


def conditional_value_at_risk(
    pnl_gbp: ArrayLike, confidence: float, probability: ArrayLike | None = None
) -> np.float64 | FloatArray:
    """CVaR (expected shortfall) as a loss, GBP; without `probability` over the last axis (..., N). See `tail`."""
    if probability is not None:
        return np.float64(tail(pnl_gbp, confidence, probability).cvar_gbp)
    pnl = _outcomes(pnl_gbp)
    weights = tail(np.arange(pnl.shape[-1], dtype=float), confidence).weights  # by rank, the worst first
    return -(np.sort(pnl, axis=-1) @ weights) + 0.0


def sharpe(daily_pnl_gbp: ArrayLike) -> np.float64 | FloatArray:
    """Sharpe ratio of a cash series over the last axis: mean / standard deviation x sqrt(365).

    Standard deviation of the sample (divisor N - 1), no risk-free rate: cash has no capital to earn it on. Free of
    units, and not comparable with the Sharpe ratio of a return series. NaN for fewer than two days or no variation.
    """
    daily = _outcomes(daily_pnl_gbp)
    if daily.shape[-1] < 2:
        return np.full(daily.shape[:-1], np.nan)[()]
    return _ratio(daily.mean(axis=-1), _spread(daily))


def sortino(daily_pnl_gbp: ArrayLike, target_gbp: float = 0.0) -> np.float64 | FloatArray:
    """Sortino ratio of a cash series over the last axis: mean above the target / downside deviation x sqrt(365).

    Downside deviation sqrt(E[min(X - target, 0)^2]) over *all* days (Sortino and van der Meer 1991), target in GBP a
    day. NaN where no day lies below the target: without a downside there is no ratio.
    """
    over = _outcomes(daily_pnl_gbp) - target_gbp
    downside = np.sqrt(np.mean(np.minimum(over, 0.0) ** 2, axis=-1))
    return _ratio(over.mean(axis=-1), downside)


def hit_rate(daily_pnl_gbp: ArrayLike) -> np.float64 | FloatArray:
    """Share of days that earned more than nothing, over the last axis; a day of exactly 0 is no hit."""
    return np.mean(_outcomes(daily_pnl_gbp) > 0.0, axis=-1)


def annualised_gbp_per_mw(daily_pnl_gbp: ArrayLike, power_mw: float) -> np.float64 | FloatArray:
    """Mean day x 365 / rating over the last axis, GBP/MW/year."""
    if not power_mw > 0.0:
        raise ValueError(f"a rating of {power_mw:g} MW has no P&L per MW")
    return _outcomes(daily_pnl_gbp).mean(axis=-1) * DAYS_PER_YEAR / power_mw


def _ratio(mean: FloatArray, deviation: FloatArray) -> np.float64 | FloatArray:
    """mean / deviation x sqrt(365), NaN where there is no deviation."""
    ratio = np.full(np.shape(mean), np.nan)
    np.divide(mean, deviation, out=ratio, where=np.asarray(deviation) > 0.0)
    return (ratio * math.sqrt(DAYS_PER_YEAR))[()]


def _spread(daily: FloatArray) -> FloatArray:
    """Standard deviation of the sample; exactly 0 where all days are equal, whatever their mean rounds to."""
    deviation = np.std(daily, axis=-1, ddof=1)
    return np.where(np.ptp(daily, axis=-1) > 0.0, deviation, 0.0)


def _outcomes(pnl_gbp: ArrayLike) -> FloatArray:
    pnl = np.asarray(pnl_gbp, dtype="float64")
    if pnl.ndim == 0 or pnl.shape[-1] == 0:
        raise ValueError("there is no P&L to measure")
    if not np.isfinite(pnl).all():
        raise ValueError(f"{int((~np.isfinite(pnl)).sum())} outcomes have no P&L: leave them out, they are no zeros")
    return pnl


def _probabilities(probability: ArrayLike | None, count: int) -> FloatArray:
    if probability is None:
        return np.full(count, 1.0 / count)
    chance = np.asarray(probability, dtype="float64")
    if chance.shape != (count,):
        raise ValueError(f"{count} outcomes need as many probabilities, not an array of shape {chance.shape}")
    total = math.fsum(chance)
    if not (chance >= 0.0).all() or not abs(total - 1.0) <= 1e-9:
        raise ValueError("probabilities must not be negative and must sum to 1")
    return chance / total


def _tail_mass(confidence: float) -> float:
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"a confidence lies between 0 and 1, not at {confidence:g}")
    return 1.0 - confidence
