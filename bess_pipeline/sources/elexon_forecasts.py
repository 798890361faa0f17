"""Elexon's forecasts before the fact: wind, demand, wind and solar day-ahead, indicated margin.

What belongs here: requests and answers of the forecast data sets. What does not: prices (`elexon.py`),
what of it is known at a gate (`forecasting/fundamentals.py`) and completeness (`ingestion/forecasts.py`).

Rules (Elexon Insights OpenAPI document; domain reference 2.3a; recorded answers): `/datasets/<name>`
filters by `publishDateTimeFrom` and `publishDateTimeTo`, both included. Other endpoints use other
names, and a wrong name is ignored in silence and answered with the latest data: every publication time
is checked against what was asked. A start is the start of an hour for WINDFOR and of a half-hour for
the others. Of zonal data sets only the national rows (boundary N) are kept, of DGWS only the process
"Day ahead". Values are MW and keep the sign they are published with (indicated demand is negative).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd

from bess_pipeline.errors import NotPublishedError, PayloadError
from bess_pipeline.gb_time import settlement_columns, settlement_day_bounds_utc
from bess_pipeline.schemas import empty_frame
from bess_pipeline.sources.elexon import base_url, get_json, published_rows
from bess_pipeline.sources.http import Answer, HttpClient, RejectedAnswerError
from bess_pipeline.sources.parsing import quoted, text_column, utc_text, without_repeats

TABLE = "market/fundamental_forecast"
CHUNK_DAYS = 6  # data sets of this kind allow 7 days; 6 stay below it on the 25-hour day too
NATIONAL = "N"
DAY_AHEAD_PROCESS = "day ahead"
_WHAT = "Elexon forecasts"
_PUBLISHED = re.compile(rb'"publishTime"\s*:\s*"([^"]{1,40})"')
_ZONED = r"(?:Z|[+-]\d\d:\d\d)$"


@dataclass(frozen=True)
class ForecastSet:
    """One data set: its value's field, the series it feeds (by psrType where there are several), its parameters."""

    field: str
    series: str | Mapping[str, str]
    params: Mapping[str, str]


_NATIONAL_ONLY = {"boundary": NATIONAL}
FORECAST_SETS: Mapping[str, ForecastSet] = {
    "WINDFOR": ForecastSet("generation", "wind", {}),
    "NDF": ForecastSet("demand", "demand", {}),
    "DGWS": ForecastSet(
        "quantity",
        {kind: f"{kind.replace(' ', '_')}_day_ahead" for kind in ("solar", "wind onshore", "wind offshore")},
        {},
    ),
    "INDDEM": ForecastSet("demand", "indicated_demand", _NATIONAL_ONLY),
    "INDGEN": ForecastSet("generation", "indicated_generation", _NATIONAL_ONLY),
    "IMBALNGC": ForecastSet("imbalance", "indicated_imbalance", _NATIONAL_ONLY),
    "MELNGC": ForecastSet("margin", "indicated_margin", _NATIONAL_ONLY),
}  # fmt: skip


def fetch_forecasts(client: HttpClient, first: date, last: date) -> list[Answer]:
    """One answer a data set: everything published on the settlement dates `first` to `last`, at most six.

    Errors as `HttpClient.get`; RejectedAnswerError when an answer holds publications of other times.
    """
    start, end = settlement_day_bounds_utc(first)[0], settlement_day_bounds_utc(last)[1] - timedelta(seconds=1)
    window = {"publishDateTimeFrom": utc_text(start), "publishDateTimeTo": utc_text(end), "format": "json"}
    answers = []
    for name, known in FORECAST_SETS.items():
        url = f"{base_url(client)}/datasets/{name}"
        answer = get_json(client, url, {**window, **known.params}, f"{_WHAT} {name} of {first} to {last}")
        _check_window(answer, name, start, end)
        answers.append(answer)
    return answers


def parse_forecasts(content: bytes) -> pd.DataFrame:
    """Rows of `market/fundamental_forecast` from one answer, of whatever data sets it holds.

    An empty list gives no row: a series that published nothing in a window is no fault, and days are
    judged over all series. Rows without a value (null) say nothing and are left out. Raises
    PayloadError when a row is not in the documented form or two rows of one publication disagree.
    """
    try:
        rows = published_rows(content, _WHAT)
    except NotPublishedError:
        return empty_frame(TABLE)
    frame = pd.DataFrame(rows)
    names = _names(frame)
    parts = [_of_set(name, frame[names == name]) for name in sorted(set(names))]
    return without_repeats(pd.concat(parts, ignore_index=True), ["series", "published_utc", "start_utc"], _WHAT)


def _check_window(answer: Answer, name: str, start: datetime, end: datetime) -> None:
    """Refuses an answer with publications of other times; it is kept for inspection."""
    stamps = sorted({stamp.decode("ascii", "replace") for stamp in _PUBLISHED.findall(answer.content)})
    found = pd.to_datetime(pd.Series(stamps, dtype="str"), utc=True, errors="coerce", format="ISO8601")
    outside = [stamp for stamp, instant in zip(stamps, found, strict=True) if not start <= instant <= end]
    if outside:
        asked = f"{utc_text(start)} to {utc_text(end)}"
        raise RejectedAnswerError(
            f"{_WHAT} {name}: asked for publications of {asked}, answered with {quoted(outside[0])}", answer
        )


def _names(frame: pd.DataFrame) -> pd.Series:
    """The data set of each row."""
    names = frame["dataset"] if "dataset" in frame else pd.Series(None, index=frame.index, dtype="object")
    if "psrType" in frame:
        names = names.where(names.notna() | frame["psrType"].isna(), "DGWS")
    unknown = [name for name in names if not isinstance(name, str) or name not in FORECAST_SETS]
    if unknown:
        raise PayloadError(f"{_WHAT}: rows of an unknown data set: {quoted(unknown[0])}")
    return names


def _of_set(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    known = FORECAST_SETS[name]
    what = f"{_WHAT} {name}"
    by_type = () if isinstance(known.series, str) else ("psrType", "processType")
    _require(frame, ("publishTime", "startTime", known.field, *by_type), what)
    if "boundary" in frame:
        frame = frame[frame["boundary"].isna() | (frame["boundary"] == NATIONAL)]
    if by_type:
        frame = frame[frame["processType"].astype("str").str.lower() == DAY_AHEAD_PROCESS]
    frame = frame[frame[known.field].notna()]
    result = pd.DataFrame({
        "series": _series(frame, known, what),
        "published_utc": _instants(frame["publishTime"], what, "publishTime"),
        "start_utc": _instants(frame["startTime"], what, "startTime"),
        "value": _numbers(frame[known.field], what, known.field),
    })  # fmt: skip
    _check_periods(frame, result["start_utc"], what)
    return result.assign(unit=text_column(["MW"] * len(result)).to_numpy()).reset_index(drop=True)


def _require(frame: pd.DataFrame, names: Sequence[str], what: str) -> None:
    absent = [name for name in names if name not in frame or frame[name].isna().all()]
    if absent and len(frame):
        raise PayloadError(f"{what}: rows have no field {absent[0]} (renamed or dropped by the provider?)")


def _series(frame: pd.DataFrame, known: ForecastSet, what: str) -> pd.Series:
    if isinstance(known.series, str):
        return pd.Series(known.series, index=frame.index, dtype="str")
    series = frame["psrType"].astype("str").str.lower().map(known.series)
    if series.isna().any():
        raise PayloadError(f"{what}: unknown psrType {quoted(frame.loc[series.isna(), 'psrType'].iloc[0])}")
    return series.astype("str")


def _instants(column: pd.Series, what: str, name: str) -> pd.Series:
    """Zone-aware instants; few distinct ones are parsed once each."""
    codes, found = pd.factorize(np.array([str(value) for value in column], dtype=object))  # whatever came in its place
    distinct = pd.Series(found, dtype="str")
    parsed = pd.to_datetime(distinct, utc=True, errors="coerce", format="ISO8601").dt.as_unit("us")
    wrong = parsed.isna() | ~distinct.str.contains(_ZONED, regex=True)
    if wrong.any():
        raise PayloadError(f"{what}: {name} is not a time stamp with its zone: {quoted(distinct[wrong].iloc[0])}")
    return pd.Series(pd.DatetimeIndex(parsed).take(codes), index=column.index)


def _numbers(column: pd.Series, what: str, name: str) -> pd.Series:
    """Numbers, given as numbers; a text or a truth value is none."""
    plain = column.map(lambda value: isinstance(value, int | float) and not isinstance(value, bool))
    values = pd.to_numeric(column.where(plain.astype(bool)), errors="coerce").astype("float64")
    wrong = ~np.isfinite(values)
    if wrong.any():
        raise PayloadError(f"{what}: {name} is not a finite number: {quoted(column[wrong].iloc[0])}")
    return values


def _check_periods(frame: pd.DataFrame, start_utc: pd.Series, what: str) -> None:
    """Settlement date and period, where a row has them, are those of its start."""
    if not {"settlementDate", "settlementPeriod"} <= set(frame.columns) or frame.empty:
        return
    given = frame["settlementDate"].notna() & frame["settlementPeriod"].notna()
    said = frame.loc[given, ["settlementDate", "settlementPeriod"]].map(str).assign(start_utc=start_utc[given])
    distinct = said.drop_duplicates()  # few: every publication forecasts much the same half-hours
    clock = settlement_columns(distinct["start_utc"])
    same = (clock["settlement_date"].astype("str") == distinct["settlementDate"]) & (
        clock["settlement_period"] == pd.to_numeric(distinct["settlementPeriod"], errors="coerce")
    )
    if not same.all():
        row = frame.loc[same.index[~same][0]]
        named = f"{row['settlementDate']} period {row['settlementPeriod']}"
        raise PayloadError(f"{what}: {quoted(named)} does not start at {quoted(row['startTime'])}")
