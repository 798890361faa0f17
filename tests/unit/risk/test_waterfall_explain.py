"""Steps between replays and between days, by hand."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from bess_pipeline import gb_time
from bess_pipeline.errors import UserInputError
from bess_pipeline.risk.explain import explain, slot_of
from bess_pipeline.risk.waterfall import Level, levels_to, waterfall

PNL = {
    ("perfect_foresight", "cash"): 1000.0,
    ("perfect_foresight_48h", "cash"): 970.0,
    ("co_optimised", "cash"): 800.0,
    ("co_optimised_cvar", "cash"): 780.0,
    ("co_optimised_cvar", "after_wear"): 700.0,
    ("day_ahead_imbalance", "cash"): 580.0,
    ("day_ahead_rolling", "cash"): 500.0,
    ("day_ahead_rolling", "after_wear"): 430.0,
}


@pytest.mark.parametrize(
    ("strategy", "steps"),
    [
        ("co_optimised_cvar", {"horizon": -30.0, "forecast": -170.0, "risk aversion": -20.0, "wear": -80.0}),
        (
            "day_ahead_rolling",
            {
                "horizon": -30.0,
                "forecast": -170.0,
                "access to services": -220.0,
                "access to imbalance": -80.0,
                "wear": -70.0,
            },
        ),
    ],
)
def test_each_bar_is_the_difference_of_two_named_replays(strategy: str, steps: dict[str, float]) -> None:
    table = waterfall(PNL, levels_to(strategy))
    assert dict(zip(table["step"], table["change_gbp"], strict=True)) == steps
    for row in table.itertuples():
        assert row.change_gbp == PNL[row.to_replay, row.to_basis] - PNL[row.from_replay, row.from_basis]
    assert list(table["from_replay"][1:]) == list(table["to_replay"][:-1])  # no gap between bars
    assert 1000.0 + table["change_gbp"].sum() == PNL[strategy, "after_wear"] == table["level_gbp"].iloc[-1]


def test_strategies_on_the_way_have_shorter_waterfalls() -> None:
    assert [level.step for level in levels_to("co_optimised")] == ["", "horizon", "forecast", "wear"]
    assert [level.step for level in levels_to("perfect_foresight_48h")] == ["", "horizon", "wear"]
    assert [level.step for level in levels_to("perfect_foresight")] == ["", "wear"]
    assert [level.replay for level in levels_to("day_ahead_imbalance")][2:4] == ["co_optimised", "day_ahead_imbalance"]
    assert [level.step for level in levels_to("rule_based")][-3:] == ["access to imbalance", "decision rule", "wear"]


def test_a_replay_that_is_not_stored_is_asked_for() -> None:
    with pytest.raises(UserInputError, match=r"needs the replay of perfect_foresight_48h over the same days: run it"):
        waterfall({k: v for k, v in PNL.items() if "48h" not in k[0]}, levels_to("co_optimised_cvar"))
    assert waterfall(PNL, [Level("co_optimised", "cash")]).empty


def rows(day: date, stream: str, volume: float | np.ndarray, price: float | np.ndarray) -> pd.DataFrame:
    starts = gb_time.efa_half_hours(day)
    return pd.DataFrame({"start_utc": starts, "stream": stream, "volume": volume, "price": price})


def one(frame: pd.DataFrame, stream: str) -> dict[str, float]:
    return frame.set_index("stream").loc[stream].to_dict()


def test_price_volume_and_revision_by_hand() -> None:
    """48 half-hours of 1 MWh at £50, first reported at £48, become 3 MWh at £40."""
    before = rows(date(2026, 6, 1), "day_ahead", 1.0, 50.0).assign(first_price=48.0)
    found = one(explain(before, rows(date(2026, 6, 2), "day_ahead", 3.0, 40.0)), "day_ahead")
    assert found == pytest.approx(
        {
            "price_gbp": 48 * 2.0 * -10.0,
            "volume_gbp": 48 * 45.0 * 2.0,
            "revision_gbp": 48 * 2.0,
            "change_gbp": 48 * (120.0 - 48.0),
        }
    )


@pytest.mark.parametrize("day", [date(2026, 3, 29), date(2026, 3, 30), date(2026, 10, 25), date(2026, 10, 26)])
def test_days_of_unequal_length_are_explained_to_the_penny(day: date) -> None:
    draw = np.random.default_rng(5)
    before_day = day.replace(day=day.day - 1)
    count, count_before = len(gb_time.efa_half_hours(day)), len(gb_time.efa_half_hours(before_day))
    before = rows(before_day, "imbalance", draw.normal(size=count_before), draw.normal(60, 90, count_before))
    before["first_price"] = np.where(draw.random(count_before) < 0.5, before["price"] + 7.0, np.nan)
    now = pd.concat(
        [
            rows(day, "imbalance", draw.normal(size=count), draw.normal(60, 90, count)),
            rows(day, "wear", draw.normal(size=count), 1.0),  # a stream the day before did not have
        ]
    )
    found = explain(before, now)
    reported = (before["volume"] * before["first_price"].fillna(before["price"])).sum()
    assert found["change_gbp"].sum() == pytest.approx((now["volume"] * now["price"]).sum() - reported, abs=1e-9)
    assert one(found, "wear")["volume_gbp"] == pytest.approx(one(found, "wear")["change_gbp"])
    assert one(found, "wear")["price_gbp"] == 0.0


def test_products_of_a_stream_have_prices_of_their_own() -> None:
    """5 MW h of each product a half-hour: DCL falls from 4 to 1, DRH from -2 to -6, and 10 MW h of it are held then."""
    first, second = date(2026, 6, 1), date(2026, 6, 2)
    before = [("DCL", 5.0, 4.0), ("DRH", 5.0, -2.0)]
    now = [("DCL", 5.0, 1.0), ("DRH", 10.0, -6.0)]
    frames = [
        pd.concat([rows(day, "response", mw_h, price).assign(product=code) for code, mw_h, price in held])
        for day, held in ((first, before), (second, now))
    ]
    found = explain(*frames)
    assert len(found) == 1
    assert one(found, "response") == pytest.approx(
        {
            "price_gbp": 48 * (5.0 * -3.0 + 7.5 * -4.0),
            "volume_gbp": 48 * (-4.0 * 5.0),
            "revision_gbp": 0.0,
            "change_gbp": 48 * (5.0 - 60.0 - (20.0 - 10.0)),
        }
    )
    with pytest.raises(ValueError, match="two rows"):
        explain(frames[0].drop(columns="product"), frames[1])


def test_the_hour_that_comes_twice_has_slots_of_its_own() -> None:
    slots = slot_of(pd.Series(gb_time.efa_half_hours(date(2026, 10, 25))))
    assert slots.is_unique
    assert list(slots[4:8]) == ["01:00", "01:30", "01:00 again", "01:30 again"]


def test_rows_of_two_days_and_missing_prices_are_refused() -> None:
    day = rows(date(2026, 6, 1), "day_ahead", 1.0, 50.0)
    two = pd.concat([day, rows(date(2026, 6, 2), "day_ahead", 1.0, 50.0)])
    with pytest.raises(ValueError, match="more than one day"):
        explain(two, day)
    with pytest.raises(ValueError, match="missing"):
        explain(day, day.assign(price=np.nan))
