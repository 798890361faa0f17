"""What every proper score keeps to: the true law scores best, order and repetition of scenarios change nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bess_pipeline.forecasting.distribution import LEVELS
from bess_pipeline.scenarios.calibration import holm
from bess_pipeline.scenarios.multivariate import Pairs, energy_score, squared_distances, variogram_score
from bess_pipeline.scenarios.univariate import crps, crps_of_quantiles, ordered, rank

VALUES = st.floats(-300.0, 3000.0).map(lambda value: round(value, 2))
WEIGHTS = arrays(np.int64, 4, elements=st.integers(1, 5))
PAIRS = Pairs(*np.triu_indices(3, 1), weight=np.full(3, 1 / 3))


def scores(x: np.ndarray, y: np.ndarray, w: np.ndarray) -> list[float]:
    rows = np.ascontiguousarray(x.T)
    return [
        float(crps(ordered(x, w), y, fair=False).mean()),
        energy_score(squared_distances(x, y), w, fair=False),
        variogram_score(rows, y, w, PAIRS, fair=False),
    ]


@given(arrays(np.float64, (4, 3), elements=VALUES), arrays(np.float64, 3, elements=VALUES), WEIGHTS)
@settings(max_examples=40, deadline=None)
def test_weights_are_repetitions_and_order_is_nothing(x: np.ndarray, y: np.ndarray, times: np.ndarray) -> None:
    weighted = scores(x, y, times / times.sum())
    repeated = np.repeat(x, times, axis=0)
    assert scores(repeated, y, np.full(len(repeated), 1 / len(repeated))) == pytest.approx(weighted, rel=1e-6, abs=1e-4)
    assert scores(x[::-1].copy(), y, (times / times.sum())[::-1].copy()) == pytest.approx(weighted, rel=1e-6, abs=1e-4)
    assert min(weighted) > -1e-6, "no score of a law is below that of certainty about the outcome"


@given(
    arrays(np.float64, (5, 3), elements=VALUES),
    arrays(np.float64, 5, elements=st.floats(0.05, 1.0)),
    arrays(np.float64, 5, elements=st.floats(0.05, 1.0)),
)
@settings(max_examples=40, deadline=None)
def test_propriety_the_law_itself_scores_best_in_expectation(x: np.ndarray, p: np.ndarray, q: np.ndarray) -> None:
    """Outcomes of the discrete law p on x: its own expected score is no higher than that of q on the same points."""
    p, q = p / p.sum(), q / q.sum()
    own = sum(p[k] * np.array(scores(x, x[k], p)) for k in range(5))
    other = sum(p[k] * np.array(scores(x, x[k], q)) for k in range(5))
    assert (own <= other + 1e-4 * (1 + np.abs(own))).all()


@given(arrays(np.float64, LEVELS.size, elements=VALUES), arrays(np.float64, LEVELS.size, elements=VALUES), VALUES)
@settings(max_examples=40, deadline=None)
def test_crps_of_quantiles_lies_between_zero_and_the_mean_distance(a: np.ndarray, b: np.ndarray, y: float) -> None:
    """And the mixture that halves quantiles scores no worse than the mean of both (CRPS is convex in the quantile)."""
    low, high = np.sort(a), np.sort(b)
    both = crps_of_quantiles(np.stack([low, high, (low + high) / 2]), np.full(3, y))
    assert both.min() >= 0.0
    assert both[2] <= both[:2].mean() + 1e-9
    assert both[0] <= max(abs(low[0] - y), abs(low[-1] - y)) + 1e-9


@given(arrays(np.float64, (6, 4), elements=VALUES), arrays(np.float64, 4, elements=VALUES), st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_ranks_lie_in_their_bounds_and_rise_with_the_outcome(x: np.ndarray, y: np.ndarray, seed: int) -> None:
    w = np.full(6, 1 / 6)
    found = rank(x, y, w, np.random.default_rng(seed))
    higher = rank(x, y + 1000.0, w, np.random.default_rng(seed))
    below, through = (x < y).sum(axis=0), (x <= y).sum(axis=0)
    assert ((found >= below / 7) & (found <= (through + 1) / 7)).all()
    assert (higher >= found - 1e-12).all()


@given(st.dictionaries(st.text(max_size=3), st.floats(0.0, 1.0), max_size=6))
@settings(max_examples=40, deadline=None)
def test_holm_is_between_the_raw_p_and_bonferroni_and_keeps_their_order(p: dict[str, float]) -> None:
    adjusted = holm(p)
    assert set(adjusted) == set(p)
    for name, value in p.items():
        assert value <= adjusted[name] <= min(1.0, value * len(p)) or adjusted[name] == max(adjusted.values())
    ranked = sorted(p, key=lambda name: (p[name], name))
    assert [adjusted[name] for name in ranked] == sorted(adjusted.values())
