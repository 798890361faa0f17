"""Poison: values that a gate did not know are made absurd, table by table, and what it knew keeps its bytes.

Positive control: one value that it did know is changed, and what it knew changes.
"""

from __future__ import annotations

from datetime import date, timedelta

import market_frames as market
import numpy as np
import pytest
from poisoned_frames import TABLES, VALUES, known_rows, last_used, poisoned

from bess_pipeline import gb_time
from bess_pipeline.forecasting.information import Information
from bess_pipeline.forecasting.market_panel import MarketPanel, panel_of_frames
from bess_pipeline.forecasting.observation import observe, observe_dispatch, window

ONE_DAY = timedelta(days=1)
CALIBRATION = 3
SPRING, AUTUMN, PLAIN = date(2024, 3, 31), date(2024, 10, 27), date(2024, 3, 4)  # PLAIN: February's file is out
Case = tuple[date, str, str]
CASES: list[Case] = [
    (SPRING, "day_ahead", "neso_n2ex"),
    (AUTUMN, "response", "neso_n2ex"),
    (PLAIN, "day_ahead", "neso_n2ex"),
    (SPRING + ONE_DAY, "response", "elexon_mid"),
]


def build(case: Case, frames: market.Frames) -> MarketPanel:
    return panel_of_frames(window(case[0], CALIBRATION)[0], case[0], **frames, settings=market.SETTINGS)


def seen(case: Case, frames: market.Frames) -> Information:
    return observe(build(case, frames), case[0], case[1], CALIBRATION)


@pytest.fixture(scope="module")
def markets() -> dict[Case, market.Frames]:
    """A market over the window of each case and two days beyond it."""
    return {
        case: market.random_market(
            window(case[0], CALIBRATION)[0],
            case[0] + 2 * ONE_DAY,
            7,
            source=case[2],
            resolution=30 if case[2] == "elexon_mid" else 60,
        )
        for case in CASES
    }


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {case[1]} {case[2]}")
def test_what_a_gate_did_not_know_changes_nothing(markets: dict[Case, market.Frames], case: Case, table: str) -> None:
    frames, gate = markets[case], market.gate(case[0], case[1])
    clean = seen(case, frames)
    assert market.content(seen(case, poisoned(table, frames, gate))) == market.content(clean)
    if table != "system_price":  # without its rows it is not known when versions exist at all
        cut = {**frames, table: frames[table][known_rows(table, frames, gate)]}
        assert market.content(seen(case, cut)) == market.content(clean)
    assert not any((np.abs(values) == market.ABSURD).any() for values in clean.outcome.values())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {case[1]} {case[2]}")
def test_each_row_holds_what_its_own_gate_knew(markets: dict[Case, market.Frames], case: Case) -> None:
    """All tables are poisoned at the gate of each past row: the row and those before it keep their bytes."""
    clean = seen(case, markets[case])
    for row, day in enumerate(clean.days):
        frames = markets[case]
        for table in TABLES:
            frames = poisoned(table, frames, market.gate(day, case[1]))
        length = markets[case]["day_ahead_price"]["native_resolution_minutes"]  # the last gate knows of what came
        frames = {**frames, "day_ahead_price": frames["day_ahead_price"].assign(native_resolution_minutes=length)}
        found = seen(case, frames)
        for kind in ("lagged", "fundamental"):
            for key, values in getattr(clean, kind).items():
                held = getattr(found, kind).get(key, np.full(values.shape, np.nan))
                assert held[: row + 1].tobytes() == values[: row + 1].tobytes(), (kind, key, day)


@pytest.mark.parametrize("column", [(table, column) for table in TABLES for column in VALUES[table][:1]], ids=str)
@pytest.mark.parametrize("case", CASES[1:], ids=lambda case: f"{case[0]} {case[1]} {case[2]}")
def test_a_known_value_that_changes_is_seen(
    markets: dict[Case, market.Frames], case: Case, column: tuple[str, str]
) -> None:
    table, name = column
    frames, gate = markets[case], market.gate(case[0], case[1])
    known = known_rows(table, frames, gate)
    if table == "response_energy" and case[0] != PLAIN:
        assert not known.any()  # no monthly file of these days is out
        return
    frame = frames[table].copy()
    frame.loc[last_used(table, frames, known & frame[name].notna().to_numpy(), gate), name] += 1.0
    assert market.content(seen(case, {**frames, table: frame})) != market.content(seen(case, frames))


@pytest.mark.parametrize("half_hour", [0, 7, 45])
@pytest.mark.parametrize("case", CASES[:2], ids=lambda case: str(case[0]))
def test_a_dispatch_decision_sees_nothing_later(markets: dict[Case, market.Frames], case: Case, half_hour: int) -> None:
    start = gb_time.efa_half_hours(case[0])[half_hour].to_pydatetime()
    decision = start - timedelta(hours=1)
    frames = markets[case]
    clean = observe_dispatch(build(case, frames), start)
    for table in TABLES:
        frames = poisoned(table, frames, decision)
    assert market.content(observe_dispatch(build(case, frames), start)) == market.content(clean)
    index = markets[case]["market_index_price"]
    last = index.index[market.known_by("market_index_price", index, decision)][-1]
    other = index.assign(market_index_price_gbp_mwh=index["market_index_price_gbp_mwh"].where(index.index != last, 0.5))
    changed = observe_dispatch(build(case, {**markets[case], "market_index_price": other}), start)
    assert market.content(changed) != market.content(clean)
