"""Views of settlement over tables that hold a day, and over tables that hold nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import duckdb
import numpy as np
import pandas as pd
import pytest
from settlement_cases import random_day, still_day
from trading_frames import system_price

from bess_pipeline import gb_time, schemas, warehouse
from bess_pipeline.trading.dispatch import idle_day
from bess_pipeline.trading.imbalance_split import imbalance_split

DAY = date(2026, 3, 29)
TABLES = ("trading/dispatch", "trading/market_dispatch", "market/system_price", "market/system_price_revision")
VIEWS = ("trading.imbalance_split", "trading.cash_by_version")
FIRST, LATER = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)


def script(kind: str, name: str) -> str:
    return next(path for path in warehouse.sql_files(kind) if path.stem == name).read_text(encoding="utf-8")


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone='UTC'; CREATE SCHEMA trading; CREATE SCHEMA market")
        for name in TABLES:
            connection.execute(script("tables", name.replace("/", ".")))
        for name in VIEWS:
            connection.execute(script("views", name))
        yield connection


def put(connection: duckdb.DuckDBPyConnection, table: str, frame: pd.DataFrame) -> None:
    rows = schemas.validate(table, frame)
    assert len(rows)
    connection.execute(f"INSERT INTO {table.replace('/', '.')} SELECT * FROM rows")


def revisions(versions: dict[int, list[tuple[float, datetime]]]) -> pd.DataFrame:
    """Versions (price, fetched) of half-hours of the day, by their number from 0."""
    starts = gb_time.efa_half_hours(DAY)
    rows = [
        (*gb_time.settlement_period_of(starts[n].to_pydatetime()), k + 1, pd.NaT, fetched, price, 0.0)
        for n, given in versions.items()
        for k, (price, fetched) in enumerate(given)
    ]
    frame = pd.DataFrame(rows, columns=list(schemas.columns("market/system_price_revision")))
    return frame.assign(published_utc=pd.Series(pd.NaT, index=frame.index, dtype=gb_time.UTC_DTYPE))


def test_views_of_empty_tables_are_empty(connection: duckdb.DuckDBPyConnection) -> None:
    for name in VIEWS:
        assert connection.execute(f"SELECT count(*) FROM {name}").fetchone() == (0,)


def test_the_split_is_that_of_the_function_and_has_no_price_where_there_is_none(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    rows, market = random_day(DAY, 8, absvd_applies=False)
    price = market.system_price.drop(index=7)
    put(connection, "trading/market_dispatch", rows)
    put(connection, "market/system_price", price)
    expected = imbalance_split(rows, price)
    columns = list(expected.columns.drop(["efa_date", "strategy", "start_utc"]))
    found = connection.execute(f"SELECT {', '.join(columns)} FROM trading.imbalance_split ORDER BY start_utc")
    for column, values in found.fetchnumpy().items():
        assert np.ma.filled(values, np.nan) == pytest.approx(expected[column].to_numpy(), nan_ok=True), column
    assert expected["spread_position_gbp"].isna().sum() == 1


def test_one_half_hour_of_the_split_by_hand(connection: duckdb.DuckDBPyConnection) -> None:
    """Sold 10, meant to export 12, the store gave 9: a spread position of 2 and a physical deviation of -3."""
    rows = still_day(DAY)
    columns = ["day_ahead_mwh", "contracted_mwh", "metered_mwh", "imbalance_mwh", "forced_imbalance_mwh"]
    rows.loc[4, columns] = [10.0, 10.0, 9.0, -1.0, -3.0]
    put(connection, "trading/market_dispatch", rows)
    put(connection, "market/system_price", system_price(DAY, DAY, 50.0))
    found = connection.execute(
        "SELECT spread_position_mwh, physical_deviation_mwh, spread_position_gbp, physical_deviation_gbp "
        "FROM trading.imbalance_split WHERE imbalance_mwh <> 0"
    ).fetchall()
    assert found == [(2.0, -3.0, 100.0, -150.0)]


def test_cash_at_each_version_of_the_price(connection: duckdb.DuckDBPyConnection) -> None:
    """1 MWh short in half-hour 3 (80, then 90), 2 MWh long in 5 (50, never revised) and 1 in 6 (only the latest, 10).

    Version 1: -80 + 100 + 10 = 30; version 2: -90 + 100 + 10 = 20.
    """
    rows = still_day(DAY)
    rows.loc[[3, 5, 6], "imbalance_mwh"] = [-1.0, 2.0, 1.0]
    old = idle_day(DAY, "rule_based", 50.0)
    old.loc[5, "imbalance_mwh"] = 4.0
    price = system_price(DAY, DAY, 10.0)
    price.loc[[3, 5], "system_price_gbp_mwh"] = [90.0, 50.0]
    put(connection, "trading/market_dispatch", rows)
    put(connection, "trading/dispatch", old)
    put(connection, "market/system_price", price)
    put(connection, "market/system_price_revision", revisions({3: [(80.0, FIRST), (90.0, LATER)], 5: [(50.0, FIRST)]}))
    found = connection.execute(
        "SELECT strategy, version, as_of_utc, imbalance_gbp, change_from_first_gbp, change_gbp, unpriced_half_hours "
        "FROM trading.cash_by_version"
    ).fetchall()
    assert found == [
        ("co_optimised", 1, FIRST, 30.0, 0.0, None, 0),
        ("co_optimised", 2, LATER, 20.0, -10.0, -10.0, 0),
        ("rule_based", 1, FIRST, 200.0, 0.0, None, 0),
    ]


def test_a_half_hour_without_a_price_is_counted(connection: duckdb.DuckDBPyConnection) -> None:
    rows = still_day(DAY)
    rows.loc[[3, 5], "imbalance_mwh"] = 1.0
    put(connection, "trading/market_dispatch", rows)
    put(connection, "market/system_price", system_price(DAY, DAY, 10.0).drop(index=3))
    found = connection.execute("SELECT imbalance_gbp, unpriced_half_hours FROM trading.cash_by_version").fetchall()
    assert found == [(10.0, 1)]
