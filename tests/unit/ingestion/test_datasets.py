"""What a complete day of each dataset is, and which datasets a workspace of a mode ingests."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from ingest_tools import dataset

from bess_pipeline.errors import UserInputError
from bess_pipeline.ingestion.datasets import (
    day_ahead_price,
    expected_datasets,
    market_index_as_day_ahead,
    missing_keys,
)
from bess_pipeline.sample_market import MarketTables
from bess_pipeline.settings import ENTSOE_TOKEN_VARIABLE, SourcesSettings

SPRING, AUTUMN, PLAIN = date(2026, 3, 29), date(2026, 10, 25), date(2026, 7, 1)
HALF_HOURLY = ["market/system_price", "market/market_index_price", "market/day_ahead_price"]


@pytest.mark.parametrize("table", HALF_HOURLY)
@pytest.mark.parametrize(("day", "periods"), [(SPRING, 46), (AUTUMN, 50), (PLAIN, 48)])
def test_a_complete_day_has_every_half_hour_of_the_gb_clock(table: str, day: date, periods: int) -> None:
    starts = dataset(table).grid(day)["start_utc"]
    assert len(starts) == periods
    assert starts.is_unique
    assert starts.diff().dropna().eq(pd.Timedelta(minutes=30)).all()
    shift = pd.Timedelta(hours=1) if table == "market/day_ahead_price" else pd.Timedelta(0)
    midnight = pd.Timestamp(day, tz="Europe/London") - shift
    assert starts.iloc[0] == midnight.tz_convert("UTC")


@pytest.mark.parametrize(
    ("day", "starts"),
    [
        (SPRING, ["02", "06", "10", "14", "18", "22"]),  # the 3 h block began on the day before
        (SPRING - timedelta(days=1), ["03", "07", "11", "15", "19", "23"]),
        (AUTUMN, ["03", "07", "11", "15", "19", "23"]),
        (PLAIN, ["02", "06", "10", "14", "18", "22"]),
    ],
)
def test_response_windows_belong_to_the_date_of_their_start(day: date, starts: list[str]) -> None:
    grid = dataset("market/auction_clearing").grid(day)
    assert len(grid) == 36
    assert set(grid["product"]) == {"DCL", "DCH", "DML", "DMH", "DRL", "DRH"}
    found = sorted(grid["delivery_start_utc"].unique())
    assert [f"{start:%Y-%m-%d %H:%M}" for start in found] == [f"{day} {hour}:00" for hour in starts]


def test_missing_rows_are_named_so_that_a_user_can_look_for_them() -> None:
    prices = dataset("market/system_price")
    rows = prices.grid(PLAIN).drop(index=[3, 40])
    assert missing_keys(prices, rows, PLAIN) == (48, ["2026-07-01T00:30Z", "2026-07-01T19:00Z"])
    auctions = dataset("market/auction_clearing")
    grid = auctions.grid(PLAIN)
    gone = (grid["product"] == "DRH") & (grid["delivery_start_utc"] == pd.Timestamp("2026-07-01T14:00Z"))
    assert missing_keys(auctions, grid[~gone], PLAIN) == (36, ["DRH 2026-07-01T14:00Z"])


@pytest.mark.parametrize("mode", ["live", "sample"])
def test_a_market_workspace_ingests_all_four_tables(mode: str) -> None:
    found = expected_datasets(mode, "neso_n2ex", SourcesSettings())  # type: ignore[arg-type]
    assert [one.table for one in found] == [
        "market/system_price", "market/market_index_price", "market/auction_clearing", "market/day_ahead_price",
    ]  # fmt: skip
    assert all(one.own_raw for one in found)


def test_the_index_standing_in_is_asked_for_once_and_labelled(market: MarketTables) -> None:
    stand_in, index = dataset("market/day_ahead_price", "elexon_mid"), dataset("market/market_index_price")
    assert stand_in.raw == index.raw
    assert not stand_in.own_raw
    frame = market_index_as_day_ahead(market.market_index)
    assert set(frame["source"]) == {"elexon_mid"}
    assert set(frame["native_resolution_minutes"]) == {30}
    assert frame["day_ahead_price_gbp_mwh"].tolist() == market.market_index["market_index_price_gbp_mwh"].tolist()


def test_entsoe_without_a_token_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # no .env of a developer
    with pytest.raises(UserInputError, match=ENTSOE_TOKEN_VARIABLE) as caught:
        day_ahead_price("entsoe", SourcesSettings())
    assert "no GB day-ahead price after 2020" in str(caught.value)
    assert "neso_n2ex" in str(caught.value)


def test_files_mode_needs_its_files(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match='day_ahead = "file"'):
        expected_datasets("files", "neso_n2ex", SourcesSettings())
    with pytest.raises(UserInputError, match="day_ahead_file"):
        expected_datasets("files", "file", SourcesSettings())
    absent = tmp_path / "absent.csv"
    with pytest.raises(UserInputError, match=r"absent\.csv"):
        expected_datasets("files", "file", SourcesSettings(day_ahead_file=absent))
    absent.write_text("start_utc,price_gbp_mwh\n")
    found = expected_datasets("files", "file", SourcesSettings(day_ahead_file=absent, system_price_file=absent))
    assert [one.table for one in found] == ["market/day_ahead_price", "market/system_price"]
