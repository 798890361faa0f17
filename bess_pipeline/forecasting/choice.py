"""Which candidate forecasts a stream: by what its past forecasts would have earned, and by how wrong they were.

What belongs here: the scores candidates are compared by, and the rule. What does not: candidates, and the scores of
what was finally forecast (`scenarios/scores.py`).

The value of storage comes from the order of prices within a day, not from their level, and the forecast of lowest
error need not be the one that earns most (Falezza 2026). So for energy streams: a candidate's value of a past day is
what the best schedule for its forecast earns at the prices that came, each day from the initial state of energy, what
is stored at the end valued at the day's mean price less losses and wear. The candidate with the highest mean value
leads; equal to it are those whose values differ from its own by no more than `choice_standard_errors` paired standard
errors. Of equals the combination is taken, whose errors cancel (Bates and Granger 1969; that simple means are hard to
beat: Clemen 1989, and docs/recorded_ladder.md), and where it is not among them the one with the lowest CRPS. A
candidate whose CRPS is clearly higher (CLEARLY paired standard errors) than that of one that orders the hours of a day
no worse (rank correlation) is out before anything is valued: each valued day takes the solution of an optimisation.
Streams without such a value are chosen by CRPS in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.forecast_settings import ModelName
from bess_pipeline.forecasting.distribution import LEVELS
from bess_pipeline.forecasting.knowledge import filled_slots
from bess_pipeline.forecasting.model import Mask, Question
from bess_pipeline.optimisation.problem import ClosingState, EnergyProblem
from bess_pipeline.optimisation.schedule import EnergySchedule

Array = npt.NDArray[np.float64]
Roll = Callable[[EnergyProblem], EnergySchedule]

DAY_HOURS = 24.0
CLEARLY = 2.0
COMBINATION: ModelName = "combination"


class Candidate(Protocol):
    """A fitted model as `errors_ahead.Forecaster` and `regimes.RegimeForecaster` are."""

    @property
    def name(self) -> str: ...

    def past(self, rows: Mask) -> tuple[Array, Array]: ...

    def ahead(self, question: Question) -> tuple[Array, Array]: ...

    def point(self, question: Question) -> Array: ...


@dataclass(frozen=True)
class Trader:
    """With what past forecasts are valued: the battery, and a solver of its problems."""

    battery: Battery
    roll: Roll


@dataclass(frozen=True)
class PastScore:
    """One candidate over the days compared: CRPS (days,), value (days,) in GBP or None, mean rank correlation.

    Where any candidate has a value, one without is out.
    """

    name: str
    crps: Array
    value_gbp: Array | None
    rank_correlation: float


def past_scores(candidates: Sequence[Candidate], question: Question, trader: Trader | None) -> list[PastScore]:
    """Scores over the last `choice_days` days that are known and that all candidates forecast; none where none is."""
    last = np.flatnonzero(question.usable)[-2 * question.settings.choice_days :]
    past = [candidate.past(_rows(question.usable, last)) for candidate in candidates]
    by_all = ~np.any([np.isnan(mean).any(axis=1) for _, mean in past], axis=0)
    compared = np.flatnonzero(by_all)[-question.settings.choice_days :]
    outcome = question.outcome[last[compared]]
    scores = []
    for candidate, (quantile, mean) in zip(candidates, past, strict=True):
        error = _row_mean(crps_of_quantiles(quantile[compared], outcome))
        scores.append(PastScore(candidate.name, error, None, _rank_correlation(mean[compared], outcome)))
    if trader is None or not compared.size:
        return scores
    return [
        score if _beaten(score, scores) else replace(score, value_gbp=earned_gbp(mean[compared], outcome, trader))
        for score, (_, mean) in zip(scores, past, strict=True)
    ]


def chosen(scores: Sequence[PastScore], standard_errors: float) -> PastScore:
    """The candidate by the rule above; the first of equals. ValueError without any."""
    if not scores:
        raise ValueError("there is no candidate to choose from")
    if not scores[0].crps.size:
        return scores[0]
    valued = [score for score in scores if score.value_gbp is not None]
    behind = _values_behind(valued) if valued else _errors_behind(scores)
    equal = [
        score for score, less in zip(valued or scores, behind, strict=True) if _within_noise(less, standard_errors)
    ]
    combined = [score for score in equal if score.name == COMBINATION]
    return combined[0] if combined else min(equal, key=lambda one: float(one.crps.mean()))


def _values_behind(scores: Sequence[PastScore]) -> list[Array]:
    """By how much the values (days,) of each lie below those of the one with the highest mean."""
    values = [np.asarray(score.value_gbp) for score in scores]
    best = max(values, key=lambda one: float(one.mean()))
    return [best - one for one in values]


def _errors_behind(scores: Sequence[PastScore]) -> list[Array]:
    """By how much the CRPS (days,) of each lies above that of the one with the lowest mean."""
    best = min((score.crps for score in scores), key=lambda one: float(one.mean()))
    return [score.crps - best for score in scores]


def crps_of_quantiles(quantile: Array, outcome: Array) -> Array:
    """CRPS of outcomes from quantiles at LEVELS: twice the pinball loss, each level for its share of [0, 1]."""
    edges = np.concatenate([[0.0], (LEVELS[1:] + LEVELS[:-1]) / 2.0, [1.0]])
    error = outcome[..., None] - quantile
    loss = np.maximum(LEVELS * error, (LEVELS - 1.0) * error)
    return np.asarray(2.0 * loss @ np.diff(edges))


def earned_gbp(forecast: Array, outcome: Array, trader: Trader) -> Array:
    """What the best schedule for each day's forecast (days, slots) earns at its outcome, GBP (days,), after wear."""
    hours = DAY_HOURS / forecast.shape[1]
    return np.array([
        _earned(price, came, hours, trader) for price, came in zip(forecast, filled_slots(outcome), strict=True)
    ])  # fmt: skip


def _earned(price: Array, came: Array, hours: float, trader: Trader) -> float:
    battery = trader.battery
    closing = ClosingState.free(_stored_value(battery, price))
    problem = EnergyProblem(price, hours, 0, battery, battery.initial_energy_mwh, closing)
    schedule = trader.roll(problem)
    charge, discharge = schedule.charge_mw * hours, schedule.discharge_mw * hours
    cash = float((discharge - charge) @ came)
    wear = battery.degradation_cost_gbp_per_mwh * float((charge + discharge).sum())
    stored = float(schedule.energy_mwh[-1]) - battery.initial_energy_mwh
    return cash - wear + stored * _stored_value(battery, came)


def _stored_value(battery: Battery, price: Array) -> float:
    return battery.discharge_efficiency * (float(price.mean()) - battery.degradation_cost_gbp_per_mwh)


def _rows(mask: Mask, rows: npt.NDArray[np.int64]) -> Mask:
    found = np.zeros_like(mask)
    found[rows] = True
    return found


def _beaten(score: PastScore, others: Sequence[PastScore]) -> bool:
    return any(
        other.rank_correlation >= score.rank_correlation and not _within_noise(score.crps - other.crps, CLEARLY)
        for other in others
    )


def _within_noise(behind: Array, standard_errors: float) -> bool:
    error = behind.std(ddof=1) / np.sqrt(behind.size) if behind.size > 1 else 0.0
    return bool(behind.mean() <= standard_errors * error + 1e-9)


def _row_mean(values: Array) -> Array:
    known = ~np.isnan(values)
    return np.asarray(np.where(known, values, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1))


def _rank_correlation(forecast: Array, outcome: Array) -> float:
    """Mean over days of Spearman's correlation of the day's forecast and outcome; 0 for a flat forecast."""
    if not forecast.size:
        return 0.0
    ranks = [np.argsort(np.argsort(one, axis=1, kind="stable"), axis=1, kind="stable") for one in (forecast, outcome)]
    first, second = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    size = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    return float(((first * second).sum(axis=1) / np.maximum(size, 1e-12)).mean())
