"""Elexon's forecast data sets as the sample market speaks them: WINDFOR, NDF, DGWS and the indicated data.

What belongs here: their paths, parameters and fields (Elexon Insights OpenAPI document, recorded
answers). What does not: the forecasts (`forecasts.py`) and other Elexon paths (`wire_elexon.py`).

Both ends of `publishDateTimeFrom` and `publishDateTimeTo` are included; without either, under whatever
name it was meant, the answer is the latest publication. A market without forecasts answers with an
empty list.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd

from bess_pipeline.gb_time import settlement_columns
from bess_pipeline.sample_market.reply import Query, Reply, first, json_reply

DATASETS = "/datasets/"
STREAM = "/stream"
VALUE_FIELDS = {
    "WINDFOR": "generation",
    "NDF": "demand",
    "DGWS": "quantity",
    "INDDEM": "demand",
    "INDGEN": "generation",
    "IMBALNGC": "imbalance",
    "MELNGC": "margin",
}
WITHOUT_PERIOD = frozenset({"WINDFOR"})
WITHOUT_BOUNDARY = frozenset({"WINDFOR", "DGWS"})
RANGE_CAP = timedelta(days=7)


class ForecastWire:
    """Answers the forecast data sets from published forecasts (`forecasts.COLUMNS`, or None)."""

    def __init__(self, forecasts: pd.DataFrame | None) -> None:
        self._sets: dict[str, pd.DataFrame] = {}
        if forecasts is not None:
            frame = forecasts.assign(**_texts(forecasts["start_utc"]))
            self._sets = {str(name): rows.reset_index(drop=True) for name, rows in frame.groupby("dataset")}

    def reply(self, path: str, query: Query) -> Reply | None:
        """The answer to a path without the `/bmrs/api/v1` prefix, or None where it is another data set's."""
        streamed = path.endswith(STREAM)
        name = path.removeprefix(DATASETS).removesuffix(STREAM) if path.startswith(DATASETS) else ""
        if name not in VALUE_FIELDS:
            return None
        window = _instant(first(query, "publishDateTimeFrom")), _instant(first(query, "publishDateTimeTo"))
        if not streamed and window[0] and window[1] and window[1] - window[0] > RANGE_CAP:
            problem = "The date range between From and To inclusive must not exceed 7 days"
            return json_reply({"status": 400, "errors": {"": [problem]}}, status=400)
        rows = self._rows(name, *window)
        return json_reply(rows) if streamed else json_reply({"data": rows})

    def _rows(self, name: str, begin: datetime | None, end: datetime | None) -> list[dict[str, object]]:
        frame = self._sets.get(name)
        if frame is None:
            return []
        published = pd.DatetimeIndex(frame["published_utc"])
        if begin is None or end is None:
            begin = end = published[-1].to_pydatetime()
        low, high = published.searchsorted(pd.Timestamp(begin)), published.searchsorted(pd.Timestamp(end), side="right")
        return _answer(name, frame.iloc[low:high])


def _answer(name: str, rows: pd.DataFrame) -> list[dict[str, object]]:
    texts = {instant: f"{instant:%Y-%m-%dT%H:%M:%SZ}" for instant in rows["published_utc"].unique()}
    columns: dict[str, list[object]] = {
        "dataset": [name] * len(rows),
        VALUE_FIELDS[name]: [int(value) for value in rows["value"]],
        "publishTime": [texts[instant] for instant in rows["published_utc"]],
        "startTime": rows["start_text"].tolist(),
    }
    if name not in WITHOUT_PERIOD:
        columns |= {"settlementDate": rows["date_text"].tolist(), "settlementPeriod": rows["period"].tolist()}
    if name not in WITHOUT_BOUNDARY:
        columns["boundary"] = ["N"] * len(rows)
    if name == "DGWS":
        columns |= {"processType": ["Day ahead"] * len(rows), "businessType": ["Wind generation"] * len(rows)}
        columns["psrType"] = rows["psr_type"].tolist()
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _texts(start_utc: pd.Series) -> dict[str, pd.Series]:
    """Start, settlement date and period of each row as Elexon writes them; few distinct starts are worked out."""
    starts = pd.Series(start_utc.unique())
    clock = settlement_columns(starts)
    known = {
        "start_text": starts.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "date_text": clock["settlement_date"].map(str),
        "period": clock["settlement_period"],
    }
    return {name: start_utc.map(dict(zip(starts, values, strict=True))) for name, values in known.items()}


def _instant(text: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        return None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
