"""What each dataset is: who publishes it, how to ask for days, how to read them, and what complete means.

What belongs here: one `Dataset` per market table and the expected grid of a day. What does not:
running them (`ingest.py`), storing answers (`vault.py`) and wire formats (`sources/`).

Days are settlement dates. The day-ahead price is asked for and judged by its product day
(23:00 to 23:00 London, the EFA day), and stored by settlement date; the market index that may stand
in for it has no product day. An auction window belongs to the settlement date of its delivery start.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.errors import UserInputError
from bess_pipeline.ingestion.vault import RawVault
from bess_pipeline.settings import DayAheadSource, Mode, SourcesSettings, entsoe_token
from bess_pipeline.sources import elexon, entsoe, files, neso, neso_auctions
from bess_pipeline.sources.auction_eras import FIRST_BLOCK_EFA_DATE, expected_reserve, expected_response
from bess_pipeline.sources.http import Answer, HttpClient

ONE_DAY = timedelta(days=1)

Fetch = Callable[[HttpClient, date, date], list[Answer]]
Parse = Callable[[bytes], pd.DataFrame]
Grid = Callable[[date], pd.DataFrame]


class DayRows(Protocol):
    """Where the rows of a day come from."""

    def around(self, day: date) -> pd.DataFrame:
        """Rows of the table, those of `day` among them; BessError when the day's answers cannot be read."""

    def noticed(self, day: date) -> str:
        """What is odd about the answers behind `around(day)` and no fault, in words; mostly nothing."""


Rows = Callable[[RawVault, str | None], DayRows]


@dataclass(frozen=True)
class Dataset:
    """One market table and everything that is particular to it.

    `records` are the day offsets of raw records that may hold rows of a day; `grid` gives the key
    columns a complete day must have, judged over `records`; `chunk_days` bounds one ask; `file` is
    the user's own file that it reads, where it does. An answer fetched before `final_utc` of a day
    never completes it; `judged` picks the rows that count; `never_null` names columns that may be null
    in a row and not in all rows of a day. Where rows are not simply those of the day's own answers, `rows`
    gives them (of a vault, up to a mark of `RawVault.asks`), and `asked_under` the days under which the
    answers are kept that a day is made of.
    """

    table: str
    raw: str
    source: str
    fetch: Fetch
    parse: Parse
    grid: Grid
    partition_start: str
    records: tuple[int, ...] = (0,)
    chunk_days: int = 1
    first_day: date = date(2000, 1, 1)
    own_raw: bool = True
    file: Path | None = None
    opens_utc: Callable[[date], datetime] = lambda day: gb_time.settlement_day_bounds_utc(day)[0]
    due_utc: Callable[[date], datetime] = lambda day: gb_time.settlement_day_bounds_utc(day)[1]
    final_utc: Callable[[date], datetime] = lambda day: datetime.min.replace(tzinfo=UTC)
    judged: Callable[[pd.DataFrame, date], pd.DataFrame] = lambda rows, day: rows
    never_null: tuple[str, ...] = ()
    rows: Rows | None = None
    asked_under: Callable[[date], Sequence[date]] = lambda day: (day,)


def _settlement_grid(day: date) -> pd.DataFrame:
    return pd.DataFrame({"start_utc": gb_time.settlement_half_hours(day)})


def _product_day_grid(day: date) -> pd.DataFrame:
    return pd.DataFrame({"start_utc": gb_time.efa_half_hours(day)})


def _auction_grid(day: date, reserve: Collection[str]) -> pd.DataFrame:
    """Windows that start on a settlement date: blocks 2 to 6 of that EFA day and block 1 of the next.

    Each has the response products of its own EFA day; `reserve` products have every half-hour.
    """
    blocks = [(day, block) for block in range(2, 7)] + [(day + ONE_DAY, 1)]
    rows = [
        (product, gb_time.efa_block_bounds_utc(efa_day, block)[0])
        for efa_day, block in blocks
        for product in expected_response(efa_day)
    ]
    half_hours = gb_time.settlement_half_hours(day) if reserve else ()
    rows += [
        (product, start.to_pydatetime())
        for start in half_hours
        for product in expected_reserve(gb_time.efa_date_of(start), reserve)
    ]
    frame = pd.DataFrame(rows, columns=["product", "delivery_start_utc"])
    frame["delivery_start_utc"] = pd.to_datetime(frame["delivery_start_utc"], utc=True).dt.as_unit("us")
    return frame


def _product_days_utc(first: date, last: date) -> tuple[datetime, datetime]:
    return gb_time.efa_day_bounds_utc(first)[0], gb_time.efa_day_bounds_utc(last)[1]


def _settlement_days_utc(first: date, last: date) -> tuple[datetime, datetime]:
    return gb_time.settlement_day_bounds_utc(first)[0], gb_time.settlement_day_bounds_utc(last)[1]


def day_ahead_published_utc(day: date) -> datetime:
    """N2EX results of product day D appear about 10:00 London on D-1 (domain reference, section 0)."""
    return gb_time.london_to_utc(day - ONE_DAY, pd.Timestamp("10:00").time())


def system_price() -> Dataset:
    """Elexon system prices, one answer a settlement date."""
    return Dataset(
        table="market/system_price",
        raw="raw/elexon_system_price",
        source="elexon",
        fetch=lambda client, first, last: elexon.fetch_system_prices(client, first),
        parse=elexon.parse_system_prices,
        grid=_settlement_grid,
        partition_start="start_utc",
    )


def market_index_price() -> Dataset:
    """Elexon market index (APXMIDP), at most six days an answer."""
    return Dataset(
        table="market/market_index_price",
        raw="raw/elexon_market_index",
        source="elexon",
        fetch=elexon.fetch_market_index,
        parse=elexon.parse_market_index,
        grid=_settlement_grid,
        partition_start="start_utc",
        chunk_days=6,
    )


def auction_clearing(expected_reserve_products: Collection[str] = ()) -> Dataset:
    """NESO auction results, response and reserve, before and since EAC.

    Reserve windows are stored where they are published; a day lacks one only when its product is
    among `expected_reserve_products`.
    """
    return Dataset(
        table="market/auction_clearing",
        raw="raw/neso_response_auction",
        source="neso",
        fetch=lambda client, first, last: neso_auctions.fetch_auction_results(
            client, *_settlement_days_utc(first, last)
        ),
        parse=neso_auctions.parse_auction_results,
        grid=lambda day: _auction_grid(day, expected_reserve_products),
        partition_start="delivery_start_utc",
        chunk_days=92,
        first_day=FIRST_BLOCK_EFA_DATE,
        never_null=("clearing_price_gbp_mw_h",),
    )


def _day_ahead(
    source: DayAheadSource,
    fetch: Fetch,
    parse: Parse,
    *,
    chunk_days: int,
    records: tuple[int, ...] = (-1, 0, 1),
    file: Path | None = None,
) -> Dataset:
    provider = {"neso_n2ex": "neso", "entsoe": "entsoe", "file": "file"}[source]
    return Dataset(
        table="market/day_ahead_price",
        raw="raw/day_ahead_price",
        source=provider,
        fetch=fetch,
        parse=parse,
        grid=_product_day_grid,
        partition_start="start_utc",
        records=records,
        chunk_days=chunk_days,
        file=file,
        opens_utc=day_ahead_published_utc,
        due_utc=day_ahead_published_utc,
    )


def market_index_standing_in() -> Dataset:
    """The day-ahead table from the raw answers of the market index: half-hours of settlement dates, not an auction."""
    return replace(
        market_index_price(),
        table="market/day_ahead_price",
        parse=lambda content: market_index_as_day_ahead(elexon.parse_market_index(content)),
        own_raw=False,
    )


def market_index_as_day_ahead(index: pd.DataFrame) -> pd.DataFrame:
    """The within-day index in the day-ahead table's columns, labelled `elexon_mid` in `source`."""
    frame = index[["settlement_date", "settlement_period", "start_utc"]].copy()
    frame["day_ahead_price_gbp_mwh"] = index["market_index_price_gbp_mwh"]
    frame["source"] = "elexon_mid"
    frame["native_resolution_minutes"] = 30
    return frame


def day_ahead_price(source: DayAheadSource, settings: SourcesSettings, *, offline: bool = False) -> Dataset:
    """The day-ahead leg from the chosen source; UserInputError when the choice lacks what asking it needs."""
    if source == "neso_n2ex":

        def fetch_n2ex(client: HttpClient, first: date, last: date) -> list[Answer]:
            return neso.fetch_n2ex_prices(client, *_product_days_utc(first, last))

        return _day_ahead(source, fetch_n2ex, neso.parse_n2ex_prices, chunk_days=366)
    if source == "entsoe":
        token = entsoe_token()
        if token is None and not offline:
            raise UserInputError(
                'day_ahead = "entsoe" needs a token: set ENTSOE_API_TOKEN, or use day_ahead = "neso_n2ex" '
                "(ENTSO-E carries no GB day-ahead price after 2020)"
            )

        def fetch_entsoe(client: HttpClient, first: date, last: date) -> list[Answer]:
            assert token is not None
            window = _product_days_utc(first, last)
            return entsoe.fetch_day_ahead(client, *window, settings.entsoe_zone_eic, token)

        return _day_ahead(source, fetch_entsoe, entsoe.parse_day_ahead, chunk_days=1)
    if source == "file":
        path = _price_file(settings.day_ahead_file, "day_ahead_file")
        return _day_ahead(
            source,
            lambda client, first, last: [files.read_file(path)],
            lambda content: files.to_half_hours(files.parse_price_csv(content, path.name)),
            chunk_days=100_000,
            file=path,
        )
    return market_index_standing_in()


def file_system_price(settings: SourcesSettings) -> Dataset:
    """System prices from the user's own CSV."""
    path = _price_file(settings.system_price_file, "system_price_file")
    return Dataset(
        table="market/system_price",
        raw="raw/elexon_system_price",
        source="file",
        fetch=lambda client, first, last: [files.read_file(path)],
        parse=lambda content: files.system_price_frame(files.parse_price_csv(content, path.name)),
        grid=_settlement_grid,
        partition_start="start_utc",
        chunk_days=100_000,
        file=path,
    )


def expected_datasets(
    mode: Mode, day_ahead: DayAheadSource, settings: SourcesSettings, *, offline: bool = False
) -> list[Dataset]:
    """The datasets a workspace of this mode and day-ahead source ingests; `offline`: to build, not to ask."""
    if mode == "files":
        if day_ahead != "file":
            raise UserInputError('mode = "files" reads prices from files: set day_ahead = "file" and day_ahead_file')
        chosen = [day_ahead_price("file", settings)]
        return chosen + ([file_system_price(settings)] if settings.system_price_file else [])
    auctions = auction_clearing(settings.expected_reserve_products)
    return [system_price(), market_index_price(), auctions, day_ahead_price(day_ahead, settings, offline=offline)]


def check_files(datasets: Sequence[Dataset]) -> None:
    """Read the user's own files once before anything is stored; UserInputError when one cannot be used."""
    for dataset in datasets:
        if dataset.file is not None:
            dataset.parse(files.read_file(dataset.file).content)


def missing_keys(dataset: Dataset, rows: pd.DataFrame, day: date) -> tuple[int, Sequence[str]]:
    """(expected rows, readable keys that a complete day has and `rows` lack)."""
    grid = dataset.grid(day)
    absent = grid[~among(grid, dataset.judged(rows, day), list(grid.columns))]
    return len(grid), [" ".join(_readable(value) for value in row) for row in absent.itertuples(index=False)]


def judged_span_utc(dataset: Dataset, day: date) -> tuple[datetime, datetime]:
    """[start, end) of what an outcome of `day` is about: the product day where neighbours' answers hold part of it."""
    bounds = gb_time.settlement_day_bounds_utc if len(dataset.records) == 1 else gb_time.efa_day_bounds_utc
    return bounds(day)


def among(frame: pd.DataFrame, rows: pd.DataFrame, keys: Sequence[str]) -> np.ndarray:
    """Boolean per row of `frame`: whether `rows` has a row with the same `keys`."""
    if len(keys) == 1:
        return frame[keys[0]].isin(rows[keys[0]]).to_numpy()
    return pd.MultiIndex.from_frame(frame[list(keys)]).isin(pd.MultiIndex.from_frame(rows[list(keys)]))


def _readable(value: object) -> str:
    return value.strftime("%Y-%m-%dT%H:%MZ") if isinstance(value, datetime) else str(value)


def _price_file(path: Path | None, setting: str) -> Path:
    if path is None:
        raise UserInputError(f"no price file is set: set [sources] {setting} to a CSV of start_utc, price_gbp_mwh")
    if not path.is_file():
        raise UserInputError(f"[sources] {setting}: there is no file {path}")
    return path
