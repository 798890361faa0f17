"""Explanations, limit prices and the note on conduct of plans of a gate."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from gate_cases import DAY, RESERVE_ON, gate_inputs, with_values

from bess_pipeline import gb_time
from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.co_optimisation_settings import CoOptimisationSettings
from bess_pipeline.optimisation.stochastic.marginal_values import MarginalValues, marginal_values
from bess_pipeline.optimisation.stochastic.programme import compile_programme
from bess_pipeline.optimisation.stochastic.result import TwoStageSolution
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.solve import optimise_plan
from bess_pipeline.trading.conduct import conduct_note
from bess_pipeline.trading.gate_problem import GateProblem, after_day_ahead, gate_problem
from bess_pipeline.trading.plan_explanation import (
    COLUMNS,
    explain,
    limit_prices,
    offer_groups,
)

RISK = RiskAversion(0.5, 0.8)


@lru_cache(maxsize=1)
def planned() -> tuple[GateProblem, TwoStageSolution]:
    given = gate_problem(gate_inputs(count=6))
    return given, optimise_plan(given.problem, RISK, exclusive=False)


def values_of(given: GateProblem, solution: TwoStageSolution) -> MarginalValues:
    return marginal_values(compile_programme(given.problem), solution, RISK)


def test_every_volume_of_the_trading_day_has_one_row_and_its_margin_is_weighed_price_less_displaced_value() -> None:
    given, solution = planned()
    rows, values = explain(given, solution, RISK), values_of(given, solution)
    assert tuple(rows.columns) == COLUMNS
    first, end = gb_time.efa_day_bounds_utc(DAY)
    assert rows["start_utc"].between(first, end, inclusive="left").all()
    assert not rows.duplicated(["market", "product", "start_utc"]).any()
    sold, response = given.problem.split_plan(solution.plan)
    held = rows[rows["committed_mw"] != 0]
    energy = held[held["market"] == "day_ahead"].set_index("start_utc")["committed_mw"]
    expected = pd.Series(sold, given.day_ahead_start_utc)[lambda s: (s.index < end) & (s.abs() > 0.01)]
    np.testing.assert_allclose(energy.reindex(expected.index), expected)
    assert len(energy) == len(expected)
    blocks = given.block_start_utc
    for k, code in enumerate(given.codes):
        mine = rows[rows["product"] == code].set_index("start_utc")
        for b in np.flatnonzero(blocks < end):
            price = values.split(values.expected_price)[1][k, b]
            row = mine.loc[blocks[b]] if blocks[b] in mine.index else None
            assert (row is not None) == (response[k, b] > 0.01 or price > 0.01)
            if row is not None:
                assert row["expected_price"] == pytest.approx(price)
                assert row["margin"] == pytest.approx(values.split(values.margin)[1][k, b], abs=1e-9)
                assert ("does not offer" in row["why"]) == (response[k, b] <= 0.01)
    left = rows[rows["committed_mw"] == 0]
    assert len(left) > 0
    assert (left["margin"] < 0.05).all()


def test_the_parts_add_up_to_the_displaced_value_and_the_sentence_names_price_and_limit() -> None:
    given, solution = planned()
    rows = explain(given, solution, RISK)
    for row in rows.itertuples():
        parts = [float(number) for number in re.findall(r" (-?\d+\.\d\d)(?:,|$)", row.displaces)]
        assert sum(parts) == pytest.approx(row.displaced_value, abs=0.005 * (len(parts) + 4))
        assert f"{row.expected_price:.2f} GBP/MW" in row.why
        assert f"{row.displaced_value:.2f}" in row.why
    dearest = rows[rows["market"] == "day_ahead"].nlargest(1, "expected_price").iloc[0]
    assert dearest["why"].startswith(f"sells {dearest['committed_mw']:.1f} MW at an expected ")
    assert "the energy is worth" in dearest["why"]
    bought = rows[(rows["market"] == "day_ahead") & (rows["committed_mw"] < 0)]
    assert bought["why"].str.startswith("buys ").all()


def test_a_service_at_its_volume_cap_says_so_and_one_that_nothing_is_left_of_says_why() -> None:
    given, _ = planned()
    cap = np.array(given.problem.response_cap_mw)
    one, other = given.codes.index("DRH"), given.codes.index("DCL")
    cap[one, :], cap[other, 2] = 3.0, 0.0
    narrow = replace(given, problem=replace(given.problem, response_cap_mw=cap))
    rows = explain(narrow, optimise_plan(narrow.problem, RISK, exclusive=False), RISK)
    capped = rows[(rows["product"] == "DRH") & (rows["margin"] > 0.05)]
    assert len(capped) > 0
    assert capped["binding"].str.startswith("volume cap 3 MW").all()
    np.testing.assert_allclose(capped["committed_mw"], 3.0, atol=1e-3)
    shut = rows[(rows["product"] == "DCL") & (rows["start_utc"] == narrow.block_start_utc[2])].iloc[0]
    assert shut["committed_mw"] == 0.0
    assert "volume cap 0 MW" in shut["why"]


def test_the_side_that_holds_a_sale_back_is_named() -> None:
    # a spike of one hour that every scenario has: the discharge rating is sold out in both of its half-hours
    inputs = with_values(gate_inputs(count=4, ancillary=AncillarySettings(response_products=())))
    price = inputs.scenarios.value["day_ahead"].copy()
    spike = 19
    price[:, spike] = 2000.0
    given = gate_problem(with_values(inputs, day_ahead=price))
    rows = explain(given, optimise_plan(given.problem, RISK, exclusive=False), RISK)
    row = rows[rows["start_utc"] == given.day_ahead_start_utc[spike]].iloc[0]
    power = given.problem.battery.power_mw
    assert row["committed_mw"] >= power - 1e-6
    assert "whole offer limit 50 MW" in row["binding"] or "rating of the discharge side in 2 of 2" in row["binding"]
    assert "the charge side" not in row["binding"]


def test_limits_are_pennies_that_never_refuse_the_value_itself() -> None:
    given, solution = planned()
    values = values_of(given, solution)
    energy, capacity = limit_prices(values)
    displaced, of_capacity = values.split(values.displaced)
    sold = values.split(values.mw)[0]
    assert energy.shape == sold.shape
    assert capacity.shape == of_capacity.shape
    assert (sold < -0.01).any()
    assert (sold > 0.01).any()
    buys = sold < -0.01
    assert (energy[buys] >= displaced[buys] - 1e-7).all()
    assert (energy[~buys] <= displaced[~buys] + 1e-7).all()
    assert (capacity <= of_capacity + 1e-7).all()
    np.testing.assert_allclose(energy, displaced, atol=0.01 + 1e-7)
    np.testing.assert_allclose(capacity, of_capacity, atol=0.01 + 1e-7)
    for prices in (energy, capacity):
        np.testing.assert_allclose(prices * 100, np.rint(prices * 100), atol=1e-6)
    whole = np.where(np.arange(values.mw.size) == 3, 12.5, np.nan)
    np.testing.assert_allclose(limit_prices(values, whole_offers=whole)[0][3], 12.5)
    np.testing.assert_allclose(limit_prices(values, whole_offers=whole)[0][4:], energy[4:])
    for side, bid in (
        (np.flatnonzero(sold > 0.01), 900.0),
        (np.flatnonzero(buys), -900.0),
    ):  # no better than the last MW
        found = np.where(np.isin(np.arange(values.mw.size), side), bid, np.nan)
        np.testing.assert_array_equal(limit_prices(values, whole_offers=found)[0][side], energy[side])
    lower = limit_prices(values, np.full(capacity.shape, 1.0))[1]
    np.testing.assert_allclose(lower, capacity - 1.0, atol=1e-9)


@pytest.mark.parametrize(("worth", "limit"), [(71.30, 71.30), (71.3049, 71.30), (71.2999999999, 71.30), (9e4, 3000.0)])
def test_a_sale_is_rounded_down_and_kept_within_the_auction(worth: float, limit: float) -> None:
    values = values_of(*planned())
    whole = replace(values, by_kind={"stored energy": np.full(values.mw.size, worth)})
    energy, capacity = limit_prices(whole)
    sold = values.split(values.mw)[0] >= -0.01
    np.testing.assert_allclose(energy[sold], limit, atol=1e-9)
    np.testing.assert_allclose(capacity, min(limit, 999.99), atol=1e-9)
    up = limit_prices(replace(values, by_kind={"stored energy": np.full(values.mw.size, 71.3001)}))[0]
    np.testing.assert_allclose(up[~sold], 71.31, atol=1e-9)
    low = limit_prices(replace(values, by_kind={"stored energy": np.full(values.mw.size, -9e4)}))
    assert low[0].max() == -500.0
    assert low[1].max() == -999.99


def test_half_hours_that_one_offer_ties_together_have_one_limit_and_one_row() -> None:
    settings = AncillarySettings(response_products=("DRH",), reserve_products=("PQR",), **RESERVE_ON)
    given = gate_problem(gate_inputs(count=3, ancillary=settings))
    solution = optimise_plan(given.problem, RISK, exclusive=False)
    values = values_of(given, solution)
    _, capacity = limit_prices(values)
    response, reserve = given.codes.index("DRH"), given.codes.index("PQR")
    first = given.horizon.block_start
    for a, b in zip(first, [*first[1:], given.horizon.periods], strict=True):
        assert np.ptp(capacity[response, a:b]) == 0.0
        pooled = values.split(values.displaced)[1][response, a:b]
        share = values.split(values.weight)[1][response, a:b]
        assert capacity[response, a] == pytest.approx((pooled * share).sum() / share.sum(), abs=0.011)
    assert np.ptp(capacity[reserve]) > 0.0
    rows = explain(given, solution, RISK)
    assert (rows["product"] == "DRH").sum() <= 6
    assert (rows["product"] == "PQR").sum() > 6
    assert not rows["binding"].str.contains("constant block").any()
    assert len(np.unique(offer_groups(values.programme))) < values.mw.size


def test_at_the_response_gate_energy_is_told_as_already_sold() -> None:
    given, solution = planned()
    end = gb_time.efa_day_bounds_utc(DAY)[1]
    products = int((given.day_ahead_start_utc < end).sum())
    accepted = np.round(given.problem.split_plan(solution.plan)[0][:products], 1)
    cleared = given.problem.day_ahead_price_gbp_mwh[0, : given.problem.committed_periods]
    later = after_day_ahead(given, accepted, cleared)
    rows = explain(later, optimise_plan(later.problem, RISK, exclusive=False), RISK)
    energy = rows[rows["market"] == "day_ahead"]
    assert energy["why"].str.match("has (sold|bought) ").all()
    assert energy["binding"].str.contains("volume already contracted").all()
    np.testing.assert_allclose(energy["expected_price"], cleared[::2][np.abs(accepted) > 0.01])


def test_the_conduct_note_tells_how_much_and_when_and_is_silent_without_a_position() -> None:
    given, solution = planned()
    note = conduct_note(given, solution)
    assert note.startswith("Conduct: ")
    assert "check with compliance" in note
    # the long way round: scenario by scenario, half-hour by half-hour
    total, sold = 0.0, given.problem.split_plan(solution.plan)[0]
    charge, discharge = solution.of("charge_mwh"), solution.of("discharge_mwh")
    for n, weight in enumerate(given.problem.probability):
        for t in range(given.problem.committed_periods):
            contracted = 0.5 * sold[given.problem.product_index[t]]
            total += weight * abs(discharge[n, t] - charge[n, t] - contracted)
    told = float(re.search(r"by (\d+\.\d) MWh", note).group(1))  # type: ignore[union-attr]
    assert told == pytest.approx(total, abs=0.15)
    assert total > 1.0
    bound = gate_problem(gate_inputs(count=3, co_optimisation=CoOptimisationSettings(imbalance_limit_mw=0.0)))
    assert conduct_note(bound, optimise_plan(bound.problem, RISK, exclusive=False)) == ""
