"""Kendall's tau and tail dependence against scipy, closed forms of the Gaussian copula and counting by hand."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from scipy.stats import kendalltau, multivariate_normal, norm
from score_frames import STREAMS, scenario_set

from bess_pipeline.forecasting.distribution import RankHistory
from bess_pipeline.scenarios.codependence import (
    BLOCKS,
    blocks_of_history,
    blocks_of_scenarios,
    dependence_frame,
    dependence_rows,
    kendall_tau,
    tail_dependence,
)

DAY = date(2025, 2, 4)


def gaussian(rho: float, rows: int) -> np.ndarray:
    return np.random.default_rng(1).multivariate_normal([0.0, 0.0], [[1.0, rho], [rho, 1.0]], size=rows)


@pytest.mark.parametrize("rho", [-0.6, 0.0, 0.8])
def test_gaussian_copula_has_its_closed_forms(rho: float) -> None:
    x = gaussian(rho, 4000)
    assert kendall_tau(x)[0, 1] == pytest.approx(2 / np.pi * np.arcsin(rho), abs=0.03)
    q = norm.ppf(0.9)
    both = 1 - 2 * 0.9 + multivariate_normal([0.0, 0.0], [[1.0, rho], [rho, 1.0]]).cdf([q, q])
    assert tail_dependence(x, 0.9)[0, 1] == pytest.approx(both / 0.1, abs=0.06)
    assert tail_dependence(x, 0.1)[0, 1] == pytest.approx(both / 0.1, abs=0.06), "the normal law is symmetric"


def test_tau_with_ties_and_gaps_is_scipys() -> None:
    rng = np.random.default_rng(2)
    x = rng.integers(0, 4, size=(60, 3)).astype(float)
    x[rng.random(x.shape) < 0.1] = np.nan
    tau = kendall_tau(x)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert tau[a, b] == pytest.approx(kendalltau(x[:, a], x[:, b], nan_policy="omit").statistic)
    assert np.diag(tau) == pytest.approx(1.0)
    assert np.isnan(kendall_tau(np.column_stack([np.zeros(9), np.arange(9.0)]))[0]).all()


def test_weights_are_repetitions(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    x, times = rng.normal(size=(8, 3)), np.array([1, 3, 2, 2, 4, 1, 5, 2])
    many, w = np.repeat(x, times, axis=0), times / times.sum()
    assert kendall_tau(x, w) == pytest.approx(kendall_tau(many))
    assert tail_dependence(x, 0.7, w) == pytest.approx(tail_dependence(many, 0.7))
    monkeypatch.setattr("bess_pipeline.scenarios.codependence._ROW_VALUES", 50)
    assert kendall_tau(x, w) == pytest.approx(kendall_tau(many)), "parts of the rows change nothing"


def test_tail_dependence_by_hand() -> None:
    """Of ten rows, two are beyond the 80 % level of each column; one of them in both."""
    a = np.arange(10.0)
    b = np.array([0.0, 1, 2, 3, 4, 5, 6, 9, 7, 8])
    assert tail_dependence(np.column_stack([a, b]), 0.8)[0, 1] == 0.5
    assert tail_dependence(np.column_stack([a, a]), 0.8)[0, 1] == 1.0
    assert tail_dependence(np.column_stack([a, -a]), 0.8)[0, 1] == 0.0
    b[0] = np.nan  # the row is left out: of nine, 7 and 8 are the highest but in other rows
    gaps = tail_dependence(np.column_stack([a, b]), 0.8)
    assert gaps[0, 1] == tail_dependence(np.column_stack([a, b])[1:], 0.8)[0, 1]
    assert np.isnan(tail_dependence(np.column_stack([a, np.full(10, np.nan)]), 0.8)[0, 1])


@pytest.mark.parametrize("day", [DAY, date(2026, 3, 29), date(2025, 10, 26)])
def test_scenarios_and_a_history_of_the_same_law_agree(day: date) -> None:
    """Correlation 0.7 between all periods: block means of a market correlate more, tau of daily means is near 1."""
    many = scenario_set(600, day, np.random.default_rng(4))
    blocks = blocks_of_scenarios(many)
    assert {name: one.shape for name, one in blocks.items()} == dict.fromkeys(STREAMS, (600, BLOCKS))
    assert not np.isnan(np.hstack(list(blocks.values()))).any()
    rows = {(pair, score): value for pair, score, value in dependence_rows(blocks, many.probability)}
    assert rows["day_ahead|system_price", "kendall_tau"] > 0.7
    assert rows["day_ahead|response_DCL", "upper_tail_90"] > 0.45
    assert 0.3 < rows["day_ahead|system_price", "lower_tail_05"] <= 1.0
    assert len(rows) == 3 * 5


def test_history_keeps_its_gaps_and_only_known_streams() -> None:
    rng = np.random.default_rng(5)
    ranks = {
        ("day_ahead", 0): rng.random((30, 24)),
        ("response_DCL", 0): rng.random((30, 6)),
        ("x", 0): np.ones((30, 6)),
    }
    ranks["day_ahead", 1] = rng.random((30, 24))
    ranks["response_DCL", 0][:, 5] = np.nan
    ranks["day_ahead", 0][3, 0:4] = np.nan
    ranks["day_ahead", 0][4, 0] = np.nan
    blocks = blocks_of_history(RankHistory(tuple(date(2025, 1, 1 + k) for k in range(30)), ranks), STREAMS)
    assert set(blocks) == {"day_ahead", "response_DCL"}
    assert np.isnan(blocks["response_DCL"][:, 5]).all()
    assert np.isnan(blocks["day_ahead"][3, 0])
    assert blocks["day_ahead"][4, 0] == pytest.approx(norm.ppf(ranks["day_ahead", 0][4, 1:4]).mean())
    many = scenario_set(50, DAY, rng)
    frame = dependence_frame(DAY, "day_ahead", blocks_of_scenarios(many), many.probability, blocks)
    pairs = frame.groupby("score")["stream"].nunique()
    assert pairs["kendall_tau"] == 3
    assert pairs["kendall_tau:history"] == 1
    assert list(frame.columns) == ["efa_date", "gate", "stream", "score", "value"]
    assert dependence_rows({"day_ahead": blocks["day_ahead"]}) == []
