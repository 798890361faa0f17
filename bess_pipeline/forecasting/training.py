"""All streams of one gate, trained: candidates fitted, one chosen for each stream, questions for newer days asked.

What belongs here: which candidates a stream has, from what first guess they start, and what a short history gets.
What does not: the candidates (a module each), the rule of choice (`choice.py`) and when training happens
(`forecast.py`).

First guesses: the mean of the last 28 known days; for the system price and the market index, the day-ahead price of
the forecast day (published, or as forecast at the same gate) with the usual difference from it. So the day-ahead
stream is trained first, and its honest past forecasts are what the others learn from.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from bess_pipeline.forecast_settings import NOT_COMBINED, ForecastSettings, ModelName
from bess_pipeline.forecasting.activation import climatology
from bess_pipeline.forecasting.boosted import boosted
from bess_pipeline.forecasting.choice import Candidate, PastScore, Trader, chosen, past_scores
from bess_pipeline.forecasting.combination import combination
from bess_pipeline.forecasting.distribution import LEVELS, ranks_in
from bess_pipeline.forecasting.errors_ahead import Forecaster
from bess_pipeline.forecasting.first_guess import ACTIVATION, DAY_AHEAD, SYSTEM_PRICE, first_guess, follows
from bess_pipeline.forecasting.information import LEADS, Information
from bess_pipeline.forecasting.knowledge import freshest_lag
from bess_pipeline.forecasting.lear import lear
from bess_pipeline.forecasting.model import Question
from bess_pipeline.forecasting.regimes import niv_regimes
from bess_pipeline.forecasting.ridge import ridge
from bess_pipeline.forecasting.streams import Stream
from bess_pipeline.forecasting.yardsticks import last_7_days, last_28_days, persistence, similar_day

Array = npt.NDArray[np.float64]

BOOSTED = (DAY_AHEAD, SYSTEM_PRICE)
PLAIN: Mapping[str, Callable[[Question], Forecaster]] = {
    "persistence": persistence,
    "similar_day": similar_day,
    "last_7_days": last_7_days,
    "last_28_days": last_28_days,
}
NOT_FORECAST = ("net_imbalance_volume",)  # a regressor only


@dataclass(frozen=True)
class FittedStream:
    """One stream after training: the chosen candidate of each lead, and why.

    rank[lead] (days, slots): what past outcomes took in its honest forecasts, NaN where there is none.
    """

    stream: Stream
    by_lead: Mapping[int, Candidate]
    days: tuple[date, ...]
    rank: Mapping[int, Array]
    scores: tuple[PastScore, ...]
    notes: tuple[str, ...]


def fit_streams(
    information: Information,
    settings: ForecastSettings,
    trader: Trader | None,
    names: Sequence[str],
    only: ModelName | None = None,
) -> dict[str, FittedStream]:
    """The named streams trained, those left out that have too little history; `only` one model where it is given."""
    found: dict[str, FittedStream] = {}
    for name in sorted(names, key=lambda one: one != DAY_AHEAD):
        fitted = _fit_stream(information, name, settings, trader, found.get(DAY_AHEAD), only)
        if fitted is not None:
            found[name] = fitted
    return found


def known_days(information: Information, name: str, settings: ForecastSettings) -> int:
    """Days with a known outcome and something known before them."""
    return int(past_question(information, name, 0, settings, None).usable.sum())


def past_question(
    information: Information, name: str, lead: int, settings: ForecastSettings, day_ahead: FittedStream | None
) -> Question:
    """The question with the first guesses of all past rows, for training."""
    driver = _published(information, lead)
    if driver is None and day_ahead is not None:
        candidate = day_ahead.by_lead[lead]
        driver = candidate.past(np.ones(len(information.days), dtype=bool))[1]
    return _question(information, name, lead, settings, driver)


def next_question(
    information: Information, name: str, lead: int, settings: ForecastSettings, day_ahead_mean: Array | None
) -> Question:
    """The question about the last row; `day_ahead_mean` (slots,) is what the day-ahead price is forecast to be.

    It serves where the price is not out, also at a gate that usually knows it: one that is still open.
    """
    driver = _published(information, lead)
    if day_ahead_mean is not None and (driver is None or np.isnan(driver[-1]).all()):
        driver = np.full((len(information.days), day_ahead_mean.size), np.nan) if driver is None else driver.copy()
        driver[-1] = day_ahead_mean
    return _question(information, name, lead, settings, driver)


def is_published(information: Information, name: str, lead: int) -> bool:
    """Whether the prices of the forecast day are out already."""
    return name == DAY_AHEAD and lead == 0 and bool(np.isfinite(information.lagged[name, 0][-1]).any())


def _published(information: Information, lead: int) -> Array | None:
    if lead == 0 and DAY_AHEAD in information.streams and freshest_lag(information, DAY_AHEAD) == 0:
        return information.lagged[DAY_AHEAD, 0]
    return None


def _question(
    information: Information, name: str, lead: int, settings: ForecastSettings, driver: Array | None
) -> Question:
    stream = information.streams[name]
    base = first_guess(information, stream, driver)
    return Question(information, stream, lead, base, settings, None if name == DAY_AHEAD else driver)


def _fit_stream(
    information: Information,
    name: str,
    settings: ForecastSettings,
    trader: Trader | None,
    day_ahead: FittedStream | None,
    only: ModelName | None,
) -> FittedStream | None:
    questions = {lead: past_question(information, name, lead, settings, day_ahead) for lead in LEADS}
    days = int(questions[0].usable.sum())
    if min(int(question.usable.sum()) for question in questions.values()) < settings.refuse_below_days - 1:
        return None
    if days < settings.refuse_below_days:
        return None
    leads = [lead for lead in LEADS if not is_published(information, name, lead)]
    first = _candidates(questions[leads[0]], days, settings.models if only is None else (only,))
    value = trader if questions[0].stream.unit == "GBP/MWh" else None
    scores = past_scores(first, questions[leads[0]], value) if len(first) > 1 else []
    name_chosen = chosen(scores, settings.choice_standard_errors).name if scores else first[0].name
    by_lead = {leads[0]: next(one for one in first if one.name == name_chosen)}
    by_lead |= {lead: _candidates(questions[lead], days, (name_chosen,))[0] for lead in leads[1:]}
    notes = _notes(name, days, settings, scores, name_chosen)
    rank = {lead: _ranks(questions[lead], candidate) for lead, candidate in by_lead.items()}
    return FittedStream(information.streams[name], by_lead, information.days, rank, tuple(scores), notes)


def _ranks(question: Question, candidate: Candidate) -> Array:
    """Ranks (rows, slots) of past outcomes; ties are drawn with a seed of the stream and lead."""
    known = question.usable
    quantile, mean = candidate.past(known)
    quantile = quantile.reshape(-1, LEVELS.size)
    outcome = np.where(np.isnan(mean), np.nan, question.outcome[known]).ravel()
    rng = np.random.default_rng([zlib.crc32(question.stream.name.encode()), question.lead])
    found = np.full(question.outcome.shape, np.nan)
    found[known] = ranks_in(quantile, outcome, rng).reshape(-1, question.stream.slots)
    return found


def _candidates(question: Question, days: int, wanted: Sequence[str]) -> list[Candidate]:
    """Fitted candidates: yardsticks always, models where the history is long enough and anything varies.

    Trees are grown for some streams and the first day alone; where nothing but them is wanted, elsewhere the regression
    that they stand on takes their place.
    """
    settings, stream = question.settings, question.stream
    if stream.name.startswith(ACTIVATION):
        return [climatology(question)]
    trees = stream.name in BOOSTED and question.lead == 0
    if not trees:
        wanted = ["lear" if name == "boosted" and len(wanted) == 1 else name for name in wanted]
    if days < settings.minimum_history_days or not _varies(question):
        return [PLAIN[name](question) for name in wanted if name in PLAIN] or [similar_day(question)]
    combined = _combined(question) if "combination" in wanted else []
    points = _points(question, {*wanted, *combined}, trees)
    found: list[Candidate] = [one for name, one in points.items() if name in wanted]
    if stream.name == SYSTEM_PRICE and "niv_regimes" in wanted:
        found.append(niv_regimes(question))
    if combined:
        found.append(combination(question, [one for name, one in points.items() if name in combined]))
    return found or [similar_day(question)]


def _combined(question: Question) -> list[str]:
    """What the combination averages; beside a day-ahead price, without the mean of days that does not follow it."""
    left_out = {*NOT_COMBINED, *(("similar_day",) if follows(question.stream, question.driver) else ())}
    return [name for name in question.settings.models if name not in left_out]


def _points(question: Question, names: Collection[str], trees: bool) -> dict[str, Forecaster]:
    """Forecasters by name, of those that forecast a point; trees stand on the regression, which is fitted once."""
    found = {name: make(question) for name, make in PLAIN.items() if name in names}
    regression = lear(question) if "lear" in names or ("boosted" in names and trees) else None
    if regression is not None and "lear" in names:
        found["lear"] = regression
    if regression is not None and "boosted" in names and trees:
        found["boosted"] = boosted(question, regression)
    if "ridge" in names:
        found["ridge"] = ridge(question)
    return found


def _varies(question: Question) -> bool:
    """Whether outcomes differ from the first guess at all."""
    away = np.abs(question.outcome - question.base)[question.usable]
    return bool(np.nanmax(away, initial=0.0) > 1e-9)


def _notes(
    name: str, days: int, settings: ForecastSettings, scores: Sequence[PastScore], name_chosen: str
) -> tuple[str, ...]:
    notes = []
    if days < settings.minimum_history_days and not name.startswith(ACTIVATION):
        notes.append(
            f"{name}: {days} days of history, below the {settings.minimum_history_days} that models need, so "
            f"{name_chosen} with wide errors"
        )
    elif scores:
        parts = [_score_text(score) for score in scores]
        notes.append(f"{name}: {name_chosen} chosen on the last {scores[0].crps.size} known days ({'; '.join(parts)})")
    return tuple(notes)


def _score_text(score: PastScore) -> str:
    error = float(score.crps.mean()) if score.crps.size else float("nan")
    value = "" if score.value_gbp is None else f" {score.value_gbp.mean():.0f} GBP/day,"
    return f"{score.name}{value} CRPS {error:.3f}, rank correlation {score.rank_correlation:.2f}"
