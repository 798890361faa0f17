"""Which days and strategies the report pictures, and that a picture has the warehouse's state and contracts."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from storage_frames import day_ahead_price
from trading_frames import BATTERY

from bess_pipeline import gb_time, warehouse
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.report.overlays import TellingDay, overlays, telling_days
from bess_pipeline.report.risk_rows import risk_rows
from bess_pipeline.report.window import Window
from bess_pipeline.trading.dispatch import idle_day
from bess_pipeline.trading.market_replay import idle_market_day
from bess_pipeline.trading.status import status_row
from bess_pipeline.workspace import Workspace

FIRST, LAST = date(2024, 3, 28), date(2024, 4, 3)
COLD, COLDER, SHORT = date(2024, 3, 30), date(2024, 4, 1), date(2024, 3, 31)
BEYOND, UNFINISHED = LAST + timedelta(days=1), date(2024, 4, 2)
PRICES = {COLD: -5.0, COLDER: -12.0, UNFINISHED: -30.0, BEYOND: -40.0}
ENERGY = ("day_ahead_perfect_foresight", "day_ahead_rolling", "rule_based")
SIMULATED = Provenance("simulated", "neso_n2ex", 2026)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Days of three day-ahead strategies, two of which a strategy of all markets has as well."""
    found = Workspace(tmp_path_factory.mktemp("overlays") / "demo")
    found.claim("simulated", "neso_n2ex")
    for day in gb_time.days_between(FIRST - timedelta(days=1), BEYOND):
        # the hour at noon alone, so that the price is of one trading day
        price = np.where(np.arange(len(gb_time.settlement_half_hours(day))) // 2 == 12, PRICES.get(day, 50.0), 50.0)
        found.lake.write("market/day_ahead_price", day, day_ahead_price(day, price))
    for day in gb_time.days_between(FIRST, BEYOND):
        _store(found, day, (*ENERGY, "co_optimised_cvar") if day in (COLDER, LAST) else ENERGY)
    warehouse.publish(found)
    return found


def _store(place: Workspace, day: date, names: tuple[str, ...]) -> None:
    rows = [idle_day(day, name, 50.0) for name in names if name in ENERGY]
    place.lake.write("trading/dispatch", day, pd.concat(rows, ignore_index=True))
    if "co_optimised_cvar" in names:
        market = idle_market_day(day, "co_optimised_cvar", 30.0, BATTERY)
        market[["day_ahead_mwh", "intraday_mwh", "contracted_mwh", "dcl_mw"]] = 4.0, -3.0, 1.0, 8.0
        place.lake.write("trading/market_dispatch", day, market.assign(activation_import_mwh=1.0))
    outcome = ("refused", "no price") if day == UNFINISHED else ("complete", "")
    opening = {"co_optimised_cvar": 29.25}
    status = [status_row(day, name, *outcome, opening_energy_mwh=opening.get(name, 50.0)) for name in names]
    place.lake.write("trading/run_status", day, pd.concat(status, ignore_index=True))


def drawn(place: Workspace, telling: TellingDay) -> dict[str, list[str]]:
    """Labels of each strategy's lines of power."""
    leading = risk_rows(place, Window(FIRST, LAST)).leading
    return {
        name: [str(line.get_label()) for line in figure.axes[1].get_lines()]
        for name, figure in overlays(place, telling, leading, BATTERY, SIMULATED)
    }


def test_clock_change_last_day_and_lowest_negative_price_are_telling(place: Workspace) -> None:
    found = telling_days(place, Window(FIRST, LAST))
    assert found == [TellingDay(SHORT), TellingDay(COLDER, 2), TellingDay(LAST)]


def test_without_a_negative_price_no_day_is_added_and_none_twice(place: Workspace) -> None:
    assert telling_days(place, Window(FIRST, FIRST + timedelta(days=1))) == [TellingDay(FIRST + timedelta(days=1))]
    assert telling_days(place, Window(FIRST, COLD)) == [TellingDay(COLD)], "the last day is drawn in full"


def test_the_day_of_the_lowest_price_has_few_pictures_the_leading_one_among_them(place: Workspace) -> None:
    assert set(drawn(place, TellingDay(COLDER, 2))) == {"co_optimised_cvar", "day_ahead_rolling"}
    assert set(drawn(place, TellingDay(COLD, 2))) == {"day_ahead_rolling", "rule_based"}
    assert list(drawn(place, TellingDay(LAST))) == sorted([*ENERGY, "co_optimised_cvar"])


def test_a_strategy_of_all_markets_is_drawn_from_its_own_table_and_opening_state(place: Workspace) -> None:
    found = drawn(place, TellingDay(LAST))
    assert "sold, with intraday" in found["co_optimised_cvar"]
    assert "sold, with intraday" not in found["rule_based"]
    leading = risk_rows(place, Window(FIRST, LAST)).leading
    pictures = dict(overlays(place, TellingDay(LAST), leading, BATTERY, SIMULATED))
    assert len(pictures["co_optimised_cvar"].axes) == 4, "with a panel of capacity"
    for name, opening in (("co_optimised_cvar", 29.25), ("rule_based", 50.0)):
        energy = pictures[name].axes[-1].get_lines()[0]
        assert (energy.get_xdata()[0], energy.get_ydata()[0]) == (0.0, opening), name
