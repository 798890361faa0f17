"""Recorded tables read from a folder, one sentence for each mistake, and what is published when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from bess_pipeline.errors import UserInputError
from bess_pipeline.sample_dates import FIRST_DATE, LAST_DATE, NOW_UTC
from bess_pipeline.sample_market import MarketTables, load_tables


@pytest.fixture
def folder(market: MarketTables, tmp_path: Path) -> Path:
    market.system_price.head(96).to_parquet(tmp_path / "system_price.parquet")
    market.market_index.head(96).to_parquet(tmp_path / "market_index.parquet")
    market.response_auction.head(72).to_parquet(tmp_path / "response_auction.parquet")
    return tmp_path


def test_recorded_tables_come_back_as_they_are(folder: Path, market: MarketTables) -> None:
    tables = load_tables(folder)
    assert (tables.origin, tables.day_ahead_leg, tables.now_utc) == ("recorded", "elexon_mid", None)
    assert (tables.first_date, tables.last_date) == (FIRST_DATE, date(2025, 11, 2))
    pd.testing.assert_frame_equal(tables.market_index, market.market_index.head(96), check_exact=True)
    assert tables.published() is tables


def test_a_day_ahead_series_becomes_the_day_ahead_leg(folder: Path, market: MarketTables) -> None:
    assert market.day_ahead is not None
    market.day_ahead.head(48).to_parquet(folder / "day_ahead.parquet")
    tables = load_tables(folder)
    assert tables.day_ahead_leg == "neso_n2ex"
    assert tables.day_ahead is not None
    assert len(tables.day_ahead) == 48


def test_real_tables_are_read(recorded: MarketTables) -> None:
    assert (recorded.first_date, recorded.last_date) == (date(2023, 7, 1), date(2025, 3, 31))
    assert len(recorded.system_price) == 30_720
    assert len(recorded.response_auction) == 22_998


def one_sentence(error: pytest.ExceptionInfo[UserInputError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


def test_missing_folder_file_and_column_are_named(folder: Path) -> None:
    with pytest.raises(UserInputError) as error:
        load_tables(folder / "nowhere")
    assert "nowhere" in one_sentence(error)
    frame = pd.read_parquet(folder / "market_index.parquet")
    frame.drop(columns="market_index_price_gbp_mwh").to_parquet(folder / "market_index.parquet")
    with pytest.raises(UserInputError) as error:
        load_tables(folder)
    assert "market_index.parquet has no column market_index_price_gbp_mwh" in one_sentence(error)
    (folder / "market_index.parquet").unlink()
    with pytest.raises(UserInputError) as error:
        load_tables(folder)
    assert "market_index.parquet does not exist" in one_sentence(error)


def test_a_file_that_is_no_parquet_and_naive_times_are_refused(folder: Path) -> None:
    frame = pd.read_parquet(folder / "system_price.parquet")
    frame.assign(start_utc=frame["start_utc"].dt.tz_localize(None)).to_parquet(folder / "system_price.parquet")
    with pytest.raises(UserInputError, match="start_utc carries no time zone"):
        load_tables(folder)
    frame.assign(settlement_date="2026-01-01").to_parquet(folder / "system_price.parquet")
    with pytest.raises(UserInputError, match="settlement_date does not hold plain dates"):
        load_tables(folder)
    (folder / "system_price.parquet").write_bytes(b"not parquet")
    with pytest.raises(UserInputError) as error:
        load_tables(folder)
    assert "cannot be read as Parquet" in one_sentence(error)


@pytest.mark.parametrize(
    ("now", "last_system", "last_index", "last_day_ahead", "last_response"),
    [
        (NOW_UTC, "2026-04-12T07:00Z", "2026-04-12T08:00Z", "2026-04-12T21:00Z", "2026-04-12T18:00Z"),
        ("2026-04-12T09:00Z", "2026-04-12T07:30Z", "2026-04-12T08:30Z", "2026-04-13T21:00Z", "2026-04-12T18:00Z"),
        ("2026-04-12T08:59Z", "2026-04-12T07:00Z", "2026-04-12T08:00Z", "2026-04-12T21:00Z", "2026-04-12T18:00Z"),
        ("2026-04-12T14:00Z", "2026-04-12T12:30Z", "2026-04-12T13:30Z", "2026-04-13T21:00Z", "2026-04-13T18:00Z"),
        # results of the 23-hour day 2026-03-29 come out at 10:00 and 15:00 GMT on the day before
        ("2026-03-28T15:00Z", "2026-03-28T13:30Z", "2026-03-28T14:30Z", "2026-03-29T21:00Z", "2026-03-29T18:00Z"),
        # and those of the 30th at 10:00 and 15:00 BST, which is 09:00 and 14:00 UTC
        ("2026-03-29T14:00Z", "2026-03-29T12:30Z", "2026-03-29T13:30Z", "2026-03-30T21:00Z", "2026-03-30T18:00Z"),
    ],
)
def test_only_what_was_out_by_now_is_published(
    market: MarketTables, now: object, last_system: str, last_index: str, last_day_ahead: str, last_response: str
) -> None:
    instant = now if isinstance(now, datetime) else pd.Timestamp(str(now)).to_pydatetime()
    cut = replace(market, now_utc=instant.astimezone(UTC)).published()
    assert cut.day_ahead is not None
    assert cut.system_price["start_utc"].max() == pd.Timestamp(last_system)
    assert cut.market_index["start_utc"].max() == pd.Timestamp(last_index)
    assert cut.day_ahead["start_utc"].max() == pd.Timestamp(last_day_ahead)
    assert cut.response_auction["delivery_start_utc"].max() == pd.Timestamp(last_response)
    assert cut.system_price["start_utc"].min() == market.system_price["start_utc"].min()


def test_nothing_is_published_before_the_market_begins(market: MarketTables) -> None:
    cut = replace(market, now_utc=datetime(2025, 1, 1, tzinfo=UTC)).published()
    assert cut.system_price.empty
    assert cut.response_auction.empty
    assert market.last_date == LAST_DATE
