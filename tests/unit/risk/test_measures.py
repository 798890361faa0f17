"""Measures against the vectors of the domain reference, a linear programme, brute force and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.stats import norm

from bess_pipeline.risk import measures

VECTOR = [10, 8, 5, 3, -2, -6, -20, 12, 7, 1]
ONE_BAD_DAY = [-100.0] + [1.0] * 99


@pytest.mark.parametrize(
    ("pnl", "confidence", "cvar"),
    [(VECTOR, 0.90, 20.0), (VECTOR, 0.85, 46.0 / 3.0), (VECTOR, 0.75, 10.8), (ONE_BAD_DAY, 0.95, 19.2)],
)
def test_cvar_vectors_of_the_domain_reference(pnl: list[float], confidence: float, cvar: float) -> None:
    assert measures.tail(pnl, confidence).cvar_gbp == pytest.approx(cvar, rel=1e-12)
    assert measures.conditional_value_at_risk(pnl, confidence) == pytest.approx(cvar, rel=1e-12)


@pytest.mark.parametrize(("confidence", "var"), [(0.90, 6.0), (0.85, 6.0), (0.75, 2.0), (0.5, -5.0), (0.05, -12.0)])
def test_var_is_the_smallest_loss_that_reaches_the_confidence(confidence: float, var: float) -> None:
    assert measures.tail(VECTOR, confidence).var_gbp == var
    assert measures.value_at_risk(VECTOR, confidence) == var


def rockafellar_uryasev(pnl: np.ndarray, confidence: float, chance: np.ndarray) -> float:
    """min z + E[(L - z)+] / (1 - confidence) as a linear programme."""
    count = len(pnl)
    cost = np.append(1.0, chance / (1.0 - confidence))
    rows = np.column_stack([-np.ones(count), -np.eye(count)])
    bounds = [(None, None)] + [(0.0, None)] * count
    return float(linprog(cost, A_ub=rows, b_ub=pnl, bounds=bounds, method="highs").fun)


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.95, 0.975, 0.99])
def test_weighted_cvar_is_the_optimum_of_its_linear_programme(confidence: float) -> None:
    rng = np.random.default_rng(7)
    for _ in range(8):
        pnl = rng.normal(0.0, 1000.0, 40).round(-2)  # with ties
        chance = rng.dirichlet(np.full(40, 0.5))
        found = measures.tail(pnl, confidence, chance)
        assert found.cvar_gbp == pytest.approx(rockafellar_uryasev(pnl, confidence, chance), rel=1e-8)
        assert (found.weights * (1.0 - confidence) <= chance + 1e-12).all()  # no outcome counts more than it can
        assert found.weights.sum() == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.975, 0.99])
def test_days_in_the_tail_are_those_with_a_weight(confidence: float) -> None:
    for days in (1, 7, 19, 20, 21, 40, 41, 100, 101, 250, 365):
        weights = measures.tail(np.arange(days, dtype=float), confidence).weights
        assert measures.days_in_tail(days, confidence) == (weights > 1e-9).sum()


def test_ties_at_var_share_their_part_by_probability() -> None:
    found = measures.tail([-10.0, -10.0, 5.0, 5.0], 0.75, [0.1, 0.3, 0.3, 0.3])
    assert found.weights == pytest.approx([0.25, 0.75, 0.0, 0.0])
    assert found.var_gbp == found.cvar_gbp == 10.0


def test_impossible_outcomes_count_nothing_however_bad() -> None:
    found = measures.tail([-1e6, -10.0, 5.0], 0.9999999999999, [0.0, 0.5, 0.5])
    assert (found.var_gbp, found.cvar_gbp) == (10.0, 10.0)
    assert list(found.weights) == [0.0, 1.0, 0.0]


def test_a_normal_sample_has_the_normal_values() -> None:
    pnl = norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    assert measures.value_at_risk(pnl, 0.95) == pytest.approx(1.6449, abs=1e-3)
    assert measures.conditional_value_at_risk(pnl, 0.975) == pytest.approx(norm.pdf(1.95996) / 0.025, abs=1e-3)


def test_many_samples_at_once_are_each_sample_alone() -> None:
    samples = np.random.default_rng(2).normal(size=(4, 3, 61)).round(1)
    for function in (measures.value_at_risk, measures.conditional_value_at_risk):
        together = function(samples, 0.93)
        assert together.shape == (4, 3)
        for place in np.ndindex(4, 3):
            one = measures.tail(samples[place], 0.93)
            alone = one.var_gbp if function is measures.value_at_risk else one.cvar_gbp
            assert together[place] == pytest.approx(alone, rel=1e-12, abs=1e-12)


def test_sharpe_sortino_hit_rate_and_annualised_by_hand() -> None:
    daily = [300.0, -100.0, 100.0, 0.0]
    mean, variance = 75.0, (225.0**2 + 175.0**2 + 25.0**2 + 75.0**2) / 3.0
    assert measures.sharpe(daily) == pytest.approx(mean / math.sqrt(variance) * math.sqrt(365))
    assert measures.sortino(daily) == pytest.approx(mean / math.sqrt(100.0**2 / 4.0) * math.sqrt(365))
    assert measures.sortino(daily, 100.0) == pytest.approx(
        -25.0 / math.sqrt((200.0**2 + 100.0**2) / 4) * math.sqrt(365)
    )
    assert measures.hit_rate(daily) == 0.5
    assert measures.annualised_gbp_per_mw(daily, 50.0) == pytest.approx(75.0 * 365 / 50.0)


def test_ratios_that_do_not_exist_are_nan() -> None:
    assert math.isnan(measures.sharpe([5.0]))
    assert math.isnan(measures.sharpe([0.1, 0.1, 0.1]))
    assert math.isnan(measures.sortino([1.0, 2.0]))
    several = measures.sharpe([[1.0, 1.0, 1.0], [1.0, 2.0, 3.0]])
    assert math.isnan(several[0])
    assert several[1] == pytest.approx(2.0 * math.sqrt(365))


@pytest.mark.parametrize("pnl", [[], [1.0, math.nan], [math.inf, 1.0]])
def test_pnl_that_is_missing_is_refused_by_every_measure(pnl: list[float]) -> None:
    for function in (measures.sharpe, measures.sortino, measures.hit_rate, lambda x: measures.tail(x, 0.9)):
        with pytest.raises(ValueError, match="P&L"):
            function(pnl)


@pytest.mark.parametrize("chance", [[0.5], [0.5, 0.6], [1.5, -0.5], [math.nan, 1.0]])
def test_weights_that_are_no_probabilities_are_refused(chance: list[float]) -> None:
    with pytest.raises(ValueError, match="probabilities"):
        measures.tail([1.0, 2.0], 0.9, chance)


def test_a_confidence_outside_its_range_and_a_rating_of_nothing_are_refused() -> None:
    for confidence in (0.0, 1.0, 95.0, math.nan):
        with pytest.raises(ValueError, match="confidence"):
            measures.tail([1.0], confidence)
    with pytest.raises(ValueError, match="rating"):
        measures.annualised_gbp_per_mw([1.0], 0.0)
    with pytest.raises(ValueError, match="one distribution"):
        measures.tail([[1.0]], 0.9)
