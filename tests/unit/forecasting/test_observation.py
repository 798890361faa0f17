"""What gates and dispatch decisions know, by hand: which periods of which days, and what a panel must hold for it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import market_frames as market
import numpy as np
import pandas as pd
import pytest
from sample_panel import sample_panel
from trading_frames import day_ahead, recorded_index_as_day_ahead, system_price

from bess_pipeline import gb_time
from bess_pipeline.forecasting.information import LAGS, LEADS
from bess_pipeline.forecasting.market_panel import panel_of_frames
from bess_pipeline.forecasting.observation import (
    FINAL_RUN_NOTE,
    WITHIN_DAY_NOTE,
    observe,
    observe_dispatch,
    window,
)
from bess_pipeline.settings import DataSettings

ONE_DAY = timedelta(days=1)
DAY = date(2024, 2, 20)
FIRST, LAST = DAY - 12 * ONE_DAY, DAY + 2 * ONE_DAY


def count(values: np.ndarray) -> list[int]:
    """How many slots of each row are known."""
    return (~np.isnan(values)).sum(axis=1).tolist()


def test_the_day_ahead_gate_knows_yesterdays_auction_and_the_response_gate_todays() -> None:
    prices = day_ahead(FIRST, LAST, lambda at: at.day * 100.0 + at.hour)
    panel = panel_of_frames(FIRST, LAST, day_ahead_price=prices)
    early, late = (observe(panel, DAY, gate, 3) for gate in ("day_ahead", "response"))
    assert early.days == tuple(DAY - n * ONE_DAY for n in (3, 2, 1, 0))
    assert count(early.lagged["day_ahead", 0]) == [0, 0, 0, 0]
    assert count(late.lagged["day_ahead", 0]) == [24, 24, 24, 24]
    assert count(early.outcome["day_ahead", 0]) == [24, 24, 24, 0]
    assert count(early.outcome["day_ahead", 1]) == [24, 24, 0, 0]
    assert count(late.outcome["day_ahead", 1]) == [24, 24, 24, 0]
    for lag in (1, 2, 3, 7):  # noon is slot 13
        assert early.lagged["day_ahead", lag][:, 13].tolist() == [(20 - n - lag) * 100.0 + 12 for n in (3, 2, 1, 0)]


def test_within_day_values_are_known_up_to_their_lag_before_the_gate() -> None:
    priced = system_price(FIRST, LAST, 7.0).assign(net_imbalance_volume_mwh=1.0)
    traded = priced.rename(columns={"system_price_gbp_mwh": "market_index_price_gbp_mwh"})
    panel = panel_of_frames(FIRST, LAST, system_price=priced, market_index_price=traded)
    early, late = (observe(panel, DAY, gate, 2) for gate in ("day_ahead", "response"))
    # 23:00 to 08:20, to 12:30 (price, an hour after its half-hour), to 09:50 and to 14:00 (index, at its end)
    assert count(early.lagged["system_price", 1]) == [19, 19, 19]
    assert count(late.lagged["net_imbalance_volume", 1]) == [28, 28, 28]
    assert count(early.lagged["market_index", 1]) == [21, 21, 21]
    assert count(late.lagged["market_index", 1]) == [30, 30, 30]
    assert count(early.lagged["system_price", 2]) == [48, 48, 48]
    assert count(early.outcome["system_price", 0]) == [48, 19, 0]


def test_the_index_standing_in_is_known_as_an_index_and_noted() -> None:
    prices = day_ahead(FIRST, LAST, lambda at: float(at.hour), source="elexon_mid", resolution=30)
    known = observe(panel_of_frames(FIRST, LAST, day_ahead_price=prices), DAY, "day_ahead", 2)
    assert known.notes == (WITHIN_DAY_NOTE,)
    assert count(known.lagged["day_ahead", 1]) == [21, 21, 21]
    assert count(known.outcome["day_ahead", 0]) == [48, 21, 0]
    assert known.streams["day_ahead"].slots == 48


def test_results_of_response_and_files_of_frequency_come_later() -> None:
    frames = market.random_market(FIRST, LAST, 2)
    known = observe(panel_of_frames(FIRST, LAST, auction_clearing=frames["auction_clearing"]), DAY, "response", 2)
    assert count(known.lagged["response_DCL", 0]) == [0, 0, 0]
    assert min(count(known.lagged["response_DCL", 1])) >= 4
    activation = ["activation_DCL", "activation_DMH"]
    energy = market.random_market(date(2024, 2, 20), date(2024, 3, 3), 2)["response_energy"]
    for day, settings, streams in (
        (date(2024, 3, 2), market.SETTINGS, []),  # February's file comes out on 2 March at 00:00, after this gate
        (date(2024, 3, 3), market.SETTINGS, activation),
        (date(2024, 3, 3), DataSettings(), []),
    ):
        panel = panel_of_frames(*window(day, 2), response_energy=energy, settings=settings)
        assert list(observe(panel, day, "response", 2).streams) == streams


def test_a_market_that_is_missing_is_no_stream_and_takes_nothing_from_the_others() -> None:
    frames = market.random_market(FIRST, LAST, 4)
    whole = observe(panel_of_frames(FIRST, LAST, **frames), DAY, "response", 3)
    for missing, names in (
        ("day_ahead_price", {"day_ahead"}),
        ("auction_clearing", {"response_DCL", "response_DMH"}),
        ("system_price", {"system_price", "net_imbalance_volume"}),
        ("market_index_price", {"market_index"}),
    ):
        rest = {name: frame for name, frame in frames.items() if name != missing}
        found = observe(panel_of_frames(FIRST, LAST, **rest), DAY, "response", 3)
        assert set(whole.streams) - set(found.streams) == names
        for kind in ("lagged", "outcome", "fundamental"):
            for key, values in getattr(found, kind).items():
                assert values.tobytes() == getattr(whole, kind)[key].tobytes()


def test_the_same_is_seen_in_a_panel_of_the_window_and_in_one_of_many_days() -> None:
    first, last = window(DAY, 3)
    frames = market.random_market(first - 5 * ONE_DAY, last + 3 * ONE_DAY, 5)
    wide = panel_of_frames(first - 5 * ONE_DAY, last + 3 * ONE_DAY, **frames)
    for gate in ("day_ahead", "response"):
        narrow = observe(panel_of_frames(first, last, **frames), DAY, gate, 3)
        assert market.content(observe(wide, DAY, gate, 3)) == market.content(narrow)


def test_a_panel_that_lacks_days_is_refused() -> None:
    first, last = window(DAY, 3)
    assert (last - first).days == 3 + max(LAGS)
    for panel in (panel_of_frames(first + ONE_DAY, last), panel_of_frames(first, last - ONE_DAY)):
        with pytest.raises(ValueError, match="read more days"):
            observe(panel, DAY, "day_ahead", 3)
    with pytest.raises(ValueError, match="read more days"):
        observe_dispatch(panel_of_frames(DAY, DAY), datetime(2024, 2, 20, 12, tzinfo=UTC))


def test_a_dispatch_decision_by_hand() -> None:
    panel = panel_of_frames(
        DAY - ONE_DAY,
        DAY,
        system_price=system_price(DAY - ONE_DAY, DAY, np.arange(96.0)),
        day_ahead_price=day_ahead(DAY - ONE_DAY, DAY, lambda at: at.hour + 100.0),
    )
    known = observe_dispatch(panel, datetime(2024, 2, 20, 12, tzinfo=UTC))
    assert known.decision_utc == datetime(2024, 2, 20, 11, tzinfo=UTC)
    assert known.here == 48 + 26
    last = 48 + 26 - 5  # started at 09:30, over at 10:00, known at 11:00
    np.testing.assert_array_equal(known.value["system_price"], [*range(last + 1), *[np.nan] * (95 - last)])
    assert known.value["day_ahead"][48:52].tolist() == [123.0, 123.0, 100.0, 100.0]
    assert not np.isnan(known.value["day_ahead"]).any()
    assert set(known.streams) == {"system_price", "day_ahead"}
    assert known.notes[0].startswith(FINAL_RUN_NOTE)
    with pytest.raises(ValueError, match="no half-hour"):
        observe_dispatch(panel, datetime(2024, 2, 20, 12, 10, tzinfo=UTC))


def test_the_sample_market_is_seen_whole() -> None:
    """A day after the clock change: every value of the days before it, of forecasts every half-hour of its days."""
    day = date(2026, 3, 31)
    panel = sample_panel(1, *window(day, 2))
    known = observe(panel, day, "day_ahead", 2)
    assert {"day_ahead", "system_price", "net_imbalance_volume", "market_index", "response_DCL"} <= set(known.streams)
    assert count(known.outcome["system_price", 0])[0] == 46
    assert count(known.outcome["day_ahead", 0]) == [23, 24, 0]
    assert count(known.outcome["response_DCL", 0]) == [6, 6, 0]
    assert count(known.fundamental["demand", 0]) == [46, 48, 48]
    at_noon = panel.half_hours.place(np.array([pd.Timestamp("2026-03-30T11:00Z").value // 1000]))  # London's
    assert known.lagged["day_ahead", 1][2, 13] == panel.values["day_ahead"].value[at_noon].item()


def test_recorded_data_over_both_clock_changes(realdata: Path) -> None:
    """2024 with every weakness it has: known holes are NaN in their slots, everything else is there."""
    tables = {name: pd.read_parquet(realdata / "tables" / f"{name}.parquet") for name in
              ("system_price", "market_index", "response_auction")}  # fmt: skip
    day = date(2024, 11, 1)
    first, last = window(day, 240)
    panel = panel_of_frames(
        first,
        last,
        system_price=tables["system_price"],
        market_index_price=tables["market_index"],
        day_ahead_price=recorded_index_as_day_ahead(tables["market_index"]),
        auction_clearing=tables["response_auction"],
    )
    known = observe(panel, day, "day_ahead", 240)
    assert known.outcome["system_price", 0].shape == (241, 48)
    holes = {one for one, row in zip(known.days[:-2], known.outcome["market_index", 0][:-2], strict=True)
             if np.isnan(row).any()}  # fmt: skip
    assert holes == {date(2024, 3, 31), date(2024, 4, 13)}
    row = known.days.index(date(2024, 4, 13))
    assert np.flatnonzero(np.isnan(known.outcome["market_index", 0][row])).tolist() == [18]  # 07:00Z is 08:00 London
    missing = known.days.index(date(2024, 3, 31)) - 1  # net imbalance volumes begin on 1 April, local midnight
    assert count(known.outcome["net_imbalance_volume", 0])[missing + 1 : missing + 3] == [0, 46]
    assert count(known.outcome["response_DRH", 0])[:-1] == [6] * 240
    raw = tables["system_price"].set_index("start_utc")["system_price_gbp_mwh"]
    autumn = known.days.index(date(2024, 10, 27))
    twice = raw[[pd.Timestamp("2024-10-27T00:00Z"), pd.Timestamp("2024-10-27T01:00Z")]]
    assert known.outcome["system_price", 0][autumn, 4] == pytest.approx(twice.mean())
    assert known.notes == (
        WITHIN_DAY_NOTE,
        f"{FINAL_RUN_NOTE}: 100 % of past system prices have no version from before their gate",
    )
    assert {len(known.lagged[name, lag]) for name in known.streams for lag in LAGS} == {241}
    assert {len(known.outcome[name, lead]) for name in known.streams for lead in LEADS} == {241}
    assert len(gb_time.efa_half_hours(date(2024, 10, 27))) == 50
