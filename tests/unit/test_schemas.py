"""Table schemas: complete, described, of stored types; and a frame that is wrong anywhere is refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import pytest
from storage_frames import auction_clearing, daily_pnl, day_ahead_price, source_status, system_price

from bess_pipeline import gb_time, schemas
from bess_pipeline.errors import RefusedFrameError
from bess_pipeline.forecast_tables import quantile_column
from bess_pipeline.forecasting.distribution import LEVELS, STORED_LEVELS

TABLE = "market/system_price"
DAY = date(2024, 1, 2)
UNIT_ENDINGS = {"float64": ("_gbp_mwh", "_gbp_mw_h", "_mwh", "_mw", "_gbp", "_gbp_per_mw", "_multiplier", "_mw_h")}
UNITLESS = {"coverage", "charge_fraction", "discharge_fraction"}  # shares
UNITLESS |= {"delivered_low_share", "delivered_high_share"}
UNITLESS |= {"equivalent_cycles", "max_depth", "calendar_fade", "cycle_fade", "state_of_health", "probability"}
UNITLESS |= {"risk_aversion", "confidence", "gap", "multiplier", "basket"}
UNITLESS |= {"capture", "capture_low", "capture_high", "tail_weight", "share_of_cvar"}
UNITLESS |= {"statistic", "p_value", "power", "expected_exceptions"}
MAY_BE_NULL = {"confidence", "imbalance_cap_mw"}  # keys of rows that have none: a mean, a strategy without a bound
OF_A_MARKET = {"limit_price", "clearing_price", "expected_price", "displaced_value", "margin"}  # GBP/MWh or GBP/MW/h
OF_A_UNIT = {"value", "mean", *map(quantile_column, LEVELS)}  # each row's stream, or its column unit, says which
OF_A_UNIT |= {
    "ci_low",
    "ci_high",
    "worth",
    "worth_low",
    "worth_high",
    "lead",
    "lead_low",
    "lead_high",
    "measured",
    "allowed",
    "excess",
}


@pytest.mark.parametrize("table", sorted(schemas.TABLES))
def test_every_table_and_column_is_described_and_carries_its_unit(table: str) -> None:
    assert schemas.TABLES[table].__doc__
    columns = schemas.columns(table)
    assert set(schemas.keys(table)) <= set(columns)
    assert schemas.keys(table)
    for name, column in columns.items():
        assert column.description, name
        kind = str(schemas.empty_frame(table)[name].dtype)
        assert name.endswith("_utc") == (kind == gb_time.UTC_DTYPE), name
        if (
            kind in UNIT_ENDINGS
            and name not in UNITLESS
            and not (name in OF_A_UNIT and {"unit", "stream"} & set(columns))
            and not (name in OF_A_MARKET and "market" in columns)
        ):
            assert name.endswith(UNIT_ENDINGS[kind]), name


@pytest.mark.parametrize("table", sorted(schemas.TABLES))
def test_the_three_type_systems_name_the_same_columns(table: str) -> None:
    names = list(schemas.columns(table))
    assert schemas.arrow_schema(table).names == names == list(schemas.duckdb_types(table))
    assert schemas.empty_frame(table).columns.tolist() == names
    nullable = [field.nullable for field in schemas.arrow_schema(table)]
    assert nullable == [column.nullable for column in schemas.columns(table).values()]
    assert not any(schemas.columns(table)[key].nullable for key in schemas.keys(table) if key not in MAY_BE_NULL)


@pytest.mark.parametrize("table", sorted(schemas.TABLES))
def test_an_empty_frame_is_valid(table: str) -> None:
    empty = schemas.empty_frame(table)
    for frame in (empty, pd.DataFrame()):
        assert schemas.validate(table, frame).dtypes.equals(empty.dtypes)


@pytest.mark.parametrize(
    ("table", "frame"),
    [
        (TABLE, system_price(DAY)),
        ("market/day_ahead_price", day_ahead_price(DAY, -80.0)),
        ("market/auction_clearing", auction_clearing(DAY).assign(clearing_price_gbp_mw_h=-8.31)),
        ("market/source_status", source_status(DAY)),
        ("risk/daily_pnl", daily_pnl(DAY, {"day_ahead": -1.5, "wear": -2.0})),
    ],
)
def test_good_frames_come_back_in_column_and_key_order(table: str, frame: pd.DataFrame) -> None:
    valid = schemas.validate(table, frame.iloc[::-1][sorted(frame.columns)])
    assert valid.columns.tolist() == list(schemas.columns(table))
    assert valid.dtypes.equals(schemas.empty_frame(table).dtypes)
    keys = schemas.keys(table)
    assert valid.sort_values(keys, ignore_index=True).equals(valid)
    assert valid.index.equals(pd.RangeIndex(len(frame)))


@pytest.mark.parametrize("day", [date(2024, 3, 31), date(2024, 10, 27), date(2024, 7, 1)])
def test_instants_of_another_zone_are_stored_as_utc(day: date) -> None:
    frame = system_price(day)
    london = frame.assign(start_utc=frame["start_utc"].dt.tz_convert("Europe/London"))
    assert schemas.validate(TABLE, london).equals(schemas.validate(TABLE, frame))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"start_utc": gb_time.settlement_half_hours(DAY).tz_localize(None)}, "start_utc: check time zone"),
        ({"settlement_period": [n + 0.5 for n in range(1, 49)]}, "settlement_period: check whole number"),
        ({"settlement_period": 0}, "failure cases"),
        ({"settlement_date": None}, "settlement_date"),
        ({"start_utc": pd.NaT}, "start_utc"),
        ({"system_price_gbp_mwh": [50.0] * 47 + [float("-inf")]}, "system_price_gbp_mwh"),
        ({"system_price_gbp_mwh": [50.0] * 47 + [{}]}, "system_price_gbp_mwh"),
        ({"net_imbalance_volume_mwh": 1e9}, "net_imbalance_volume_mwh"),
        ({"extra_mwh": 1.0}, "there is an unknown column extra_mwh"),
    ],
)
def test_wrong_values_are_refused_with_their_cases(change: dict[str, Any], named: str) -> None:
    with pytest.raises(RefusedFrameError, match=named) as caught:
        schemas.validate(TABLE, system_price(DAY).assign(**change))
    assert not caught.value.failure_cases.empty  # type: ignore[attr-defined]
    assert "\n" not in str(caught.value)


def test_wrong_shapes_are_refused() -> None:
    frame = system_price(DAY)
    with pytest.raises(RefusedFrameError, match="there is no column system_price_gbp_mwh"):
        schemas.validate(TABLE, frame.drop(columns="system_price_gbp_mwh"))
    with pytest.raises(RefusedFrameError, match="more than one column start_utc"):
        schemas.validate(TABLE, pd.concat([frame, frame[["start_utc"]]], axis=1))
    with pytest.raises(RefusedFrameError, match="multiple_fields_uniqueness"):
        schemas.validate(TABLE, pd.concat([frame, frame.iloc[[5]]]))


@pytest.mark.parametrize(
    ("table", "frame"),
    [
        ("market/day_ahead_price", day_ahead_price(DAY).assign(source="guess")),
        ("market/day_ahead_price", day_ahead_price(DAY).assign(native_resolution_minutes=45)),
        ("market/auction_clearing", auction_clearing(DAY).assign(product="dcl")),
        ("market/auction_clearing", auction_clearing(DAY).assign(cleared_volume_mw=-1.0)),
        ("market/auction_clearing", auction_clearing(DAY).assign(clearing_price_gbp_mw_h=1_001.0)),
        ("market/source_status", source_status(DAY, status="perhaps")),
        ("risk/daily_pnl", daily_pnl(DAY, {"day_ahead": float("nan")})),
    ],
)
def test_values_outside_a_tables_vocabulary_or_bounds_are_refused(table: str, frame: pd.DataFrame) -> None:
    with pytest.raises(RefusedFrameError, match=table):
        schemas.validate(table, frame)


def test_forecasts_have_a_column_for_every_level_of_a_distribution() -> None:
    named = [name for name in schemas.columns("forecast/price_forecast") if name.startswith("q")]
    assert named == [quantile_column(level) for level in LEVELS]
    assert {quantile_column(level) for level in STORED_LEVELS} <= set(named)
    assert named[0] == "q00_1"
    assert named[-2:] == ["q99_75", "q99_9"]
