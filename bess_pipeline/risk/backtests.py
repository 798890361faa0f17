"""Was the risk model right? Tests of ex-ante VaR and CVaR against the P&L that came.

What belongs here: coverage (Kupiec), independence (Christoffersen) and expected-shortfall tests (Acerbi and Szekely),
their p-values and their power. What does not: the forecasts themselves (`forecast_pnl.py` holds them) and measures of
what happened (`measures.py`).

An exception is a day whose loss is *larger* than its VaR. All tests are unconditional on anything but the order of the
days; a day without a forecast or without P&L is left out by the caller, which joins its neighbours. p-values and powers
that no formula gives come from drawing P&L from the forecast distributions, seeded. A scenario set is discrete, so the
chance of an exception is at most 1 - confidence and somewhat less with few scenarios: the simulated p-values know
that, Kupiec's does not and may then reject for too *few* exceptions.

Power is the chance that a test rejects, at its level, a model that is 20 % too narrow while P&L is drawn from the
forecasts: a test of little power that does not reject says little. Too narrow is meant about the expected P&L m of each
day, VaR' = 0.8 (VaR + m) - m and CVaR' alike, so that it is the same for a battery that loses on its bad days, one
that earns on them and all between; where m is 0, VaR and CVaR are 20 % too small. A factor on VaR itself would make the
negative VaR of a bad day that earns larger, not smaller.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, chdtri, xlogy

from bess_pipeline.risk.forecast_pnl import ForecastPnl

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
INSUFFICIENT, REJECTED, NOT_REJECTED, NO_EXCEPTIONS = "insufficient data", "rejected", "not rejected", "no exceptions"
MIN_DAYS = 250  # fewer than a trading year of other markets say nothing about a 5 % tail
UNDERSTATED = 0.8  # the alternative of the power: VaR and CVaR are 20 % too close to the expected P&L
ABOUT_MEAN = "of P&L about its forecast mean"


@dataclass(frozen=True)
class Backtest:
    """One test of one model.

    statistic, p_value, power: NaN where there is none, and all of them below the least number of days. `verdict` is
    one of "rejected", "not rejected", "insufficient data", "no exceptions"; `note` says what a reader must know, of a
    rejected model first which way it is wrong.
    """

    test: str
    confidence: float
    statistic: float
    p_value: float
    exceptions: int
    expected_exceptions: float
    days: int
    power: float
    verdict: str
    note: str = ""


def kupiec(exceptions: ArrayLike, days: ArrayLike, tail_probability: float) -> FloatArray:
    """Likelihood ratio of the number of exceptions (proportion of failures, Kupiec 1995); chi-squared, 1 degree.

    `-2 ln[p^x (1-p)^(T-x)] + 2 ln[(x/T)^x (1-x/T)^(T-x)]`, 0 ln 0 = 0; T > 0 days, p the chance of an exception.
    """
    x, total = np.asarray(exceptions, dtype="float64"), np.asarray(days, dtype="float64")
    share = x / total
    under_model = xlogy(x, tail_probability) + xlogy(total - x, 1.0 - tail_probability)
    as_seen = xlogy(x, share) + xlogy(total - x, 1.0 - share)
    return np.maximum(2.0 * (as_seen - under_model), 0.0)


def christoffersen_independence(hits: ArrayLike) -> FloatArray:
    """Likelihood ratio of exceptions that follow each other against ones that do not (Christoffersen 1998).

    `hits` (..., T) says which days are exceptions, in order; chi-squared with 1 degree. 0 where all days are alike or
    one of the two states never had a day after it.
    """
    hit = np.asarray(hits, dtype=bool)
    before, after = hit[..., :-1], hit[..., 1:]
    n00, n01, n10, n11 = ((b & a).sum(axis=-1).astype(float) for b in (~before, before) for a in (~after, after))
    quiet, after_hit, all_hits = _share(n01, n00), _share(n11, n10), _share(n01 + n11, n00 + n10)
    one_rate = xlogy(n01 + n11, all_hits) + xlogy(n00 + n10, 1.0 - all_hits)
    two_rates = xlogy(n01, quiet) + xlogy(n00, 1.0 - quiet) + xlogy(n11, after_hit) + xlogy(n10, 1.0 - after_hit)
    return np.maximum(2.0 * (two_rates - one_rate), 0.0)


def conditional_coverage(hits: ArrayLike, tail_probability: float) -> FloatArray:
    """Kupiec's and Christoffersen's ratios added (Christoffersen 1998); chi-squared with 2 degrees."""
    hit = np.asarray(hits, dtype=bool)
    return kupiec(hit.sum(axis=-1), hit.shape[-1], tail_probability) + christoffersen_independence(hit)


def acerbi_szekely_z1(pnl_gbp: ArrayLike, var_gbp: ArrayLike, cvar_gbp: ArrayLike) -> FloatArray:
    """Z1 = sum(X I / ES) / sum(I) + 1 (Acerbi and Szekely 2014, test 1), over the last axis.

    X the P&L, I its exceptions, ES the CVaR of the day, > 0 (ValueError otherwise). Its mean is 0 for a true model and
    below 0 where losses beyond VaR are larger than CVaR says. NaN without an exception.
    """
    ratio, hit = _losses_over_shortfall(pnl_gbp, var_gbp, cvar_gbp)
    count = hit.sum(axis=-1)
    mean = np.full(np.shape(count), np.nan)
    np.divide((ratio * hit).sum(axis=-1), count, out=mean, where=count > 0)
    return mean + 1.0


def acerbi_szekely_z2(pnl_gbp: ArrayLike, var_gbp: ArrayLike, cvar_gbp: ArrayLike, confidence: float) -> FloatArray:
    """Z2 = sum(X I / (T (1 - confidence) ES)) + 1 (Acerbi and Szekely 2014, test 2), over the last axis.

    Mean 0 for a true model, below 0 where exceptions are too many or too large; 1 without any. CVaR as in
    `acerbi_szekely_z1`.
    """
    ratio, hit = _losses_over_shortfall(pnl_gbp, var_gbp, cvar_gbp)
    return (ratio * hit).sum(axis=-1) / (ratio.shape[-1] * (1.0 - confidence)) + 1.0


def backtest(
    pnl_gbp: ArrayLike,
    forecasts: ForecastPnl,
    *,
    seed: int,
    simulations: int = 2000,
    level: float = 0.05,
    min_days: int = MIN_DAYS,
) -> list[Backtest]:
    """All five tests of one strategy at the confidence of its forecasts.

    Parameters
    ----------
    pnl_gbp : (T,) P&L that came, GBP, in the order of days; finite.
    forecasts : the distribution known before each of those days.
    seed, simulations : of p-values and powers.
    level : chance of rejecting a true model.
    min_days : below it there is no statistic and the verdict is "insufficient data".

    Notes
    -----
    P&L, VaR and CVaR are measured from the forecast mean of their day, always: VaR and CVaR are translation
    equivariant, so exceptions stay, and nothing depends on whether bad days lose or still earn. Z1 and Z2 divide by
    CVaR, which is above 0 from there, and keep their mean of 0 under a true model; their notes say so. ValueError
    where a day's forecast has a single outcome: it has no tail.
    """
    pnl = np.asarray(pnl_gbp, dtype="float64")
    if pnl.shape != forecasts.var_gbp.shape or not np.isfinite(pnl).all():
        raise ValueError(f"{forecasts.days} forecasts need as many finite P&Ls, not an array of shape {pnl.shape}")
    mean = forecasts.mean_gbp
    observed = _Sample(pnl - mean, forecasts.var_gbp + mean, forecasts.cvar_gbp + mean, forecasts.confidence)
    if pnl.size < min_days:
        return [_insufficient(test, observed, min_days) for test in _TESTS]
    drawn = forecasts.draw(simulations, seed) - mean
    true = replace(observed, pnl=drawn)
    low = _Sample(drawn, observed.var * UNDERSTATED, observed.cvar * UNDERSTATED, forecasts.confidence)
    return [_tested(test, observed, true, low, level) for test in _TESTS]


@dataclass(frozen=True)
class _Sample:
    """P&L (..., T) about the forecast mean beside the VaR and CVaR (T,) about the same."""

    pnl: FloatArray
    var: FloatArray
    cvar: FloatArray
    confidence: float

    @property
    def hits(self) -> BoolArray:
        return self.pnl < -self.var

    def statistic(self, test: str) -> FloatArray:
        tail_probability = 1.0 - self.confidence
        if test == "kupiec":
            return kupiec(self.hits.sum(axis=-1), self.pnl.shape[-1], tail_probability)
        if test == "christoffersen_independence":
            return christoffersen_independence(self.hits)
        if test == "christoffersen_conditional_coverage":
            return conditional_coverage(self.hits, tail_probability)
        if test == "acerbi_szekely_z1":
            return acerbi_szekely_z1(self.pnl, self.var, self.cvar)
        return acerbi_szekely_z2(self.pnl, self.var, self.cvar, self.confidence)


_DEGREES = {"kupiec": 1, "christoffersen_independence": 1, "christoffersen_conditional_coverage": 2}
_BEYOND = {
    "acerbi_szekely_z1": "losses beyond VaR are larger than CVaR says: risk is understated",
    "acerbi_szekely_z2": "losses beyond VaR are too many or too large: risk is understated",
}
_TESTS = (*_DEGREES, *_BEYOND)


def _tested(test: str, observed: _Sample, true: _Sample, low: _Sample, level: float) -> Backtest:
    statistic = float(observed.statistic(test))
    understated = low.statistic(test)
    if test in _DEGREES:
        degrees, note = _DEGREES[test], ""
        p_value = float(chdtrc(degrees, statistic))
        rejects = understated > chdtri(degrees, level)
    else:
        note, under_model = ABOUT_MEAN, true.statistic(test)
        under_model = under_model[np.isfinite(under_model)]
        p_value = (1.0 + np.sum(under_model <= statistic)) / (1.0 + under_model.size)
        rejects = understated <= (np.quantile(under_model, level) if under_model.size else -np.inf)
    if np.isnan(statistic):
        p_value, verdict = float("nan"), NO_EXCEPTIONS
    else:
        verdict = REJECTED if p_value <= level else NOT_REJECTED
    if verdict == REJECTED:
        note = "; ".join(part for part in (_why_rejected(test, observed, level), note) if part)
    return _result(test, observed, statistic, float(p_value), float(np.mean(rejects)), verdict, note)


def _why_rejected(test: str, observed: _Sample, level: float) -> str:
    """Which way a rejected model is wrong. Conditional coverage has two parts: those that are rejected alone are named,
    or else the larger one."""
    if test in _BEYOND:
        return _BEYOND[test]
    parts = {"kupiec": _how_many, "christoffersen_independence": _in_what_order}
    if test in parts:
        return parts[test](observed)
    ratios = {part: float(observed.statistic(part)) for part in parts}
    alone = [part for part, ratio in ratios.items() if ratio > chdtri(_DEGREES[part], level)]
    return "; ".join(parts[part](observed) for part in alone or [max(ratios, key=lambda part: ratios[part])])


def _how_many(observed: _Sample) -> str:
    if observed.hits.sum() > (1.0 - observed.confidence) * observed.pnl.shape[-1]:
        return "too many exceptions: risk is understated"
    return "too few exceptions: risk is overstated"


def _in_what_order(observed: _Sample) -> str:
    before, after = observed.hits[:-1], observed.hits[1:]
    if after[before].mean() > after[~before].mean():
        return "exceptions follow each other: risk is understated after one"
    return "exceptions hardly ever follow each other: risk is overstated after one"


def _insufficient(test: str, observed: _Sample, min_days: int) -> Backtest:
    nan = float("nan")
    note = f"{observed.pnl.shape[-1]} days with forecast and P&L; at least {min_days} are needed"
    return _result(test, observed, nan, nan, nan, INSUFFICIENT, note)


def _result(
    test: str, observed: _Sample, statistic: float, p_value: float, power: float, verdict: str, note: str
) -> Backtest:
    days = observed.pnl.shape[-1]
    expected = (1.0 - observed.confidence) * days
    hits = int(observed.hits.sum())
    return Backtest(test, observed.confidence, statistic, p_value, hits, expected, days, power, verdict, note)


def _losses_over_shortfall(pnl_gbp: ArrayLike, var_gbp: ArrayLike, cvar_gbp: ArrayLike) -> tuple[FloatArray, BoolArray]:
    pnl, var, cvar = (np.asarray(a, dtype="float64") for a in (pnl_gbp, var_gbp, cvar_gbp))
    if not (np.isfinite(pnl).all() and np.isfinite(var).all() and (cvar > 0.0).all()):
        raise ValueError("P&L and VaR must be finite and CVaR a loss (> 0) on every day")
    return pnl / cvar, pnl < -var


def _share(part: FloatArray, rest: FloatArray) -> FloatArray:
    whole = part + rest
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0.0)
