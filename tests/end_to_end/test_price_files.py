"""The user's own prices, end to end: `mode = "files"` without any market, and `day_ahead = "file"` beside one."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import small_workspace
from bess_command import done, run_bess

from bess_pipeline import gb_time
from bess_pipeline.warehouse import query

pytestmark = pytest.mark.slow
FIRST, LAST = date(2025, 3, 29), date(2025, 3, 31)  # the clock change of 2025-03-30 lies between
BACKFILL = ("--workspace", "own", "backfill", "--from", str(FIRST), "--to", str(LAST))


def day_ahead(start: datetime) -> float:
    """A price with one cheap and one dear time of day, which no market ever had."""
    clock = start.astimezone(gb_time.LONDON)
    return round(60 + 40 * math.sin((clock.hour - 8) * math.pi / 8) + clock.day / 10, 2)


def system(start: datetime) -> float:
    return day_ahead(start) - 7.5


def write_csv(path: str, step: timedelta, price: Callable[[datetime], float], last: date = LAST) -> None:
    """A price CSV from 12 days before the first trading day to the midnight that ends `last`."""
    start, end = gb_time.efa_day_bounds_utc(FIRST - timedelta(days=12))[0], gb_time.settlement_day_bounds_utc(last)[1]
    times = [start + step * n for n in range(round((end - start) / step))]
    rows = [f"{time:%Y-%m-%dT%H:%M:%SZ},{price(time)}" for time in times]
    Path(path).write_text("\n".join(["start_utc,price_gbp_mwh", *rows]) + "\n")


@pytest.fixture(autouse=True)
def own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory, a short history, and hourly day-ahead prices up to the last day but one."""
    monkeypatch.chdir(tmp_path)
    for name, value in small_workspace.CHEAP_FORECASTS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BESS_TRADING__HISTORY_DAYS", "7")
    monkeypatch.setenv("BESS_SOURCES__DAY_AHEAD", "file")
    monkeypatch.setenv("BESS_SOURCES__DAY_AHEAD_FILE", "day_ahead.csv")


def test_a_workspace_from_files_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    write_csv("day_ahead.csv", timedelta(hours=1), day_ahead, last=LAST - timedelta(days=1))
    write_csv("system.csv", timedelta(minutes=30), system)
    monkeypatch.setenv("BESS_SOURCES__MODE", "files")
    monkeypatch.setenv("BESS_SOURCES__SYSTEM_PRICE_FILE", "system.csv")

    short = run_bess(*BACKFILL)
    assert short.status == 1
    assert "2 of 3 days are complete" in short.err
    assert {line[:10] for line in short.out.splitlines()} == {str(LAST)}
    assert "market/day_ahead_price  refused: 46 of 48 missing: 2025-03-30T23:00Z" in short.out

    write_csv("day_ahead.csv", timedelta(hours=1), day_ahead)
    monkeypatch.delenv("BESS_SOURCES__MODE")
    whole = done(*BACKFILL)
    assert "day-ahead price: your file day_ahead.csv" in whole.err
    assert "3 of 3 days are complete" in whole.err
    _check_prices(Path("own/bess.duckdb"))
    _check_status_and_labels()
    assert "nothing to do: all 3 days are complete" in done(*BACKFILL).err


def _check_prices(database: Path) -> None:
    """Each half-hour of the three trading days has the file's price, the hourly one in both its halves."""
    bounds = [f"TIMESTAMPTZ '{gb_time.efa_day_bounds_utc(day)[n]}'" for n, day in ((0, FIRST), (1, LAST))]
    rows = query(
        database,
        "SELECT start_utc, day_ahead_price_gbp_mwh, source, native_resolution_minutes, system_price_gbp_mwh "
        "FROM market.day_ahead_price JOIN market.system_price USING (start_utc) "
        f"WHERE start_utc >= {bounds[0]} AND start_utc < {bounds[1]} ORDER BY start_utc",
    )
    assert len(rows) == 48 + 46 + 48
    assert set(rows["source"]) == {"file"}
    assert set(rows["native_resolution_minutes"]) == {60}
    for row in rows.itertuples():
        start = row.start_utc.to_pydatetime().astimezone(UTC)
        assert row.day_ahead_price_gbp_mwh == day_ahead(start.replace(minute=0))
        assert row.system_price_gbp_mwh == pytest.approx(system(start))


def _check_status_and_labels() -> None:
    status = done(
        "--workspace", "own", "query", "--json", "SELECT DISTINCT source, dataset, status FROM market.source_status"
    )
    assert sorted(row["dataset"] for row in status.json) == ["market/day_ahead_price", "market/system_price"]
    assert {(row["source"], row["status"]) for row in status.json} == {("file", "complete")}
    report = done("--workspace", "own", "report", "--json").json
    assert {row["days"] for row in report["pnl"]} == {3}
    assert all(row["after_wear_gbp"] > 0 for row in report["pnl"])
    assert "recorded" in Path(report["report"]).read_text(encoding="utf-8").lower()
    assert "holds recorded data, day-ahead source file" in done("--workspace", "own", "doctor").out


def test_the_day_ahead_price_from_a_file_beside_a_market(monkeypatch: pytest.MonkeyPatch) -> None:
    first, last = small_workspace.FIRST, small_workspace.FIRST + timedelta(days=1)
    start = gb_time.efa_day_bounds_utc(first - timedelta(days=12))[0]
    end = gb_time.efa_day_bounds_utc(last)[1]
    times = pd.date_range(start, end, freq="15min", inclusive="left")
    quarters = pd.DataFrame({"start_utc": times.strftime("%Y-%m-%dT%H:%M:%SZ"), "price_gbp_mwh": range(len(times))})
    quarters.to_csv("day_ahead.csv", index=False)
    small_workspace.use_settings(monkeypatch, BESS_CO_OPTIMISATION__ENABLED="false")
    done("--workspace", "mixed", "backfill", "--from", first, "--to", last)
    rows = query(Path("mixed/bess.duckdb"), "SELECT * FROM market.price_panel ORDER BY start_utc")
    own = rows[(rows["start_utc"] >= start) & (rows["start_utc"] < end) & rows["day_ahead_price_gbp_mwh"].notna()]
    mean_of_two = (own["start_utc"] - start) / pd.Timedelta(minutes=15) + 0.5
    assert own["day_ahead_price_gbp_mwh"].tolist() == mean_of_two.tolist()
    traded = own[own["start_utc"] >= gb_time.efa_day_bounds_utc(first)[0]]
    assert len(traded) == 2 * 48
    assert traded[["system_price_gbp_mwh", "dcl_price_gbp_mw_h"]].notna().all(axis=None)
    sources = query(Path("mixed/bess.duckdb"), "SELECT DISTINCT source, dataset FROM market.source_status")
    assert dict(zip(sources["dataset"], sources["source"], strict=True)) == {
        "market/system_price": "elexon",
        "market/market_index_price": "elexon",
        "market/auction_clearing": "neso",
        "market/day_ahead_price": "file",
        "market/fundamental_forecast": "elexon",
    }
