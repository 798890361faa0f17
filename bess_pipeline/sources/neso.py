"""NESO's data portal (CKAN): response auction results and N2EX day-ahead prices.

What belongs here: finding the right resource, paging, and the two wire forms (SQL answer, CSV).
What does not: payments (`ancillary/`) and completeness of a day (`ingestion/datasets.py`).

Rules (domain reference 4; neso.energy data portal and api-guidance): auction times are naive UTC;
numbers come back from SQL as text; at most 32,000 rows a request, so pages are asked for until one is short; a
new archive resource appears each April, the current one holds only the current financial year.
Response windows are EFA blocks of 3, 4 or 5 hours; rows are keyed on product and delivery start,
never on a derived date and block. Negative prices are valid.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from bess_pipeline.errors import NotPublishedError, PayloadError, SourceError
from bess_pipeline.gb_time import efa_block_bounds_utc, efa_columns, efa_day_bounds_utc
from bess_pipeline.sources.http import Answer, HttpClient
from bess_pipeline.sources.pacing import NESO_CKAN_PACE, NESO_DATASTORE_PACE
from bess_pipeline.sources.parsing import (
    calendar_date,
    field,
    half_hour_prices,
    instant,
    load_json,
    number,
    optional_number,
    quoted,
    rows_of,
    text,
    text_column,
    utc_column,
    utc_text,
    with_settlement_columns,
    without_repeats,
)

RESPONSE_PRODUCTS = frozenset({"DCL", "DCH", "DML", "DMH", "DRL", "DRH"})
EAC_START_UTC = datetime(2023, 11, 2, 23, tzinfo=UTC)
EAC_PACKAGE = "eac-auction-results"
N2EX_RESOURCE = "4f27eea5-7038-4f73-9740-e3e4ad47c26a"
N2EX_LABEL_ZONE = "UTC"  # inferred (24 rows every day, clock changes included), not documented: a parameter
PAGE_ROWS = 32_000
_CURRENT_SUMMARY = "596f29ac-0387-4ba4-a6d3-95c243140707"
_FIRST_ARCHIVE = "be5c6b0d-a335-4859-93f2-389585b4e9a1"
_STATUSES = frozenset({200, 400, 404, 409})  # CKAN explains a refused query in the body of these
_AUCTION_COLUMNS = ("auctionProduct", "deliveryStart", "deliveryEnd", "clearedVolume", "clearingPrice")
_AUCTIONS = "NESO auction results"
_N2EX = "NESO N2EX day-ahead prices"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_RANGE = re.compile(r"([a-z]{3})[a-z]*[ -]*(20\d\d)\b.*?([a-z]{3})[a-z]*[ -]*(20\d\d)\b")
_FISCAL_YEARS = re.compile(r"(20\d\d)(?:\s*[-/\u2013]\s*(?:20)?(\d\d)(?!\d))?")
_PERIOD = re.compile(r"(\d\d):00\s*-\s*(\d\d):00")


@dataclass(frozen=True)
class SummaryResource:
    """A results-summary resource and the deliveries it holds, [start_utc, end_utc)."""

    id: str
    start_utc: datetime
    end_utc: datetime


# --- response auction results -----------------------------------------------------------------


def fetch_response_results(
    client: HttpClient, start_utc: datetime, end_utc: datetime, page_rows: int = PAGE_ROWS
) -> list[Answer]:
    """Pages of the results summary for deliveries that start in [start_utc, end_utc), all products.

    Raises NotPublishedError when nothing is there, or when the window ends before the Enduring
    Auction Capability began; other errors as `HttpClient.get`. Pages of two resources may overlap:
    join the parsed frames with `parsing.combine`.
    """
    if end_utc <= EAC_START_UTC:
        raise NotPublishedError(
            f"{_AUCTIONS}: {utc_text(start_utc)} to {utc_text(end_utc)} lies before EAC, whose results begin at "
            f"{utc_text(EAC_START_UTC)}: ask for later days"
        )
    resources = [r for r in _summary_resources(client) if r.start_utc < end_utc and start_utc < r.end_utc]
    columns = ", ".join(f'"{name}"' for name in ("auctionID", "auctionProduct", "serviceType", *_AUCTION_COLUMNS[1:]))
    answers = []
    for resource in resources:
        query = (
            f'SELECT {columns} FROM "{resource.id}" '
            f"WHERE \"deliveryStart\" >= '{_naive(start_utc)}' AND \"deliveryStart\" < '{_naive(end_utc)}'"
        )
        answers += _pages(client, query, _AUCTIONS, page_rows)
    if not answers:
        raise NotPublishedError(f"{_AUCTIONS}: none published yet for {utc_text(start_utc)} to {utc_text(end_utc)}")
    return answers


def parse_auction_results(content: bytes, products: frozenset[str] = RESPONSE_PRODUCTS) -> pd.DataFrame:
    """Rows of `market/auction_clearing` (GBP/MW/h, MW) for `products`, from a SQL answer or NESO's CSV.

    A null price stays null, with volume 0. Raises NotPublishedError when no row of `products` is
    there, PayloadError when a response window is not its EFA block, a price or volume is missing
    where the other is not, or rows of one product and start disagree.
    """
    records = _records(content, _AUCTIONS)
    rows = [_auction(row) for row in records if text(row, "auctionProduct", _AUCTIONS) in products]
    if not rows:
        raise NotPublishedError(f"{_AUCTIONS}: nothing published yet for {', '.join(sorted(products))}")
    product, start, end, price, volume = zip(*rows, strict=True)
    frame = pd.DataFrame({"product": text_column(product), "delivery_start_utc": utc_column(start)})
    frame["delivery_end_utc"] = utc_column(end)
    frame = pd.concat([frame, efa_columns(frame["delivery_start_utc"])], axis=1)
    frame["clearing_price_gbp_mw_h"] = np.array(price, dtype=float)
    frame["cleared_volume_mw"] = np.array(volume, dtype=float)
    frame = without_repeats(frame, ["product", "delivery_start_utc"], _AUCTIONS)
    _check_windows(frame)
    return frame


def _auction(row: Mapping[str, object]) -> tuple[str, datetime, datetime, float, float]:
    start, end = (instant(row, name, _AUCTIONS, naive_is_utc=True) for name in ("deliveryStart", "deliveryEnd"))
    field(row, "clearingPrice", _AUCTIONS)
    field(row, "clearedVolume", _AUCTIONS)
    price, volume = (optional_number(row, name, _AUCTIONS) for name in ("clearingPrice", "clearedVolume"))
    if np.isnan(price) and (np.isnan(volume) or volume == 0):
        volume = 0.0
    elif np.isnan(price) or np.isnan(volume):
        where = f"{row['auctionProduct']} at {utc_text(start)}"
        raise PayloadError(f"{_AUCTIONS}: {where} has price {price} and volume {volume}")
    return str(row["auctionProduct"]), start, end, price, volume


def _check_windows(frame: pd.DataFrame) -> None:
    response = frame[frame["product"].isin(RESPONSE_PRODUCTS)]
    columns = ["efa_date", "efa_block", "delivery_start_utc", "delivery_end_utc"]
    for day, block, start, end in response[columns].drop_duplicates().itertuples(index=False):
        expected = efa_block_bounds_utc(day, block)
        if (start, end) != expected:
            raise PayloadError(
                f"{_AUCTIONS}: a response window {utc_text(start)} to {utc_text(end)} is not its EFA block "
                f"{block} of {day}, {utc_text(expected[0])} to {utc_text(expected[1])}"
            )


# --- which resource holds which deliveries -----------------------------------------------------


def _summary_resources(client: HttpClient) -> list[SummaryResource]:
    """Resources of the package, or the pinned ones when the portal's catalogue cannot be read."""
    url = f"{_base(client)}/api/3/action/package_show"
    try:
        answer = client.get("neso", url, {"id": EAC_PACKAGE}, accept_statuses=_STATUSES, pace=NESO_CKAN_PACE)
        found = resources_of(_result(answer.content, f"NESO package {EAC_PACKAGE}"))
    except SourceError:
        found = []
    return found or pinned_resources()


def resources_of(package: Mapping[str, object]) -> list[SummaryResource]:
    """Results-summary resources named in the `result` of `package_show`, archives first.

    An archive's span is read from its name: a range of months, or financial years (`FY2025`,
    `2025-26`: EFA days from 1 April). One without either may hold anything. The current resource
    begins where the last dated archive ends.
    """
    archives, current = [], []
    resources = package.get("resources")
    for resource in resources if isinstance(resources, list) else []:
        if not isinstance(resource, dict):
            continue
        name, identity = str(resource.get("name", "")).lower(), str(resource.get("id", ""))
        if not re.fullmatch(r"[0-9a-fA-F-]{36}", identity) or not _is_summary(name):
            continue
        if "archive" in name or _span(name):
            archives.append(SummaryResource(identity, *(_span(name) or (EAC_START_UTC, _april(2100)))))
        else:
            current.append(identity)
    ends = [archive.end_utc for archive in archives if archive.end_utc < _april(2100)]
    begin = max(ends, default=EAC_START_UTC)
    return archives + [SummaryResource(identity, begin, _april(2100)) for identity in current]


def pinned_resources() -> list[SummaryResource]:
    """The two resources known when this was written (domain reference 4.1)."""
    return [
        SummaryResource(_FIRST_ARCHIVE, EAC_START_UTC, _april(2025)),
        SummaryResource(_CURRENT_SUMMARY, _april(2025), _april(2100)),
    ]


def _is_summary(name: str) -> bool:
    return "summary" in name and not re.search(r"unit|order|daily", name)


def _span(name: str) -> tuple[datetime, datetime] | None:
    months = _MONTH_RANGE.search(name)
    if months and months[1] in _MONTHS and months[3] in _MONTHS:
        last = int(months[4]) * 12 + _MONTHS.index(months[3]) + 1
        first = date(int(months[2]), _MONTHS.index(months[1]) + 1, 1)
        return efa_day_bounds_utc(first)[0], efa_day_bounds_utc(date(last // 12, last % 12 + 1, 1))[0]
    years = _FISCAL_YEARS.search(name)
    if not years:
        return None
    last_year = 2000 + int(years[2]) if years[2] else int(years[1]) + 1
    return _april(int(years[1])), _april(max(last_year, int(years[1]) + 1))


def _april(year: int) -> datetime:
    """Start of the EFA day 1 April, where NESO's financial-year files are cut."""
    return efa_day_bounds_utc(date(year, 4, 1))[0]


# --- N2EX day-ahead prices ---------------------------------------------------------------------


def fetch_n2ex_prices(
    client: HttpClient,
    start_utc: datetime,
    end_utc: datetime,
    label_zone: str = N2EX_LABEL_ZONE,
    page_rows: int = PAGE_ROWS,
) -> list[Answer]:
    """Pages of N2EX rows whose `Date` (a day of `label_zone`) can touch [start_utc, end_utc).

    The product day runs from 23:00 to 23:00 London and so lies on two dates. Raises
    NotPublishedError when nothing is there; other errors as `HttpClient.get`.
    """
    zone = ZoneInfo(label_zone)
    first, last = start_utc.astimezone(zone).date(), (end_utc - timedelta(microseconds=1)).astimezone(zone).date()
    query = f"SELECT * FROM \"{N2EX_RESOURCE}\" WHERE \"Date\" >= '{first}' AND \"Date\" <= '{last}'"
    answers = _pages(client, query, _N2EX, page_rows)
    if not answers:
        raise NotPublishedError(f"{_N2EX}: none published yet for {first} to {last}")
    return answers


def parse_n2ex_prices(content: bytes, label_zone: str = N2EX_LABEL_ZONE) -> pd.DataFrame:
    """Rows of `market/day_ahead_price` (GBP/MWh), each hour repeated on its two half-hours.

    `label_zone` is the clock of the hour labels. Raises NotPublishedError when there is no row,
    PayloadError when a label is not an hour or two rows of one hour disagree.
    """
    zone = ZoneInfo(label_zone)
    rows = _records(content, _N2EX)
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


# --- CKAN ----------------------------------------------------------------------------------------


def _pages(client: HttpClient, query: str, what: str, page_rows: int) -> list[Answer]:
    """Answers of a query page by page, in the order of `_id`, until a short one; empty pages are left out."""
    url = f"{_base(client)}/api/3/action/datastore_search_sql"
    answers: list[Answer] = []
    offset = 0
    while True:
        sql = f'{query} ORDER BY "_id" LIMIT {page_rows} OFFSET {offset}'
        answer = client.get("neso", url, {"sql": sql}, accept_statuses=_STATUSES, pace=NESO_DATASTORE_PACE)
        result = _result(answer.content, what)
        records = field(result, "records", what)
        count = len(records) if isinstance(records, list) else 0
        if count:
            answers.append(answer)
        offset += count
        if count == 0 or (count < page_rows and result.get("records_truncated") is not True):
            return answers


def _records(content: bytes, what: str) -> list[Mapping[str, object]]:
    """Rows of a CKAN answer or of a CSV."""
    if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        return rows_of(field(_result(content, what), "records", what), what)
    return rows_of(_csv_rows(content, what), what)


def _result(content: bytes, what: str) -> Mapping[str, object]:
    """The `result` of a CKAN envelope; PayloadError with CKAN's own words when `success` is not true."""
    body = load_json(content, what)
    if not isinstance(body, dict) or body.get("success") is not True:
        error = body.get("error", "no reason given") if isinstance(body, dict) else "not a CKAN answer"
        raise PayloadError(f"{what}: NESO refused the query: {quoted(error)}")
    result = body.get("result")
    if not isinstance(result, dict):
        raise PayloadError(f"{what}: the answer has no result")
    return result


def _csv_rows(content: bytes, what: str) -> list[dict[str, str]]:
    try:
        rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error):
        rows = [{}]
    if any(None in row or None in row.values() for row in rows):
        rows = [{}]
    if rows and not rows[0]:
        raise PayloadError(f"{what}: the answer is neither JSON nor a whole CSV (truncated?)")
    return rows


def _base(client: HttpClient) -> str:
    return client.settings.neso_base_url.rstrip("/")


def _naive(when: datetime) -> str:
    """UTC without a zone, as the datastore keeps its time stamps."""
    return utc_text(when).removesuffix("Z")
