"""Attribution by hand: the same tail for every part, and days that say what happened in them."""

from __future__ import annotations

import math
from datetime import date, timedelta

import pandas as pd
import pytest

from bess_pipeline import gb_time
from bess_pipeline.risk.attribution import (
    attribution_rows,
    by_block,
    by_driver,
    by_stream,
    euler_split,
    tail_days,
    worst_days,
)

SPRING = date(2026, 3, 29)


def streams() -> pd.DataFrame:
    days = [SPRING + timedelta(days=n) for n in range(-2, 2)]
    columns = {"day_ahead": [100.0, -300.0, 50.0, 20.0], "imbalance": [-40.0, 60.0, 10.0, 0.0], "wear": [-10.0] * 4}
    return pd.DataFrame(columns, index=pd.Index(days, name="efa_date"))


def test_contributions_use_the_fractional_tail_of_the_sum() -> None:
    """Sums 50, -250, 50, 10; the tail of 40 % is the second day whole and 15 of the 25 points of the fourth."""
    found = euler_split(streams(), 0.6).set_index("component")
    one, other = 0.25 / 0.4, 0.15 / 0.4
    assert found["cvar_contribution_gbp"].to_dict() == pytest.approx(
        {"day_ahead": one * 300 - other * 20, "imbalance": -one * 60, "wear": 10.0}
    )
    assert found["expected_gbp"].to_dict() == pytest.approx({"day_ahead": -32.5, "imbalance": 7.5, "wear": -10.0})


def test_scenarios_bring_their_probabilities() -> None:
    parts = pd.DataFrame({"a": [-10.0, 0.0], "b": [5.0, 5.0]})
    found = euler_split(parts, 0.5, [0.25, 0.75]).set_index("component")
    assert found["cvar_contribution_gbp"].to_dict() == pytest.approx({"a": 5.0, "b": -5.0})
    assert found["expected_gbp"].to_dict() == pytest.approx({"a": -2.5, "b": 5.0})


def test_a_component_that_is_missing_in_an_outcome_is_refused() -> None:
    with pytest.raises(ValueError, match="P&L"):
        euler_split(pd.DataFrame({"a": [1.0, math.nan]}), 0.9)


def cashflow() -> pd.DataFrame:
    """£1 a half-hour and stream on the day before the clock change and on the day itself."""
    rows = []
    for day in (SPRING - timedelta(days=1), SPRING):
        for stream in ("day_ahead", "wear"):
            starts = gb_time.efa_half_hours(day)
            rows.append(pd.DataFrame({"start_utc": starts, "stream": stream, "amount_gbp": 1.0, "efa_date": day}))
    return pd.concat(rows, ignore_index=True).assign(strategy="a")


def test_blocks_are_the_london_ones_and_block_one_is_short_in_spring() -> None:
    blocks = by_block(cashflow())
    assert list(blocks.columns) == [f"EFA block {n}" for n in range(1, 7)]
    assert blocks.loc[SPRING - timedelta(days=1)].tolist() == [16.0] * 6
    assert blocks.loc[SPRING].tolist() == [12.0, *[16.0] * 5]


def test_a_stream_that_a_day_lacks_is_nothing_and_strategies_are_not_mixed() -> None:
    rows = pd.DataFrame(
        [(SPRING, "a", "day_ahead", 5.0), (SPRING + timedelta(days=1), "a", "response", 7.0)],
        columns=["efa_date", "strategy", "stream", "pnl_gbp"],
    )
    assert by_stream(rows).to_dict("list") == {"day_ahead": [5.0, 0.0], "response": [0.0, 7.0]}
    with pytest.raises(ValueError, match="one strategy"):
        by_stream(rows.assign(strategy=["a", "b"]))
    drivers = pd.DataFrame(
        {"efa_date": [SPRING] * 3, "driver": ["plan", "plan", "activation"], "amount_gbp": [1.0, 2, 4]}
    )
    assert by_driver(drivers).to_dict("list") == {"activation": [4.0], "plan": [3.0]}


def test_tail_days_say_what_happened() -> None:
    starts = gb_time.efa_half_hours(SPRING - timedelta(days=1))
    prices = pd.DataFrame({"start_utc": starts, "system_price_gbp_mwh": range(-5, len(starts) - 5)})
    days = tail_days(streams(), 0.6, prices, ("system_price_gbp_mwh",))
    assert days["efa_date"].tolist() == [SPRING - timedelta(days=1), SPRING + timedelta(days=1)]
    assert days["pnl_gbp"].tolist() == [-250.0, 10.0]
    assert days["tail_weight"].tolist() == pytest.approx([0.625, 0.375])
    cvar = 0.625 * 250.0 - 0.375 * 10.0
    assert days["share_of_cvar"].tolist() == pytest.approx([156.25 / cvar, -3.75 / cvar])
    assert days["lost"].tolist() == ["£300 in day-ahead, £10 in wear", "£10 in wear"]
    assert days["lowest_system_price_gbp_mwh"].tolist()[0] == -5.0
    assert days["highest_system_price_gbp_mwh"].tolist()[0] == 42.0
    assert math.isnan(days["highest_system_price_gbp_mwh"].tolist()[1])


def test_a_tail_that_earns_has_no_shares() -> None:
    days = tail_days(streams().abs(), 0.6, pd.DataFrame({"start_utc": gb_time.efa_half_hours(SPRING)}), ())
    assert days["share_of_cvar"].isna().all()
    assert (days["lost"] == "").all()


def test_kinds_of_components_are_of_one_pnl_and_share_its_tail() -> None:
    whole = streams()
    halves = pd.DataFrame({"early": whole.sum(axis=1) * 0.25, "late": whole.sum(axis=1) * 0.75})
    rows = attribution_rows({"stream": whole, "block": halves}, SPRING, "a", 0.6)
    sums = rows.groupby("component_kind")["cvar_contribution_gbp"].sum()
    assert sums["stream"] == pytest.approx(sums["block"], rel=1e-12)
    assert list(rows.columns[:4]) == ["efa_date", "strategy", "confidence", "component_kind"]
    with pytest.raises(ValueError, match="by block and by stream are not of the same P&L"):
        attribution_rows({"stream": whole, "block": halves + 0.01}, SPRING, "a", 0.6)


def test_worst_days_are_as_many_as_asked_for_or_all() -> None:
    prices = pd.DataFrame({"start_utc": gb_time.efa_half_hours(SPRING)})
    assert worst_days(streams(), 2, prices, ())["pnl_gbp"].tolist() == [-250.0, 10.0]
    assert len(worst_days(streams(), 9, prices, ())) == 4
