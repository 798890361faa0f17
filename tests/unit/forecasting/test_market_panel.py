"""Market panels: rows on their slots and clocks, versions of prices, and the same from the lake as from frames."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import market_frames as market
import numpy as np
import pandas as pd
import pytest
from trading_frames import day_ahead, system_price

from bess_pipeline import gb_time, schemas
from bess_pipeline.forecasting import streams
from bess_pipeline.forecasting.market_panel import NEVER, Grid, MarketPanel, panel_of_frames, read_panel
from bess_pipeline.forecasting.observation import FINAL_RUN_NOTE, observe, window
from bess_pipeline.lake import Lake
from bess_pipeline.settings import DataSettings

ONE_DAY = timedelta(days=1)
SPRING, AUTUMN, DAY = date(2024, 3, 31), date(2024, 10, 27), date(2024, 2, 20)
PERIOD = 20  # of settlement date DAY - 2: starts at 09:30, known from 11:00


@pytest.mark.parametrize("clock", streams.SLOTS)
def test_a_grid_is_the_periods_of_its_days(clock: streams.Clock) -> None:
    days = gb_time.days_between(SPRING - 2 * ONE_DAY, SPRING + ONE_DAY)
    if clock == "hour":
        return  # day-ahead products stand on half-hours in a panel
    grid = Grid.of(clock, days[0], days[-1])
    assert grid.start_us.tolist() == [int(one.asm8.astype("int64")) for one in streams.horizon_starts(clock, days)]
    assert grid.slot.tolist() == [slot for day in days for slot in streams.period_slots(clock, day)]
    counts = [len(streams.period_starts(clock, day)) for day in days]
    assert np.diff(grid.first).tolist() == counts
    assert np.bincount(grid.day).tolist() == counts
    other = [int(grid.start_us[5]), int(grid.start_us[5]) + 1, int(grid.start_us[0]) - 1, NEVER]
    assert grid.place(np.array(other)).tolist() == [5, -1, -1, -1]


def outcome(panel: MarketPanel, name: str, day: date) -> np.ndarray:
    """Values of a day as a gate much later knows them."""
    return observe(panel, day + 3 * ONE_DAY, "day_ahead", 3).outcome[name, 0][0]


def panel_about(day: date, **frames: pd.DataFrame) -> MarketPanel:
    return panel_of_frames(day - 7 * ONE_DAY, day + 3 * ONE_DAY, **frames)


def test_the_lost_hour_has_no_value_and_the_repeated_one_the_mean() -> None:
    for day, hours in ((SPRING, 23), (AUTUMN, 25)):
        starts = gb_time.efa_half_hours(day)
        values = np.arange(len(starts), dtype=float)
        prices = panel_about(day, system_price=system_price(day, day, values))
        found = outcome(prices, "system_price", day)
        product = day_ahead(day, day, lambda _: 0.0).assign(day_ahead_price_gbp_mwh=values // 2)
        hourly = outcome(panel_about(day, day_ahead_price=product), "day_ahead", day)
        if hours == 23:  # 01:00 to 02:00 London: half-hours 4 and 5 from 23:00, hour 2
            assert np.flatnonzero(np.isnan(found)).tolist() == [4, 5]
            assert found[6] == 4.0
            assert np.flatnonzero(np.isnan(hourly)).tolist() == [2]
        else:
            assert found[3:8].tolist() == [3.0, (4 + 6) / 2, (5 + 7) / 2, 8.0, 9.0]
            assert hourly[1:4].tolist() == [1.0, (2 + 3) / 2, 4.0]
        assert found.size == 48
        assert hourly.size == 24


def test_an_auction_without_a_price_and_a_hole_stay_empty_and_reserve_is_no_stream() -> None:
    rows = []
    for block, price in ((1, 3.0), (2, np.nan), (3, -4.5), (5, 7.0)):
        start, end = gb_time.efa_block_bounds_utc(AUTUMN, block)
        rows += [("DCL", start, end, AUTUMN, block, price, 10.0), ("DML", start, end, AUTUMN, block, np.nan, 0.0)]
        rows += [("PQR", start, end, AUTUMN, block, 9.0, 10.0)]
    columns = list(schemas.columns("market/auction_clearing"))
    frame = schemas.validate("market/auction_clearing", pd.DataFrame(rows, columns=columns))
    panel = panel_about(AUTUMN, auction_clearing=frame)
    np.testing.assert_array_equal(outcome(panel, "response_DCL", AUTUMN), [3.0, np.nan, -4.5, np.nan, 7.0, np.nan])
    assert list(panel.values) == ["response_DCL"]


def test_a_finer_past_stands_on_the_clock_of_the_product_known_last() -> None:
    before = day_ahead(DAY - ONE_DAY, DAY - ONE_DAY, lambda at: at.hour + at.minute / 60, resolution=30)
    now = day_ahead(DAY, DAY, lambda at: 100.0 + at.hour)
    panel = panel_of_frames(DAY - 8 * ONE_DAY, DAY, day_ahead_price=pd.concat([before, now]))
    known = observe(panel, DAY, "response", 1)
    assert known.streams["day_ahead"] == streams.day_ahead(60)
    assert known.lagged["day_ahead", 0][1, :3].tolist() == [123.0, 100.0, 101.0]
    assert known.lagged["day_ahead", 1][1, :3].tolist() == [23.25, 0.25, 1.25]
    earlier = observe(panel, DAY, "day_ahead", 1)  # the hourly result comes ten minutes later
    assert earlier.streams["day_ahead"] == streams.day_ahead(30)
    assert earlier.lagged["day_ahead", 1][1, :3].tolist() == [23.0, 23.5, 0.0]


# --- versions -----------------------------------------------------------------------------------------


def versions(*seen: tuple[str, str | None, float]) -> pd.DataFrame:
    """Versions of one period, in order: (fetched, published, price); the volume is twice the price."""
    frame = pd.DataFrame(seen, columns=["fetched_utc", "published_utc", "system_price_gbp_mwh"])
    for name in ("fetched_utc", "published_utc"):
        frame[name] = pd.to_datetime(frame[name], utc=True).dt.as_unit("us")
    frame["net_imbalance_volume_mwh"] = 2 * frame["system_price_gbp_mwh"]
    frame = frame.assign(settlement_date=DAY - 2 * ONE_DAY, settlement_period=PERIOD, version=range(1, len(seen) + 1))
    return schemas.validate("market/system_price_revision", frame)


def known_at_lag_two(revisions: pd.DataFrame | None) -> tuple[float, float, tuple[str, ...]]:
    """What the day-ahead gate of DAY (19 February, 09:50) knew of the period on the 18th: price, volume, notes."""
    rows = system_price(DAY - 2 * ONE_DAY, DAY - 2 * ONE_DAY, 999.0).assign(net_imbalance_volume_mwh=888.0)
    rows = rows[rows["settlement_period"] == PERIOD]
    panel = panel_of_frames(*window(DAY, 0), system_price=rows, system_price_revision=revisions)
    known = observe(panel, DAY, "day_ahead", 0)
    slot = PERIOD - 1 + 2  # counted from 23:00
    price, volume = (known.lagged[name, 2][0, slot] for name in ("system_price", "net_imbalance_volume"))
    return float(price), float(volume), known.notes


@pytest.mark.parametrize(
    ("seen", "price", "noted"),
    [
        ([("2024-02-18T12:00", None, 50.0)], 50.0, False),
        ([("2024-02-18T12:00", None, 50.0), ("2024-02-19T09:50", None, 60.0)], 60.0, False),  # at the gate counts
        ([("2024-02-18T12:00", None, 50.0), ("2024-02-19T09:51", None, 60.0)], 50.0, False),
        # published after it was fetched (clocks differ): there from its publication on
        ([("2024-02-18T12:00", None, 50.0), ("2024-02-19T09:00", "2024-02-19T09:55", 60.0)], 50.0, False),
        ([("2024-03-18T12:00", "2024-02-18T12:00", 50.0)], 50.0, True),  # fetched a month later
        ([("2024-03-18T12:00", None, 50.0), ("2024-03-28T12:00", None, 60.0)], 50.0, True),
        # the first fetch of all dates from after the gate, and each later run changes nothing for it
        ([("2024-03-18T12:00", None, 50.0)] + [(f"2024-0{m}-01T12:00", None, 10.0 * m) for m in (4, 5, 6)], 50.0, True),
    ],
)
def test_a_gate_uses_the_version_that_was_there_or_else_the_earliest(
    seen: list[tuple[str, str | None, float]], price: float, noted: bool
) -> None:
    found = known_at_lag_two(versions(*seen))
    assert found[:2] == (price, 2 * price)
    share = f"{FINAL_RUN_NOTE}: 100 % of past system prices have no version from before their gate"
    assert found[2] == ((share,) if noted else ())


def test_without_versions_the_stored_price_serves_and_is_noted() -> None:
    for none in (None, schemas.empty_frame("market/system_price_revision")):
        price, volume, notes = known_at_lag_two(none)
        assert (price, volume) == (999.0, 888.0)
        assert len(notes) == 1


def test_a_price_that_its_gate_cannot_have_known_is_not_known_however_early_its_stamp() -> None:
    """A version stamped before the period is over is no evidence: the rule of publication counts as well."""
    rows = system_price(DAY - ONE_DAY, DAY - ONE_DAY, 999.0)
    late = versions(("2024-01-01T00:00", "2024-01-01T00:00", 50.0)).assign(settlement_date=DAY - ONE_DAY)
    panel = panel_of_frames(*window(DAY, 0), system_price=rows, system_price_revision=late)
    found = observe(panel, DAY, "day_ahead", 0).lagged["system_price", 1][0]
    assert np.flatnonzero(~np.isnan(found)).tolist() == list(range(19))  # 23:00 to 08:20: the last start is 08:00


# --- reading ------------------------------------------------------------------------------------------


def test_the_lake_gives_the_same_as_the_frames(tmp_path: Path) -> None:
    first, last = window(SPRING, 2)
    frames = market.random_market(first - ONE_DAY, last + 2 * ONE_DAY, 3)
    lake = Lake(tmp_path / "lake", tmp_path / "quarantine")
    for name, frame in frames.items():
        table = f"market/{name}"
        valid = schemas.validate(table, frame)
        key = next(
            one for one in ("settlement_date", "delivery_start_utc", "published_utc", "start_utc") if one in frame
        )
        days = valid[key] if key == "settlement_date" else gb_time.settlement_columns(valid[key])["settlement_date"]
        if table == "market/response_energy":
            days = gb_time.settlement_columns(valid["start_utc"])["settlement_date"]
        assert lake.write_days(table, dict(tuple(valid.groupby(days)))) == {}
    for gate in ("day_ahead", "response"):
        found = observe(read_panel(lake, first, last, DataSettings()), SPRING, gate, 2)
        assert market.content(found) == market.content(observe(panel_of_frames(first, last, **frames), SPRING, gate, 2))
        assert len(found.fundamental) == 6


def test_an_empty_lake_is_a_panel_without_streams(tmp_path: Path) -> None:
    panel = read_panel(Lake(tmp_path, tmp_path), *window(DAY, 1), DataSettings())
    known = observe(panel, DAY, "day_ahead", 1)
    assert (dict(known.streams), dict(known.lagged), dict(known.fundamental), known.notes) == ({}, {}, {}, ())


def test_a_panel_does_not_end_before_it_begins() -> None:
    with pytest.raises(ValueError, match="cannot begin"):
        panel_of_frames(DAY, DAY - ONE_DAY)


def test_the_settings_say_when_tables_are_known() -> None:
    rows = system_price(DAY - ONE_DAY, DAY - ONE_DAY, 5.0)
    for lag, count in ((60, 19), (0, 21), (240, 13)):
        panel = panel_of_frames(*window(DAY, 0), system_price=rows, settings=DataSettings(system_price_lag_minutes=lag))
        assert int((~np.isnan(observe(panel, DAY, "day_ahead", 0).lagged["system_price", 1])).sum()) == count
    assert datetime(2024, 2, 19, 9, 50, tzinfo=UTC) == observe(panel, DAY, "day_ahead", 0).gate_utc
