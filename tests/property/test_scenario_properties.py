"""Any forecast ends in a set whose marginals are those forecast, and any reduction in a distribution near it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scenario_forecasts import (
    ACTIVATION,
    CLOCKS_BACK,
    CLOCKS_FORWARD,
    DAY_AHEAD,
    RESPONSE,
    SYSTEM_PRICE,
    WEDNESDAY,
    Law,
    forecast_set,
)

from bess_pipeline.forecasting.distribution import ForecastSet, Marginals, RankHistory
from bess_pipeline.scenarios.dependence import METHODS
from bess_pipeline.scenarios.generate import generate
from bess_pipeline.scenarios.reduce import reduce_scenarios


@st.composite
def forecasts(draw: st.DrawFn) -> ForecastSet:
    """Some streams, a past of any length with holes, any day of the year's three kinds, spikes on one side.

    Activation has an atom at 0: the upper part of its distributions is above it.
    """
    every = [DAY_AHEAD, SYSTEM_PRICE, *RESPONSE[:2], ACTIVATION[0]]
    chosen = draw(st.lists(st.sampled_from(every), min_size=1, max_size=3, unique=True))
    day = draw(st.sampled_from([WEDNESDAY, CLOCKS_FORWARD, CLOCKS_BACK]))
    history = Law().history(chosen, draw(st.sampled_from([0, 1, 19, 20, 45])), draw(st.integers(0, 9)), day)
    hole = np.random.default_rng(draw(st.integers(0, 9)))
    share = draw(st.sampled_from([0.0, 0.02, 0.4, 0.9]))
    rank = {key: np.where(hole.random(value.shape) < share, np.nan, value) for key, value in history.rank.items()}
    made = forecast_set(chosen, RankHistory(history.days, rank), day)
    stretch = draw(st.sampled_from([0.0, 1.0, 30.0]))
    spiked = {
        name: replace(one, quantile=one.mean[:, None] + np.expm1(stretch / 20 * (one.quantile - one.mean[:, None])) * 5)
        for name, one in made.marginals.items()
    }
    found = spiked if draw(st.booleans()) else made.marginals
    return replace(made, marginals={name: bounded(one) for name, one in found.items()})


def bounded(one: Marginals) -> Marginals:
    lowest = one.stream.lowest
    return one if np.isinf(lowest) else replace(one, quantile=np.maximum(one.quantile - one.mean[:, None], lowest))


@settings(max_examples=25, deadline=None)
@given(forecasts(), st.integers(1, 60), st.sampled_from(METHODS), st.integers(0, 2**32))
def test_one_scenario_lies_in_each_stratum_of_each_marginal(
    forecast: ForecastSet, count: int, method: str, seed: int
) -> None:
    """The largest distance of the empirical distribution from the forecast's is at most 1/N (Kolmogorov-Smirnov)."""
    scenarios = generate(forecast, count, method, seed)
    for name, one in forecast.marginals.items():
        ordered = np.sort(scenarios.value[name], axis=0)
        edges = one.at(np.repeat(np.arange(count + 1)[:, None] / count, one.lead.size, axis=1))
        slack = 1e-9 * np.abs(edges).max()
        assert (ordered >= edges[:-1] - slack).all()
        assert (ordered <= edges[1:] + slack).all()
        assert (ordered >= one.stream.lowest).all()
    again = generate(forecast, count, method, seed)
    assert all(again.value[name].tobytes() == scenarios.value[name].tobytes() for name in scenarios.value)


@settings(max_examples=15, deadline=None)
@given(forecasts(), st.integers(1, 40), st.integers(1, 45), st.booleans())
def test_reductions_are_distributions_no_further_than_one_path(
    forecast: ForecastSet, count: int, k: int, correct: bool
) -> None:
    full = generate(forecast, count, "schaake", 1)
    reduction = reduce_scenarios(full, k, correct_means=correct)
    probability = reduction.scenarios.probability
    assert probability.size == min(k, count)
    assert (probability > 0).all()
    assert abs(probability.sum() - 1) < 1e-9
    assert -1e-9 <= reduction.relative_distance <= (2.0 if correct else 1 + 1e-9)
    for name, values in reduction.scenarios.value.items():
        assert (values == full.value[name][reduction.chosen]).all()
