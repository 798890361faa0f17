"""NESO's auction results: response and reserve, before and since the Enduring Auction Capability (EAC).

What belongs here: asking for deliveries and reading the two wire forms. What does not: which
resource holds them (`neso_resources.py`), CKAN itself (`ckan.py`), which product is expected when
(`auction_eras.py`), payments (`ancillary/`) and completeness of a day (`ingestion/datasets.py`).

Rules (domain reference 1.3, 4.2, 4.3): EAC times are naive UTC; the block auctions before
2023-11-02T23:00Z have other columns and London clock times, and their rows also say their EFA day and
block, which must agree. Response windows are EFA blocks of 3, 4 or 5 hours, reserve windows
settlement half-hours. Rows are keyed on product and delivery start, never on a derived date and
block. Negative prices are valid.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from bess_pipeline.errors import NotPublishedError, PayloadError
from bess_pipeline.gb_time import LONDON, efa_block_bounds_utc, efa_block_of, efa_columns
from bess_pipeline.sources import ckan
from bess_pipeline.sources.auction_eras import AUCTION_PRODUCTS, EAC_START_UTC, RESPONSE_PRODUCTS
from bess_pipeline.sources.http import Answer, HttpClient
from bess_pipeline.sources.neso_resources import BLOCK_RESOURCE, resources_holding
from bess_pipeline.sources.parsing import (
    calendar_date,
    field,
    instant,
    optional_number,
    quoted,
    text,
    text_column,
    utc_column,
    utc_text,
    whole_number,
    without_repeats,
)

_WHAT = "NESO auction results"
_EAC_COLUMNS = (
    "auctionID",
    "auctionProduct",
    "serviceType",
    "deliveryStart",
    "deliveryEnd",
    "clearedVolume",
    "clearingPrice",
)
_BLOCK_COLUMNS = ("Service", "EFA Date", "Delivery Start", "Delivery End", "EFA", "Cleared Volume", "Clearing Price")
_HALF_HOUR = pd.Timedelta(minutes=30)

_Row = tuple[str, datetime, datetime, float, float]


def fetch_auction_results(
    client: HttpClient, start_utc: datetime, end_utc: datetime, page_rows: int = ckan.PAGE_ROWS
) -> list[Answer]:
    """Pages of the results summaries for deliveries that start in [start_utc, end_utc), all products.

    Raises NotPublishedError when nothing is there; other errors as `HttpClient.get`. Pages of two
    resources may overlap: join the parsed frames with `parsing.combine`.
    """
    answers: list[Answer] = []
    if start_utc < EAC_START_UTC:
        end = min(end_utc, EAC_START_UTC)
        query = _query(BLOCK_RESOURCE, _BLOCK_COLUMNS, "Delivery Start", _london(start_utc), _london(end))
        answers += ckan.pages(client, query, _WHAT, page_rows)
    if end_utc > EAC_START_UTC:
        first = max(start_utc, EAC_START_UTC)
        for resource in resources_holding(client, first, end_utc):
            query = _query(resource.id, _EAC_COLUMNS, "deliveryStart", ckan.naive(first), ckan.naive(end_utc))
            answers += ckan.pages(client, query, _WHAT, page_rows, may_be_absent=resource.may_be_absent)
    if not answers:
        raise NotPublishedError(f"{_WHAT}: none published yet for {utc_text(start_utc)} to {utc_text(end_utc)}")
    return answers


def parse_auction_results(content: bytes, products: frozenset[str] = AUCTION_PRODUCTS) -> pd.DataFrame:
    """Rows of `market/auction_clearing` (GBP/MW/h, MW) for `products`, from a SQL answer or NESO's CSV.

    Both forms are read, row by row. A null price stays null, with volume 0. Raises NotPublishedError
    when no row of `products` is there, PayloadError when a response window is not its EFA block or a
    reserve window no settlement half-hour, a price or volume is missing where the other is not, or
    rows of one product and start disagree.
    """
    rows = [row for record in ckan.records(content, _WHAT) if (row := _row(record, products)) is not None]
    if not rows:
        raise NotPublishedError(f"{_WHAT}: nothing published yet for {', '.join(sorted(products))}")
    product, start, end, price, volume = zip(*rows, strict=True)
    frame = pd.DataFrame({"product": text_column(product), "delivery_start_utc": utc_column(start)})
    frame["delivery_end_utc"] = utc_column(end)
    frame = pd.concat([frame, efa_columns(frame["delivery_start_utc"])], axis=1)
    frame["clearing_price_gbp_mw_h"] = np.array(price, dtype=float)
    frame["cleared_volume_mw"] = np.array(volume, dtype=float)
    frame = without_repeats(frame, ["product", "delivery_start_utc"], _WHAT)
    _check_response_windows(frame[frame["product"].isin(RESPONSE_PRODUCTS)])
    _check_reserve_windows(frame[~frame["product"].isin(RESPONSE_PRODUCTS)])
    return frame


def _query(resource_id: str, columns: tuple[str, ...], start_column: str, first: str, end: str) -> str:
    named = ", ".join(f'"{name}"' for name in columns)
    return f'SELECT {named} FROM "{resource_id}" WHERE "{start_column}" >= \'{first}\' AND "{start_column}" < \'{end}\''


def _row(record: Mapping[str, object], products: frozenset[str]) -> _Row | None:
    if "Service" in record:
        product, read = text(record, "Service", _WHAT), _block_row
    else:
        product, read = text(record, "auctionProduct", _WHAT), _eac_row
    return read(record, product) if product in products else None


def _eac_row(record: Mapping[str, object], product: str) -> _Row:
    start, end = (instant(record, name, _WHAT, naive_is_utc=True) for name in ("deliveryStart", "deliveryEnd"))
    return product, start, end, *_cleared(record, "clearingPrice", "clearedVolume", product, start)


def _block_row(record: Mapping[str, object], product: str) -> _Row:
    start, end = (_london_instant(record, name) for name in ("Delivery Start", "Delivery End"))
    said = calendar_date(record, "EFA Date", _WHAT), whole_number(record, "EFA", _WHAT)
    if said != efa_block_of(start):
        day, block = efa_block_of(start)
        raise PayloadError(
            f"{_WHAT}: {product} at {utc_text(start)} says EFA day {said[0]} block {said[1]}, and its London time "
            f"makes it {day} block {block}"
        )
    return product, start, end, *_cleared(record, "Clearing Price", "Cleared Volume", product, start)


def _cleared(
    record: Mapping[str, object], price_name: str, volume_name: str, product: str, start: datetime
) -> tuple[float, float]:
    """Price and volume; a price may be absent only where nothing cleared."""
    field(record, price_name, _WHAT)
    field(record, volume_name, _WHAT)
    price, volume = (optional_number(record, name, _WHAT) for name in (price_name, volume_name))
    if np.isnan(price) and (np.isnan(volume) or volume == 0):
        return price, 0.0
    if np.isnan(price) or np.isnan(volume):
        raise PayloadError(f"{_WHAT}: {product} at {utc_text(start)} has price {price} and volume {volume}")
    return price, volume


def _london_instant(record: Mapping[str, object], name: str) -> datetime:
    """A naive London clock time; EFA blocks begin at hours that no clock change repeats."""
    value = instant(record, name, _WHAT, naive_is_utc=True)
    if datetime.fromisoformat(str(record[name])).tzinfo is not None:
        raise PayloadError(f"{_WHAT}: {name} is London clock time and carries a zone: {quoted(record[name])}")
    return value.replace(tzinfo=LONDON).astimezone(UTC)


def _london(when: datetime) -> str:
    return when.astimezone(LONDON).strftime("%Y-%m-%dT%H:%M:%S")


def _check_response_windows(response: pd.DataFrame) -> None:
    columns = ["efa_date", "efa_block", "delivery_start_utc", "delivery_end_utc"]
    for day, block, start, end in response[columns].drop_duplicates().itertuples(index=False):
        expected = efa_block_bounds_utc(day, block)
        if (start, end) != expected:
            raise PayloadError(
                f"{_WHAT}: a response window {utc_text(start)} to {utc_text(end)} is not its EFA block "
                f"{block} of {day}, {utc_text(expected[0])} to {utc_text(expected[1])}"
            )


def _check_reserve_windows(reserve: pd.DataFrame) -> None:
    start, end = reserve["delivery_start_utc"], reserve["delivery_end_utc"]
    wrong = reserve[(end - start != _HALF_HOUR) | (start != start.dt.floor("30min"))]
    if not wrong.empty:
        row = wrong.iloc[0]
        window = f"{utc_text(row['delivery_start_utc'])} to {utc_text(row['delivery_end_utc'])}"
        raise PayloadError(f"{_WHAT}: a {row['product']} window {window} is not a settlement half-hour")
