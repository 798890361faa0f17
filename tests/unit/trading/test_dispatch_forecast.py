"""What dispatch decisions expect of prices, from a small lake: known prices, stored forecasts, and errors since."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from gate_cases import DAY
from market_desk import (
    FIRST_PRICES,
    INDEX,
    REVISION,
    SYSTEM,
    MarketDesk,
    raise_system_price,
    write_forecasts,
    write_outcome,
)
from plan_desk import LAST, NEXT, PRICES, without_day, write_market

from bess_pipeline import gb_time
from bess_pipeline.errors import UserInputError
from bess_pipeline.forecast_tables import FORECAST
from bess_pipeline.trading.dispatch_forecast import DispatchForecasts
from bess_pipeline.trading.gate_streams import horizon_half_hours

HORIZON = horizon_half_hours(NEXT, 48)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> MarketDesk:
    """Forecasts and outcomes of some days, no plan; read-only."""
    desk = MarketDesk(tmp_path_factory.mktemp("made"))
    write_market(desk.lake, first=FIRST_PRICES)
    write_outcome(desk.lake)
    for day in gb_time.days_between(FIRST_PRICES, NEXT):
        write_forecasts(desk.lake, day)
    return desk


@pytest.fixture
def desk(made: MarketDesk, tmp_path: Path) -> MarketDesk:
    """A copy to change."""
    return made.copy(tmp_path / "desk")


def forecasts(desk: MarketDesk) -> DispatchForecasts:
    return DispatchForecasts(desk.settings, desk.lake, [NEXT])


def stored(desk: MarketDesk, stream: str) -> np.ndarray:
    rows = desk.lake.read(FORECAST, NEXT, NEXT)
    rows = rows[(rows["gate"] == "response") & (rows["stream"] == stream)].set_index("start_utc")["mean"]
    starts = HORIZON.floor("h") if stream == "day_ahead" else HORIZON
    return rows.reindex(starts).to_numpy(dtype="float64")


def test_day_ahead_prices_of_the_day_after_are_a_forecast_until_ten_o_clock(desk: MarketDesk) -> None:
    expect = forecasts(desk).expect(NEXT, HORIZON)
    published = desk.lake.read(PRICES, NEXT - timedelta(days=1), LAST).set_index("start_utc")["day_ahead_price_gbp_mwh"]
    known = published.reindex(HORIZON).to_numpy(dtype="float64")
    # the decision for 11:00 London is made at 10:00, when the result of the next day comes out
    eleven = int(np.flatnonzero(pd.Timestamp(f"{NEXT} 11:00", tz=gb_time.LONDON) == HORIZON)[0])
    early, late = expect(eleven - 1).day_ahead_gbp_mwh, expect(eleven).day_ahead_gbp_mwh
    assert early[:48].tolist() == known[:48].tolist()
    assert early[48:].tolist() == stored(desk, "day_ahead")[48:].tolist()
    assert late.tolist() == known.tolist()


def test_the_newest_known_error_moves_the_next_half_hours_and_fades(desk: MarketDesk) -> None:
    k = 20
    before = forecasts(desk).expect(NEXT, HORIZON)(k)
    newest = HORIZON[k] - pd.Timedelta(minutes=150)  # over two hours before, out one hour before
    for shift, moves in ((0, True), (1, False)):  # the half-hour after it comes out too late
        other = desk.copy(desk.root.parent / f"moved{shift}")
        raise_system_price(other.lake, newest + shift * gb_time.HALF_HOUR, 20.0)
        change = forecasts(other).expect(NEXT, HORIZON)(k).system_gbp_mwh - before.system_gbp_mwh
        assert (change[k] > 0) == moves
        if moves:
            assert change[k] > change[k + 3] > 0
            assert not change[k + 12 :].any()


def test_without_a_forecast_of_system_price_the_index_and_then_the_day_ahead_price_stands_in(desk: MarketDesk) -> None:
    for gone, instead in (("system_price", "index_gbp_mwh"), ("market_index", "day_ahead_gbp_mwh")):
        for day in gb_time.days_between(FIRST_PRICES, NEXT):
            rows = desk.lake.read(FORECAST, day, day)
            desk.lake.write(FORECAST, day, rows[rows["stream"] != gone], {})
        found = forecasts(desk).expect(NEXT, HORIZON)(5)
        assert found.system_gbp_mwh.tolist() == getattr(found, instead).tolist()
    assert found.index_gbp_mwh.tolist() == found.day_ahead_gbp_mwh.tolist()


def test_errors_of_past_days_are_those_that_were_known_two_days_later(desk: MarketDesk) -> None:
    """Outcomes of the day before, whatever they are, leave the regression alone."""
    memory = forecasts(desk)._memory(NEXT, "system_price")
    assert memory.coefficient[0] > 0.3  # errors last: 0.9 from half-hour to half-hour, shrunk
    for table in (SYSTEM, REVISION):
        desk.lake.write(table, DAY, desk.lake.read(table, DAY, DAY).assign(system_price_gbp_mwh=4999.0))
    again = forecasts(desk)._memory(NEXT, "system_price")
    assert again.coefficient.tolist() == memory.coefficient.tolist()


def test_what_came_out_first_is_the_outcome_and_what_is_missing_is_nan(desk: MarketDesk) -> None:
    rows = desk.lake.read(INDEX, NEXT, NEXT).set_index("start_utc")["market_index_price_gbp_mwh"]
    found = forecasts(desk).outcome("market_index", HORIZON[2:48])
    assert found.tolist() == rows.reindex(HORIZON[2:48]).tolist()
    without_day(desk.lake, PRICES, LAST)
    assert np.isnan(forecasts(desk).outcome("day_ahead", HORIZON)[48:]).all()
    assert np.isnan(forecasts(desk).outcome("nothing", HORIZON)).all()


def test_a_day_without_a_forecast_is_refused(desk: MarketDesk) -> None:
    assert forecasts(desk).covered(LAST, horizon_half_hours(LAST, 24)) == 0
    with pytest.raises(UserInputError, match="there is no stored forecast of the day-ahead price of 2026-02-13"):
        forecasts(desk).expect(LAST, horizon_half_hours(LAST, 24))
