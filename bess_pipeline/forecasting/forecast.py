"""Forecasts of all streams at one gate: the facade of this package.

What belongs here: from what gates knew to a `ForecastSet`, models taken from the week's retraining. What does not:
what gates knew (`observation.py`), the models and their choice (`training.py`).

**Weekly retraining.** The models of EFA day D are those that the same gate of the last retraining day R <= D could
train: they saw what that gate knew, whichever days were forecast before. So a forecast is a function of data and
settings alone, and the order of runs does not matter. Fitted models are kept in the process, by what they were
trained on. A stream that R did not know well enough is trained on what D's gate knows.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from bess_pipeline.errors import UserInputError
from bess_pipeline.forecast_settings import ForecastSettings, ModelName
from bess_pipeline.forecasting import streams
from bess_pipeline.forecasting.activation import ASSUMED, assumed_mwh_per_mw
from bess_pipeline.forecasting.choice import Trader
from bess_pipeline.forecasting.distribution import LEVELS, ForecastSet, Marginals, RankHistory
from bess_pipeline.forecasting.information import LEADS, Information
from bess_pipeline.forecasting.knowledge import filled_slots
from bess_pipeline.forecasting.model import newest
from bess_pipeline.forecasting.streams import ACTIVATION, Stream
from bess_pipeline.forecasting.training import (
    DAY_AHEAD,
    NOT_FORECAST,
    FittedStream,
    fit_streams,
    is_published,
    known_days,
    next_question,
)
from bess_pipeline.threads import one_thread

Array = npt.NDArray[np.float64]
InformationOf = Callable[[date, str], Information]
Ahead = tuple[Array, Array, str]  # quantiles (slots, LEVELS), means (slots,), the model's name

KEPT_TRAININGS = 8
PUBLISHED = "published"

_trained: OrderedDict[str, dict[str, FittedStream]] = OrderedDict()


def make_forecast(
    information_of: InformationOf,
    efa_date: date,
    gate: str,
    settings: ForecastSettings,
    trader: Trader | None = None,
    only: ModelName | None = None,
) -> ForecastSet:
    """Distributions of every stream there is data for, over `efa_date` and the day after it.

    information_of: what a gate of a day knew, asked for `efa_date` and its retraining day (up to six days before);
    trader: with what past forecasts of energy prices are valued when models are chosen, None = by CRPS alone;
    only: one model for all streams (such as the similar-day yardstick) in place of the choice. Raises UserInputError
    with one sentence when no energy price has `refuse_below_days` days of history.
    """
    information = information_of(efa_date, gate)
    retrained = retraining_day(efa_date, settings.retraining_weekday)
    known_then = information if retrained == efa_date else information_of(retrained, gate)
    with one_thread():
        fitted, notes = _fitted(information, known_then, settings, trader, only)
        marginals = _marginals(newest(information), fitted, settings)
        history = _history(fitted)
    assumed, assumed_notes = _assumed(information, settings)
    notes = (*information.notes, *notes, *assumed_notes)
    return ForecastSet(efa_date, gate, information.gate_utc, {**marginals, **assumed}, history, notes)


def retraining_day(efa_date: date, weekday: int) -> date:
    """The last day of that ISO weekday, `efa_date` itself included."""
    return efa_date - timedelta(days=(efa_date.isoweekday() - weekday) % 7)


def forget_trained() -> None:
    """Drop all models kept in this process."""
    _trained.clear()


def _fitted(
    information: Information,
    known_then: Information,
    settings: ForecastSettings,
    trader: Trader | None,
    only: ModelName | None,
) -> tuple[dict[str, FittedStream], tuple[str, ...]]:
    """Trained streams, and what was done without."""
    wanted = [name for name in information.streams if name not in NOT_FORECAST]
    enough = [name for name in wanted if known_days(information, name, settings) >= settings.refuse_below_days]
    notes = [
        f"{name}: left out, with {known_days(information, name, settings)} days of history and "
        f"{settings.refuse_below_days} needed"
        for name in sorted(set(wanted) - set(enough))
    ]
    if not any(information.streams[name].unit == "GBP/MWh" for name in enough):
        raise UserInputError(
            f"{information.efa_date} cannot be forecast at the {information.gate} gate: no energy price has "
            f"{settings.refuse_below_days} days of known history; fetch more days before it (bess backfill)"
        )
    then = [name for name in enough if known_then.streams.get(name) == information.streams[name]]
    fitted = _cached(known_then, settings, trader, then, only)
    late = [name for name in enough if name not in fitted]
    if DAY_AHEAD in late:
        late, fitted = enough, {}  # the others start from its forecasts
    if late:
        now = _cached(information, settings, trader, sorted({*late, DAY_AHEAD} & set(enough)), only)
        fitted = {**now, **fitted}
        notes.append(f"trained on what this gate knew, the last retraining knew too little: {', '.join(late)}")
    notes += [note for name in sorted(fitted) for note in fitted[name].notes]
    return {name: fitted[name] for name in enough if name in fitted}, tuple(notes)


def _cached(
    information: Information,
    settings: ForecastSettings,
    trader: Trader | None,
    names: Sequence[str],
    only: ModelName | None,
) -> dict[str, FittedStream]:
    """`fit_streams`, or what it gave for the same information, settings and battery in this process."""
    if not names:
        return {}
    battery = None if trader is None else trader.battery
    key = f"{vintage(information)} {settings.model_dump_json()} {battery!r} {sorted(names)} {only}"
    if key not in _trained:
        _trained[key] = fit_streams(information, settings, trader, names, only)
    _trained.move_to_end(key)
    while len(_trained) > KEPT_TRAININGS:
        _trained.popitem(last=False)
    return _trained[key]


def vintage(information: Information) -> str:
    """Hex digits that stand for everything a gate knew."""
    digest = hashlib.blake2b(f"{information.efa_date} {information.gate}".encode(), digest_size=16)
    for arrays in (information.lagged, information.outcome, information.fundamental):
        for key in sorted(arrays):
            digest.update(f"{key} {arrays[key].shape}".encode())
            digest.update(np.ascontiguousarray(arrays[key]).tobytes())
    return digest.hexdigest()


def _marginals(
    information: Information, fitted: Mapping[str, FittedStream], settings: ForecastSettings
) -> dict[str, Marginals]:
    """Distributions of the trained streams; the day-ahead price first, because others start from it."""
    found: dict[str, Marginals] = {}
    day_ahead_mean: dict[int, Array | None] = dict.fromkeys(LEADS)
    for name in sorted(fitted, key=lambda one: one != DAY_AHEAD):
        ahead = {lead: _ahead(information, fitted[name], lead, settings, day_ahead_mean[lead]) for lead in LEADS}
        if name == DAY_AHEAD:
            day_ahead_mean = {lead: mean for lead, (_, mean, _) in ahead.items()}
        found[name] = _over_days(information, fitted[name].stream, ahead)
    return found


def _ahead(
    information: Information, fitted: FittedStream, lead: int, settings: ForecastSettings, day_ahead_mean: Array | None
) -> Ahead:
    name = fitted.stream.name
    if is_published(information, name, lead):
        price = filled_slots(information.lagged[name, 0][-1:])[0]
        return np.repeat(price[:, None], LEVELS.size, axis=1), price, PUBLISHED
    candidate = fitted.by_lead.get(lead) or fitted.by_lead[max(fitted.by_lead)]
    question = next_question(information, name, lead, settings, day_ahead_mean)
    quantile, mean = candidate.ahead(question)
    return np.maximum.accumulate(quantile, axis=-1), mean, candidate.name


def _over_days(information: Information, stream: Stream, ahead: Mapping[int, Ahead]) -> Marginals:
    """Forecasts by slot laid out over the periods of both days."""
    days = [information.efa_date + timedelta(days=lead) for lead in LEADS]
    slots = [streams.period_slots(stream.clock, day) for day in days]
    models = list(dict.fromkeys(ahead[lead][2] for lead in LEADS))
    return Marginals(
        stream=stream,
        start_utc=streams.horizon_starts(stream.clock, days),
        slot=np.concatenate(slots),
        lead=np.repeat(LEADS, [slot.size for slot in slots]),
        quantile=np.concatenate([ahead[lead][0][slot] for lead, slot in zip(LEADS, slots, strict=True)]),
        mean=np.concatenate([ahead[lead][1][slot] for lead, slot in zip(LEADS, slots, strict=True)]),
        model=", then ".join(models),
    )


def _history(fitted: Mapping[str, FittedStream]) -> RankHistory:
    """Ranks of past outcomes in honest forecasts; days of all trainings in order, NaN where a stream has none."""
    days = sorted({day for one in fitted.values() for day in one.days})
    place = {day: row for row, day in enumerate(days)}
    rank: dict[tuple[str, int], Array] = {}
    for name, one in fitted.items():
        rows = [place[day] for day in one.days]
        for lead, known in one.rank.items():
            rank[name, lead] = np.full((len(days), one.stream.slots), np.nan)
            rank[name, lead][rows] = known
    return RankHistory(tuple(days), rank)


def _assumed(information: Information, settings: ForecastSettings) -> tuple[dict[str, Marginals], tuple[str, ...]]:
    """Published throughput for response products in the information whose activation was never measured."""
    found: dict[str, Marginals] = {}
    notes = []
    for product, stream in ACTIVATION.items():
        if f"response_{product}" not in information.streams or stream.name in information.streams:
            continue
        energy = assumed_mwh_per_mw(product, settings)
        if energy is None:
            notes.append(f"{stream.name}: not forecast, nothing was measured and no figure is published")
            continue
        ahead = {lead: _flat(stream, energy) for lead in LEADS}
        found[stream.name] = _over_days(information, stream, ahead)
        notes.append(f"{stream.name}: assumed, {energy:g} MWh/MW in every half-hour, because nothing was measured")
    return found, tuple(notes)


def _flat(stream: Stream, value: float) -> Ahead:
    return np.full((stream.slots, LEVELS.size), value), np.full(stream.slots, value), ASSUMED
