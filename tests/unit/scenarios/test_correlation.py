"""Shrunk correlations: Ledoit-Wolf against scikit-learn, and nothing lost of what day means have in common."""

from __future__ import annotations

import numpy as np
import pytest
from scenario_forecasts import ACTIVATION, EIGHT, Array, Law
from scipy.special import ndtr
from sklearn.covariance import ledoit_wolf

from bess_pipeline.scenarios.correlation import (
    normal_scores,
    sampling_variance,
    shrinkage_intensity,
    shrunk_correlation,
    smooth_target,
)
from bess_pipeline.threads import one_thread

LEADS = (0, 1)


def places(chosen: list) -> tuple[Array, Array]:
    hour, stream, _ = Law()._places(chosen, LEADS)
    return stream.astype(np.int64), hour


def test_the_intensity_is_that_of_ledoit_and_wolf_for_their_target() -> None:
    factor = np.random.default_rng(3).standard_normal((12, 12))
    x = np.random.default_rng(4).standard_normal((40, 12)) @ factor
    x -= x.mean(axis=0)
    sample = x.T @ x / len(x)
    target = np.trace(sample) / 12 * np.eye(12)
    ours = shrinkage_intensity(sample, target, sampling_variance(x, sample, len(x)))
    assert ours == pytest.approx(ledoit_wolf(x)[1], rel=1e-12)
    assert 0 < ours < 1


def test_scores_are_normal_whatever_the_ranks_and_constant_columns_are_not_observed() -> None:
    rank = np.column_stack(
        [np.linspace(0.4, 0.6, 99) ** 3, np.full(99, 0.5), np.r_[np.full(50, np.nan), np.arange(49)]]
    )
    scores, observed = normal_scores(rank)
    assert observed.sum(axis=0).tolist() == [99, 0, 49]
    assert scores[:, 0] == pytest.approx(-scores[::-1, 0])
    assert scores[observed[:, 2], 2].std() == pytest.approx(1.0)
    assert (scores[~observed] == 0).all()


def test_equal_ranks_have_equal_scores() -> None:
    scores, _ = normal_scores(np.array([[0.1], [0.5], [0.5], [0.9]]))
    assert scores[1, 0] == scores[2, 0] == pytest.approx(0.0, abs=1e-15)


def test_the_smooth_model_finds_a_law_of_its_own_form() -> None:
    stream, hour = places(EIGHT)
    truth = Law(level=0.0, shared=0.5, own=0.4, range_h=4.0, sign={"response_DRH": -1.0}).correlation(EIGHT)
    off_diagonal = 1.0 - np.eye(len(truth))
    assert smooth_target(truth, off_diagonal, stream, hour) == pytest.approx(truth, abs=0.02)


def hour_dependent(law: Law, chosen: list) -> Array:
    """A law whose common part changes with the hour of the day, differently for each stream: no smooth model."""
    hour, stream, _ = law._places(chosen, LEADS)
    strength = 0.5 + 0.5 * np.sin(2 * np.pi * hour / 24 + stream)
    matrix = law.correlation(chosen) * strength[:, None] * strength[None, :]
    np.fill_diagonal(matrix, 1.0)
    return matrix


def correlation_of_day_means(matrix: Array, stream: Array, hour: Array) -> Array:
    first = np.stack([(stream == one) & (hour < 24) for one in np.unique(stream)]).astype(float)
    covariance = first @ matrix @ first.T
    spread = np.sqrt(np.diag(covariance))
    return (covariance / np.outer(spread, spread))[np.triu_indices(len(first), 1)]


LAWS = {
    "strong": Law().correlation(EIGHT),
    "weak": Law(0.02, 0.1, 0.6, 3.0).correlation(EIGHT),
    "signs": Law(0.1, 0.3, 0.4, sign={"response_DCH": -1.0, "response_DRH": -1.0}).correlation(EIGHT),
    "by hour": hour_dependent(Law(0.1, 0.0, 0.1, 2.0), EIGHT),
}


@pytest.mark.parametrize("law", LAWS)
def test_day_means_keep_their_correlation_across_markets_within_sampling_error(law: str) -> None:
    """365 days, 8 histories: within 2.5 standard errors, where shrinkage to the identity leaves a bias."""
    stream, hour = places(EIGHT)
    truth = correlation_of_day_means(LAWS[law], stream, hour)
    factor, found, identity, error = np.linalg.cholesky(LAWS[law]), [], [], []
    with one_thread():
        for seed in range(8):
            rank = ndtr(np.random.default_rng(seed).standard_normal((365, len(factor))) @ factor.T)
            scores, observed = normal_scores(rank)
            matrix = shrunk_correlation(scores, observed, stream, hour).matrix
            found.append(correlation_of_day_means(matrix, stream, hour))
            plain = ledoit_wolf(scores)[0]
            identity.append(correlation_of_day_means(plain, stream, hour))
            error.append([((one - LAWS[law]) ** 2).mean() for one in (matrix, scores.T @ scores / 365)])
    assert np.linalg.eigvalsh(matrix).min() > 0
    assert np.diag(matrix) == pytest.approx(1.0)
    standard_error = (1 - truth**2) / np.sqrt(365)
    assert (np.abs(np.array(found) - truth) < np.maximum(0.05, 2.5 * standard_error)).mean() > 0.95
    assert np.abs(np.mean(found, axis=0) - truth).max() < 2.5 * standard_error.max() / np.sqrt(8) + 0.01
    assert np.mean(error, axis=0)[0] < np.mean(error, axis=0)[1]  # and single hours are nearer than the sample's
    if law == "by hour":
        assert np.abs(np.mean(identity, axis=0) - truth).max() > 0.1


def test_missing_days_leave_a_correlation() -> None:
    """Activation unknown for the last 45 of 100 days, two holes, a stream known from its 60th day on."""
    chosen = [*EIGHT[:3], ACTIVATION[0]]
    stream, hour = places(chosen)
    rank = ndtr(Law().scores(chosen, 100, 5))
    rank[-45:, stream == 3] = np.nan
    rank[:60, stream == 2] = np.nan
    rank[[3, 50], 7] = np.nan
    scores, observed = normal_scores(rank)
    matrix = shrunk_correlation(scores, observed, stream, hour).matrix
    assert np.linalg.eigvalsh(matrix).min() > 0
    truth = Law().correlation(chosen)
    assert np.sqrt(((matrix - truth) ** 2).mean()) < 0.2
    assert matrix[np.ix_(stream == 2, stream == 3)] == pytest.approx(0.0, abs=0.6)  # no day in common: by the model


def test_columns_that_share_no_day_are_taken_from_the_model_and_not_from_nothing() -> None:
    stream, hour = places(EIGHT[:1])
    rank = ndtr(Law(0.0, 0.5, 0.4).scores(EIGHT[:1], 300, 1))
    rank[:150, 24:], rank[150:, :24] = np.nan, np.nan  # never both days
    scores, observed = normal_scores(rank)
    matrix = shrunk_correlation(scores, observed, stream, hour).matrix
    assert matrix[23, 24] > 0.6  # one hour apart across midnight
