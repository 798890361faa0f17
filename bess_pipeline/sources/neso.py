"""NESO's data portal: N2EX day-ahead prices.

What belongs here: the wire form of the N2EX resource. What does not: CKAN itself (`ckan.py`),
auction results (`neso_auctions.py`) and completeness of a day (`ingestion/datasets.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd

from bess_pipeline.errors import NotPublishedError, PayloadError
from bess_pipeline.sources import ckan
from bess_pipeline.sources.http import Answer, HttpClient
from bess_pipeline.sources.parsing import (
    calendar_date,
    half_hour_prices,
    number,
    quoted,
    text,
    text_column,
    utc_column,
    with_settlement_columns,
    without_repeats,
)

N2EX_RESOURCE = "4f27eea5-7038-4f73-9740-e3e4ad47c26a"
N2EX_LABEL_ZONE = "UTC"  # inferred (24 rows every day, clock changes included), not documented: a parameter
_N2EX = "NESO N2EX day-ahead prices"
_PERIOD = re.compile(r"(\d\d):00\s*-\s*(\d\d):00")


def fetch_n2ex_prices(
    client: HttpClient,
    start_utc: datetime,
    end_utc: datetime,
    label_zone: str = N2EX_LABEL_ZONE,
    page_rows: int = ckan.PAGE_ROWS,
) -> list[Answer]:
    """Pages of N2EX rows whose `Date` (a day of `label_zone`) can touch [start_utc, end_utc).

    The product day runs from 23:00 to 23:00 London and so lies on two dates. Raises
    NotPublishedError when nothing is there; other errors as `HttpClient.get`.
    """
    zone = ZoneInfo(label_zone)
    first, last = start_utc.astimezone(zone).date(), (end_utc - timedelta(microseconds=1)).astimezone(zone).date()
    query = f'SELECT * FROM "{N2EX_RESOURCE}" WHERE "Date" >= \'{first}\' AND "Date" <= \'{last}\''
    answers = ckan.pages(client, query, _N2EX, page_rows)
    if not answers:
        raise NotPublishedError(f"{_N2EX}: none published yet for {first} to {last}")
    return answers


def parse_n2ex_prices(content: bytes, label_zone: str = N2EX_LABEL_ZONE) -> pd.DataFrame:
    """Rows of `market/day_ahead_price` (GBP/MWh), each hour repeated on its two half-hours.

    `label_zone` is the clock of the hour labels. Raises NotPublishedError when there is no row,
    PayloadError when a label is not an hour or two rows of one hour disagree.
    """
    zone = ZoneInfo(label_zone)
    rows = ckan.records(content, _N2EX)
    price_column = next((name for name in rows[0] if str(name).strip().lower().startswith("price")), "Price")
    hours = pd.DataFrame({
        "start_utc": utc_column([_hour_start(row, zone) for row in rows]),
        "price": [number(row, price_column, _N2EX) for row in rows],
    })  # fmt: skip
    hours = without_repeats(hours, ["start_utc"], _N2EX)
    frame = half_hour_prices(pd.DatetimeIndex(hours["start_utc"]), hours["price"].to_numpy(), 60)
    frame = with_settlement_columns(frame.rename(columns={"price": "day_ahead_price_gbp_mwh"}))
    return frame.assign(source=text_column(["neso_n2ex"] * len(frame)), native_resolution_minutes=60)


def _hour_start(row: Mapping[str, object], zone: ZoneInfo) -> datetime:
    day, label = calendar_date(row, "Date", _N2EX), text(row, "Delivery Period", _N2EX)
    hours = _PERIOD.fullmatch(label.strip())
    if not hours or int(hours[1]) > 23 or int(hours[2]) % 24 != (int(hours[1]) + 1) % 24:
        raise PayloadError(f"{_N2EX}: Delivery Period is not an hour such as 09:00 - 10:00: {quoted(label)}")
    return datetime(day.year, day.month, day.day, int(hours[1]), tzinfo=zone).astimezone(UTC)
