"""CVaR is a coherent measure of risk, and its tail weights attribute it exactly, whatever the numbers."""

from __future__ import annotations

import math
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bess_pipeline import gb_time
from bess_pipeline.risk.attribution import euler_split
from bess_pipeline.risk.explain import explain
from bess_pipeline.risk.measures import tail
from bess_pipeline.risk.waterfall import Level, waterfall

POUNDS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 2))
CONFIDENCES = st.sampled_from([0.5, 0.75, 0.9, 0.95, 0.975, 0.99])


@st.composite
def distributions(draw: st.DrawFn, parts: int) -> tuple[np.ndarray, np.ndarray]:
    """(outcomes, parts) P&L and the probabilities of the outcomes."""
    count = draw(st.integers(1, 25))
    weights = draw(arrays(np.float64, count, elements=st.floats(0.01, 1.0)))
    return draw(arrays(np.float64, (count, parts), elements=POUNDS)), weights / weights.sum()


@given(distributions(2), CONFIDENCES, st.floats(0.0, 50.0), POUNDS)
def test_cvar_is_coherent(case: tuple[np.ndarray, np.ndarray], confidence: float, factor: float, sure: float) -> None:
    pnl, chance = case
    one, other = (tail(column, confidence, chance).cvar_gbp for column in pnl.T)
    size = 1e-9 * (np.abs(pnl).max() * (1.0 + factor) + abs(sure) + 1.0)
    assert tail(pnl.sum(axis=1), confidence, chance).cvar_gbp <= one + other + size  # subadditive
    assert tail(pnl[:, 0] + sure, confidence, chance).cvar_gbp == pytest.approx(one - sure, abs=size)  # translation
    assert tail(pnl[:, 0] * factor, confidence, chance).cvar_gbp == pytest.approx(one * factor, abs=size)
    better = np.maximum(pnl[:, 0], pnl[:, 1])
    assert tail(better, confidence, chance).cvar_gbp <= one + size  # monotone


@given(distributions(1), CONFIDENCES, st.randoms(use_true_random=False))
def test_tail_weights_are_a_share_of_the_probability_of_the_worst(
    case: tuple[np.ndarray, np.ndarray], confidence: float, random: object
) -> None:
    pnl, chance = case[0][:, 0], case[1]
    found = tail(pnl, confidence, chance)
    assert found.weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert (found.weights >= 0.0).all()
    assert (found.weights * (1.0 - confidence) <= chance + 1e-9).all()
    assert (found.weights[-pnl < found.var_gbp] == 0.0).all()
    assert found.cvar_gbp == pytest.approx(-(found.weights @ pnl), rel=1e-12, abs=1e-9)
    assert found.cvar_gbp >= found.var_gbp - 1e-9 * (1.0 + abs(found.var_gbp))
    order = np.arange(pnl.size)
    random.shuffle(order)  # type: ignore[attr-defined]
    moved = tail(pnl[order], confidence, chance[order])
    assert moved.weights == pytest.approx(found.weights[order], abs=1e-9)


@given(st.integers(1, 8).flatmap(distributions), CONFIDENCES)
def test_contributions_sum_to_the_cvar_and_the_mean(case: tuple[np.ndarray, np.ndarray], confidence: float) -> None:
    pnl, chance = case
    found = euler_split(pd.DataFrame(pnl), confidence, chance)
    total = [math.fsum(row) for row in pnl]
    whole = tail(total, confidence, chance)
    pounds = 1e-9 * max(abs(whole.cvar_gbp), float(np.abs(pnl).max()))
    assert math.fsum(found["cvar_contribution_gbp"]) == pytest.approx(whole.cvar_gbp, abs=pounds)
    assert math.fsum(found["expected_gbp"]) == pytest.approx(chance @ total, abs=pounds)


@given(st.lists(POUNDS, min_size=2, max_size=8))
def test_a_waterfall_leaves_nothing_over(pnl: list[float]) -> None:
    levels = [Level(f"replay {n}", "cash", f"step {n}") for n in range(len(pnl))]
    table = waterfall({(level.replay, level.basis): value for level, value in zip(levels, pnl, strict=True)}, levels)
    assert pnl[0] + math.fsum(table["change_gbp"]) == pytest.approx(pnl[-1], rel=1e-9, abs=1e-9 * max(map(abs, pnl)))


@given(
    st.sampled_from([(date(2026, 3, 28), date(2026, 3, 29)), (date(2026, 10, 25), date(2026, 10, 26))]),
    arrays(np.float64, (2, 50, 3), elements=st.floats(-500.0, 500.0)),
)
def test_price_volume_and_revision_explain_the_whole_change(days: tuple[date, date], numbers: np.ndarray) -> None:
    rows = []
    for day, block in zip(days, numbers, strict=True):
        starts = gb_time.efa_half_hours(day)
        volume, price, first = block[: len(starts)].T
        rows.append(pd.DataFrame({"start_utc": starts, "volume": volume, "price": price, "first_price": first}))
    before, now = (frame.assign(stream="day_ahead") for frame in rows)
    found = explain(before, now)
    reported = math.fsum(before["volume"] * before["first_price"])
    change = math.fsum(now["volume"] * now["price"]) - reported
    assert found["change_gbp"].sum() == pytest.approx(change, rel=1e-9, abs=1e-9 * np.abs(numbers).max() ** 2 + 1e-9)
