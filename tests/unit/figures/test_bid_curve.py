"""The picture of a day's offers: marks, columns, volumes and cells against the orders they were drawn from."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from decision_frames import hourly_orders, response_orders, shape, step_orders
from figure_words import bars, words
from matplotlib.axes import Axes
from matplotlib.colors import same_color
from matplotlib.patches import Rectangle

from bess_pipeline import gb_time
from bess_pipeline.figures import style
from bess_pipeline.figures.bid_curve import NET_COLOURS, bid_curve_picture, net_steps
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.figures.style import png_bytes

DAY, SPRING, AUTUMN = date(2025, 2, 4), date(2026, 3, 29), date(2025, 10, 26)
SIMULATED, RECORDED = Provenance("simulated", "neso_n2ex", 2026), Provenance("recorded", "elexon_mid", 2026)
LIMITS = {1: (52.0, -30.0), 2: (30.0, -20.0), 18: (95.0, 50.0), 19: (250.0, 40.0)}
OFFERS = {(1, "DCL"): (2.2, 6.0), (2, "DCL"): (3.6, 7.0), (6, "DRH"): (-1.5, 11.0)}


def cleared(day: date, shift: float = 0.0) -> tuple[np.ndarray, pd.DataFrame]:
    starts = gb_time.efa_half_hours(day)
    price = np.repeat(shape(starts)[::2], 2) + shift
    return price, pd.DataFrame({"start_utc": starts, "day_ahead_price_gbp_mwh": price})


def marks(axes: Axes) -> dict[tuple[float, float], str]:
    """(position, price) of every mark and how it is filled: filled, hollow, pale."""
    found = {}
    for one in axes.collections:
        if len(np.asarray(one.get_offsets())):
            (x, y), colour = np.asarray(one.get_offsets())[0], one.get_facecolor()[0]
            hollow = same_color(colour, "white")
            found[float(x), float(y)] = "hollow" if hollow else "filled" if colour[3] == 1.0 else "pale"
    return found


def cells(axes: Axes) -> list[tuple[float, str, bool, bool]]:
    """(middle, product, filled, dashed) of every cell of the grid."""
    products = [label.get_text().split()[0] for label in axes.get_yticklabels()]
    return [
        (round(cell.get_x() + cell.get_width() / 2, 6), products[round(cell.get_y() + cell.get_height() / 2)],
         cell.get_facecolor()[3] > 0.0, cell.get_linestyle() != "solid" and cell.get_linestyle() != "-")
        for cell in axes.patches if isinstance(cell, Rectangle)
    ]  # fmt: skip


def test_single_volumes_lie_at_their_limits_filled_where_they_were_taken() -> None:
    price, frame = cleared(DAY)
    figure = bid_curve_picture(hourly_orders(DAY, LIMITS, price), frame, SIMULATED)
    price_axes, volume_axes, _ = figure.axes
    drawn = marks(price_axes)
    assert (drawn[1.5, 52.0], drawn[2.5, 30.0], drawn[18.5, 95.0]) == ("filled", "hollow", "filled")
    assert (19.5, price_axes.get_ylim()[1]) in drawn, "a limit far from all prices is drawn at the edge"
    assert price_axes.get_ylim()[1] < 250.0
    line = next(line for line in price_axes.lines if line.get_label() == "clearing price")
    assert list(line.get_ydata()) == [*price, price[-1]]
    filled = [(low, high) for _, low, high in bars(volume_axes)]
    assert filled == [(0.0, 50.0), (0.0, -30.0)]
    outlines = [bar.get_height() for bars in volume_axes.containers for bar in bars if bar.get_facecolor()[3] == 0.0]
    assert outlines == [50.0, 40.0, -30.0, -20.0]
    for part in ("4 day-ahead offers, 2 accepted; no response offers", "1 limit beyond the axis", "hollow: rejected"):
        assert part in words(figure), part
    for part in ("Day-ahead limit price, £/MWh", "Volume, MW", "simulated data", "N2EX day-ahead"):
        assert part in words(figure), part


def test_a_volume_taken_in_part_is_filled_so_far() -> None:
    orders = hourly_orders(DAY, LIMITS, None).assign(accepted_mw=[-12.0, 0.0, 50.0, np.nan])
    figure = bid_curve_picture(orders, None, SIMULATED)
    assert set(bars(figure.axes[1])) >= {(1.07, 0.0, -12.0), (18.07, 0.0, 50.0), (19.07, 0.0, 40.0)}
    assert sorted(marks(figure.axes[0]).values()) == ["filled", "filled", "hollow", "pale"]


@pytest.mark.parametrize(("day", "hours"), [(DAY, 24.0), (SPRING, 23.0), (AUTUMN, 25.0)])
def test_offers_that_are_open_are_pale_and_blocks_lie_where_the_day_has_them(day: date, hours: float) -> None:
    orders = pd.concat([hourly_orders(day, LIMITS, None), response_orders(day, OFFERS)])
    figure = bid_curve_picture(orders, None, RECORDED)
    assert {axes.get_xlim() for axes in figure.axes} == {(0.0, hours)}
    assert set(marks(figure.axes[0]).values()) == {"pale"}
    first = hours - 20.0
    assert cells(figure.axes[-1]) == [
        (first / 2, "DCL", False, True),
        (first + 2.0, "DCL", False, True),
        (hours - 2.0, "DRH", False, True),
    ]
    said = words(figure)
    for part in ("clearing price not known yet", "4 day-ahead offers, not cleared yet; 3 response offers, not cleared"):
        assert part in said, part
    assert ("clocks go" in said) is (hours != 24.0)


def test_price_takers_and_odd_prices_leave_an_axis_that_can_be_read() -> None:
    takers = {hour: (-500.0 if hour % 2 else 4000.0, 20.0 if hour % 2 else -20.0) for hour in range(24)}
    price, frame = cleared(DAY, -300.0)
    axes = bid_curve_picture(hourly_orders(DAY, takers, price), frame, SIMULATED).axes[0]
    assert -500.0 < axes.get_ylim()[0] < price.min() < price.max() < axes.get_ylim()[1] < 0.0
    assert len(marks(axes)) == 24
    spike = frame.assign(day_ahead_price_gbp_mwh=np.where(np.arange(48) == 36, 3000.0, 50.0))
    axes = bid_curve_picture(hourly_orders(DAY, {1: (20.0, 5.0), 2: (110.0, -5.0)}, None), spike, SIMULATED).axes[0]
    assert axes.get_ylim()[1] > 3000.0, "a clearing price is never cut off"
    assert {limit for _, limit in marks(axes)} == {20.0, 110.0}
    empty = bid_curve_picture(response_orders(DAY, OFFERS), frame.iloc[:0], SIMULATED).axes[0]
    assert empty.get_ylim() == (0.0, 1.0)


def test_response_cells_say_volume_limit_clearing_price_and_basket() -> None:
    orders = pd.concat([response_orders(DAY, OFFERS, 2.5), response_orders(DAY, {(4, "DML"): (-0.5, 12.0)}, -1.0, 7)])
    orders.loc[orders["offered_mw"] == 11.0, "accepted_mw"] = 4.0
    figure = bid_curve_picture(orders, cleared(DAY)[1], SIMULATED)
    said = [text.get_text() for text in figure.axes[-1].texts]
    assert said == [
        "6 MW at £2.20\ncleared £2.50",
        "7 MW at £3.60\ncleared £2.50",
        "12 MW at -£0.50 #7\ncleared -£1.00",
        "4 of 11 MW at -£1.50\ncleared £2.50",
    ]
    assert [(product, filled) for _, product, filled, _ in cells(figure.axes[-1])] == [
        ("DCL", True), ("DCL", False), ("DML", False), ("DRH", True),
    ]  # fmt: skip
    assert len(figure.axes) == 2, "a day without day-ahead offers has no panel of volumes"
    for part in ("no day-ahead offers; 4 response offers, 2 accepted", "#: basket", "£/MW/h"):
        assert part in words(figure), part


def test_two_offers_of_a_window_share_its_cell_and_reserve_has_half_hours() -> None:
    twice = [response_orders(DAY, {(3, "DCL"): (limit, mw)}, 5.0) for limit, mw in ((2.0, 5.0), (6.0, 3.0))]
    starts = gb_time.efa_half_hours(DAY)[4:7]
    reserve = pd.concat([
        response_orders(DAY, {(2, "PQR"): (4.0, 5.0 + n)}, 4.5).assign(
            market="reserve", start_utc=start, end_utc=start + timedelta(minutes=30)
        )
        for n, start in enumerate(starts)
    ])  # fmt: skip
    grid = bid_curve_picture(pd.concat([*twice, reserve]), None, SIMULATED).axes[-1]
    assert [text.get_text() for text in grid.texts] == ["5 of 8 MW at £2.00 to £6.00\ncleared £5.00"]
    assert [label.get_text() for label in grid.get_yticklabels()] == ["DCL", "PQR 5-7 MW\n£4.00"]
    assert [middle for middle, product, *_ in cells(grid) if product == "PQR"] == [2.25, 2.75, 3.25]
    assert grid.get_title(loc="left").startswith("Response and reserve offers")


def brute_force(steps: pd.DataFrame, price: float) -> float:
    sold = sum(row.offered_mw for row in steps.itertuples() if row.offered_mw > 0 and row.limit_price <= price)
    bought = sum(row.offered_mw for row in steps.itertuples() if row.offered_mw < 0 and row.limit_price >= price)
    return float(sold + bought)


def test_net_steps_are_what_would_trade_at_any_price() -> None:
    rng = np.random.default_rng(6)
    for _ in range(30):
        count = int(rng.integers(1, 9))
        steps = pd.DataFrame({
            "limit_price": rng.integers(-5, 6, count).astype(float) * 10.0,
            "offered_mw": rng.choice([-8.0, -3.0, 4.0, 9.0], count),
        })  # fmt: skip
        prices, net = net_steps(steps)
        for price in rng.uniform(-80.0, 80.0, 20):
            assert net[np.searchsorted(prices, price)] == brute_force(steps, price)


def test_columns_of_steps_are_coloured_by_what_they_would_trade() -> None:
    price, frame = cleared(AUTUMN, -60.0)
    orders = step_orders(AUTUMN, [15.0, 30.0], [0.0, -10.0], 20.0, price)
    figure = bid_curve_picture(orders, frame, RECORDED)
    axes = figure.axes[0]
    low, high = axes.get_ylim()
    columns = [list(one) for one in axes.containers]
    assert len(columns) == 25
    bottoms = [bar.get_y() for bar in columns[7]]
    assert bottoms == [low, -10.0, 0.0, 15.0, 30.0]
    assert columns[7][-1].get_y() + columns[7][-1].get_height() == pytest.approx(high)
    for bar, net in zip(columns[7], (-40.0, -20.0, 0.0, 20.0, 40.0), strict=True):
        assert same_color(bar.get_facecolor(), NET_COLOURS(net / 80.0 + 0.5))
    assert same_color(columns[7][-1].get_facecolor(), style.DISCHARGE_COLOUR)
    expected = [brute_force(hour, price[2 * n]) for n, (_, hour) in enumerate(orders.groupby("start_utc"))]
    drawn = np.zeros(25)
    for x, _, top in bars(figure.axes[1]):
        drawn[int(x)] += top
    np.testing.assert_allclose(drawn, expected)
    for part in ("100 day-ahead steps", "market index for clearing price", "25-hour day"):
        assert part in words(figure), part


def test_prices_come_from_cleared_orders_where_there_is_no_table() -> None:
    price, _ = cleared(DAY)
    axes = bid_curve_picture(hourly_orders(DAY, LIMITS, price), None, SIMULATED).axes[0]
    drawn = np.asarray(
        next(line for line in axes.lines if line.get_label() == "clearing price").get_ydata(), dtype=float
    )
    known = [2, 3, 4, 5, 36, 37, 38, 39]
    np.testing.assert_array_equal(drawn[known], price[known])
    assert np.isnan(np.delete(drawn[:-1], known)).all()


def test_no_order_or_two_strategies_are_refused_and_the_same_orders_give_the_same_bytes() -> None:
    orders = hourly_orders(DAY, LIMITS, None)
    with pytest.raises(ValueError, match="bid curve shows one day of one strategy, not 2"):
        bid_curve_picture(pd.concat([orders, orders.assign(strategy="other")]), None, SIMULATED)
    with pytest.raises(ValueError, match="not 0"):
        bid_curve_picture(orders.iloc[:0], None, SIMULATED)
    again = orders.sample(frac=1.0, random_state=1)
    assert png_bytes(bid_curve_picture(orders, None, SIMULATED)) == png_bytes(bid_curve_picture(again, None, SIMULATED))
