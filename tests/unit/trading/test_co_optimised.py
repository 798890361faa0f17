"""One gate's decision: its rows against the rules read anew, and what the settings do to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ancillary_cases import service
from gate_cases import (
    BEFORE_SPLITTING,
    CLOCKS_BACK,
    CLOCKS_FORWARD,
    DAY,
    RESERVE_ON,
    gate_inputs,
    with_values,
)
from plan_oracle import HALF_HOURS, broken_rules

from bess_pipeline import gb_time, schemas
from bess_pipeline.ancillary.products import PRODUCT_TABLE
from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.battery.limits import ALWAYS, Availability
from bess_pipeline.co_optimisation_settings import CoOptimisationSettings
from bess_pipeline.errors import UserInputError
from bess_pipeline.optimisation.energy import optimise_energy
from bess_pipeline.optimisation.problem import ClosingState, EnergyProblem
from bess_pipeline.optimisation.stochastic.result import TwoStageSolution
from bess_pipeline.optimisation.stochastic.solve import VAR_NOTE
from bess_pipeline.optimisation.stochastic.steps import StepPlan, optimise_steps
from bess_pipeline.settings import RollingSettings
from bess_pipeline.trading import co_optimised
from bess_pipeline.trading.co_optimised import Decision, closing_energy_mwh, decide, plan_rows
from bess_pipeline.trading.co_optimised_names import CO_OPTIMISED, RISK_AVERSE, RISK_NEUTRAL
from bess_pipeline.trading.gate_problem import GateInputs, after_day_ahead, gate_problem
from bess_pipeline.trading_tables import CO_OPTIMISED_PLAN

SIMULATED = AncillarySettings(activation_basis="simulated")
TWO = AncillarySettings(response_products=())
ONE_DAY = RollingSettings(look_ahead_hours=24)  # a horizon half as long; the whole one where it matters
FEW = 6


def decided(inputs: GateInputs, strategy: str = RISK_AVERSE) -> Decision:
    available = inputs.availability(inputs.efa_date)
    return decide(gate_problem(inputs), strategy, inputs.co_optimisation, inputs.ancillary, available)


@lru_cache(maxsize=8)
def simulated(day: date, strategy: str = RISK_AVERSE) -> tuple[GateInputs, Decision]:
    """A day whose activation comes from scenarios, so that all six products are offered."""
    inputs = gate_inputs(day, FEW, ancillary=SIMULATED, rolling=ONE_DAY)
    return inputs, decided(inputs, strategy)


def two_markets(settings: dict[str, Any], **changes: Any) -> GateInputs:
    return gate_inputs(
        DAY,
        FEW,
        **({"co_optimisation": CoOptimisationSettings(**settings), "ancillary": TWO, "rolling": ONE_DAY} | changes),
    )


# --- the rules ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", CO_OPTIMISED)
@pytest.mark.parametrize(("day", "half_hours"), [(DAY, 48), (CLOCKS_FORWARD, 46), (CLOCKS_BACK, 50)])
def test_a_plan_keeps_every_rule(day: date, half_hours: int, strategy: str) -> None:
    inputs, decision = simulated(day, strategy)
    rows = schemas.validate(CO_OPTIMISED_PLAN, plan_rows(decision, strategy))
    assert rows["start_utc"].tolist() == gb_time.efa_half_hours(day).tolist()
    assert len(rows) == half_hours
    assert broken_rules(rows, inputs) == []
    assert set(rows["strategy"]) == {strategy}
    assert rows["day_ahead_mw"].abs().max() > 1
    assert rows[["dcl_mw", "dml_mw", "drh_mw"]].sum().sum() > 100
    assert closing_energy_mwh(decision) == rows["energy_mwh"].iloc[-1]


@pytest.mark.parametrize(
    ("column", "by", "named"),
    [
        ("drh_mw", 25.0, "charge rating"),
        ("dcl_mw", 0.5, "changes within block"),
        ("energy_mwh", 0.01, "state at"),
        ("charge_mw", 60.0, "charge rating"),
        ("day_ahead_mw", 0.05, "steps of 0.1"),
        ("day_ahead_mw", 20.0, "imbalance"),
    ],
)
def test_the_reading_of_the_rules_sees_a_broken_plan(column: str, by: float, named: str) -> None:
    inputs, decision = simulated(DAY)
    rows = plan_rows(decision, RISK_AVERSE)
    rows.loc[20, column] += by
    assert any(named in one for one in broken_rules(rows, inputs))


@pytest.mark.parametrize("half_hours", HALF_HOURS)
def test_before_services_could_be_split_a_block_has_one(half_hours: int) -> None:
    inputs = gate_inputs(HALF_HOURS[half_hours], FEW, ancillary=SIMULATED)
    decision = decided(inputs)
    rows = plan_rows(decision, RISK_AVERSE)
    assert len(rows) == half_hours
    assert broken_rules(rows, inputs) == []
    offered = {service(c) for c, mw in zip(decision.given.codes, decision.response_mw, strict=True) if mw.any()}
    assert len(offered) > 1  # one in a block, not one in all
    assert any("paid most" in note for note in decision.notes)
    assert decision.solution.bound_gbp >= decision.solution.objective_gbp
    assert decision.solution.gap == pytest.approx(
        (decision.solution.bound_gbp - decision.solution.objective_gbp) / decision.solution.objective_gbp, abs=1e-9
    )


def test_offers_stay_below_a_tenth_of_what_clears_and_half_an_outage_halves_them() -> None:
    inputs, decision = simulated(DAY)
    first = pd.Timestamp(DAY) - pd.Timedelta(days=28)
    past = inputs.auctions[(inputs.auctions["efa_date"] >= first.date()) & (inputs.auctions["efa_date"] < DAY)]
    mean = past.groupby("product")["cleared_volume_mw"].mean()
    for code, mw in zip(decision.given.codes, decision.response_mw, strict=True):
        assert mw.max() <= 0.1 * mean[code]
    share = Availability(np.full(48, 0.5), np.full(48, 0.5))
    halved = decided(replace(inputs, availability=lambda day: share if day == DAY else ALWAYS))
    rows = plan_rows(halved, RISK_AVERSE)
    low = rows["discharge_mw"] + rows["dcl_mw"] + rows["dml_mw"] + rows["drl_mw"]
    high = rows["charge_mw"] + rows["dch_mw"] + rows["dmh_mw"] + rows["drh_mw"]
    assert max(low.max(), high.max()) <= 25.0 + 1e-6
    full = plan_rows(decision, RISK_AVERSE)
    assert (full["charge_mw"] + full["dch_mw"] + full["dmh_mw"] + full["drh_mw"]).max() > 30.0


def test_reserve_stands_beside_response_that_is_constant_in_its_block() -> None:
    settings = AncillarySettings(reserve_products=("PQR", "NQR"), response_products=("DCL", "DRH"), **RESERVE_ON)
    rows = plan_rows(decided(gate_inputs(DAY, 3, ancillary=settings, rolling=ONE_DAY)), RISK_AVERSE)
    block = gb_time.efa_columns(rows["start_utc"])["efa_block"]
    assert rows.groupby(block)[["dcl_mw", "drh_mw"]].nunique().max().max() == 1
    assert rows.groupby(block)["pqr_mw"].nunique().max() > 1  # half-hours of its own
    assert (rows[["dcl_mw", "pqr_mw"]].sum(axis=1) + rows["discharge_mw"]).max() <= 50.0 + 1e-6
    assert (rows[["dcl_mw", "drh_mw", "pqr_mw", "nqr_mw"]] % 1 == 0).all(axis=None)


def test_the_band_of_a_plan_holds_its_state_and_the_quantiles_those_of_the_scenarios() -> None:
    _, decision = simulated(DAY)
    rows = plan_rows(decision, RISK_AVERSE)
    at_start = np.append(50.0, rows["energy_mwh"].to_numpy()[:-1])
    assert (at_start >= rows["energy_floor_mwh"] - 1e-5).all()
    assert (at_start <= rows["energy_ceiling_mwh"] + 1e-5).all()
    assert (rows["energy_floor_mwh"] > 5.0).any()
    energy, weight = decision.solution.of("energy_mwh")[:, :48], decision.given.problem.probability
    for t in range(48):
        order = np.argsort(energy[:, t])
        reached = np.cumsum(weight[order])
        for column, level in (("energy_q05_mwh", 0.05), ("energy_q95_mwh", 0.95)):
            assert rows[column][t] == energy[order[np.searchsorted(reached, level - 1e-12)], t]


# --- rounding that cannot hold, and volumes that are given -----------------------------------------------------


def test_a_service_that_cannot_be_held_is_given_up_and_the_others_stay() -> None:
    """A price so high that the programme takes a breach in one half-hour: what is offered takes none."""
    inputs = gate_inputs(DAY, FEW, ancillary=SIMULATED, opening_energy_mwh=5.0, rolling=ONE_DAY)
    inputs = with_values(inputs, response_DCL=900.0)
    decision = decided(inputs, RISK_NEUTRAL)
    wanted = decision.given.problem.split_plan(decision.solution.plan)[1]
    dcl = decision.given.codes.index("DCL")
    assert wanted[dcl, 0] > 5.0  # the control: the programme would breach
    assert decision.response_mw[dcl, 0] == 0.0
    assert decision.response_mw[dcl, 1:6].min() > 20.0
    assert broken_rules(plan_rows(decision, RISK_NEUTRAL), inputs) == []


def test_a_service_whose_delivery_empties_the_store_is_given_up() -> None:
    """More is delivered in a block than its volume: nothing is required at the start, but the energy is not there."""
    battery = replace(gate_inputs().battery, energy_mwh=30.0)
    settings = AncillarySettings(activation_basis="simulated", response_products=("DCL",))
    inputs = gate_inputs(DAY, 3, ancillary=settings, battery=battery, opening_energy_mwh=15.0)
    inputs = with_values(inputs, response_DCL=900.0, activation_DCL=0.45)
    decision = decided(inputs, RISK_NEUTRAL)
    rows = plan_rows(decision, RISK_NEUTRAL)
    assert rows["energy_mwh"].min() >= 1.5 - 1e-6
    assert (rows["dcl_mw"] + rows["discharge_mw"]).max() <= 50.0


def test_a_battery_that_is_cut_off_stands_still_at_its_lowest_state() -> None:
    battery = replace(gate_inputs().battery, auxiliary_mw=1.0)
    none = Availability(np.zeros(48), np.zeros(48))
    cut_off = gate_inputs(DAY, 2, battery=battery, opening_energy_mwh=11.0, availability=lambda _: none)
    rows = plan_rows(decided(cut_off), RISK_AVERSE)
    assert rows["energy_mwh"].to_numpy() == pytest.approx(np.maximum(11.0 - 0.5 * np.arange(1, 49), 5.0))
    assert rows[["charge_mw", "discharge_mw", "dcl_mw", "drh_mw"]].abs().max().max() == 0


def test_a_battery_with_a_standby_load_keeps_its_limits_whatever_was_sold() -> None:
    battery = replace(gate_inputs().battery, auxiliary_mw=1.0)
    rows = plan_rows(response_gate([50.0] * 24, battery=battery), RISK_AVERSE)
    assert rows["energy_mwh"].min() >= 5.0 - 1e-6
    assert (rows["day_ahead_mw"] == 50.0).all()


def response_gate(sold: Sequence[float], **changes: Any) -> Decision:
    inputs = gate_inputs(DAY, FEW, gate="response", ancillary=SIMULATED, rolling=ONE_DAY, **changes)
    price = inputs.scenarios.value["day_ahead"].mean(axis=0)[:24].repeat(2)
    given = after_day_ahead(gate_problem(inputs), np.asarray(sold), price)
    return decide(given, RISK_AVERSE, inputs.co_optimisation, inputs.ancillary, ALWAYS)


def test_volumes_that_contradict_the_plan_give_a_plan_and_a_note() -> None:
    decision = response_gate([50.0] * 24)
    rows = plan_rows(decision, RISK_AVERSE)
    assert (rows["day_ahead_mw"] == 50.0).all()
    assert set(rows["gate"]) == {"response"}
    inputs = gate_inputs(DAY, FEW, gate="response", ancillary=SIMULATED)
    assert broken_rules(rows, inputs, sold_is_dispatched=False) == []
    undelivered = (rows["day_ahead_mw"] - rows["discharge_mw"] + rows["charge_mw"]).abs() - 2.5
    (note,) = [one for one in decision.notes if "cannot be dispatched" in one]
    assert note.startswith(f"{0.5 * undelivered.clip(lower=0).sum():.1f} MWh of what is sold")


def test_accepted_volumes_are_kept_as_they_are() -> None:
    sold = np.round(simulated(DAY)[1].day_ahead_mw[:24] - 0.03, 2)  # no steps of 0.1 MW: they are given
    rows = plan_rows(response_gate(sold), RISK_AVERSE)
    assert rows["day_ahead_mw"].tolist() == sold.repeat(2).tolist()


# --- risk ------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def weighed(weight: float) -> TwoStageSolution:
    """The solution at a risk aversion."""
    return decided(two_markets({"risk_aversion": weight})).solution


def test_risk_aversion_costs_mean_and_saves_cvar() -> None:
    found = [weighed(weight) for weight in (0.0, 0.5, 1.0)]
    for less, more in pairwise(found):
        assert more.cvar_gbp <= less.cvar_gbp + 1e-6 * abs(less.cvar_gbp)
        assert more.expected_profit_gbp <= less.expected_profit_gbp + 1e-6 * abs(less.expected_profit_gbp)
    assert found[-1].cvar_gbp < found[0].cvar_gbp - 10.0
    neutral = decided(two_markets({"risk_aversion": 1.0}), RISK_NEUTRAL).solution
    assert neutral.expected_profit_gbp == pytest.approx(found[0].expected_profit_gbp)


def test_a_limit_of_cvar_is_kept_and_costs_mean() -> None:
    free, careful = weighed(0.0), weighed(1.0)
    limit = (free.cvar_gbp + careful.cvar_gbp) / 2
    kept = decided(two_markets({"risk_aversion": 0.0, "cvar_limit_gbp": limit})).solution
    assert kept.cvar_gbp <= limit + 1e-6 * abs(limit)
    assert careful.expected_profit_gbp < kept.expected_profit_gbp < free.expected_profit_gbp
    by_var = decided(two_markets({"risk_aversion": 0.0, "var_limit_gbp": limit}))
    assert by_var.solution.value_at_risk_gbp <= by_var.solution.cvar_gbp <= limit + 1e-6 * abs(limit)
    assert VAR_NOTE in by_var.notes
    neutral = decided(two_markets({"cvar_limit_gbp": limit}), RISK_NEUTRAL).solution
    assert neutral.cvar_gbp == pytest.approx(free.cvar_gbp)  # a limit is of the strategy that weighs risk


@pytest.mark.parametrize("name", ["cvar_limit_gbp", "var_limit_gbp"])
def test_a_limit_that_no_plan_keeps_is_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(UserInputError, match=r"no plan keeps the CVaR within -900,000\.00 GBP: the least") as caught:
        decided(two_markets({name: -900_000.0}))
    assert "\n" not in str(caught.value)


# --- price-quantity steps --------------------------------------------------------------------------------------


def test_steps_are_an_option() -> None:
    inputs = two_markets({"day_ahead_orders": "steps", "price_steps": 2})
    decision = decided(inputs)
    curve, problem = decision.curve, decision.given.problem
    assert curve is not None
    assert simulated(DAY)[1].curve is None
    assert np.abs(curve.offered_mw * 10 - np.round(curve.offered_mw * 10)).max() < 1e-9
    assert (curve.offered_mw != 0).all()
    assert np.bincount(curve.product).max() > 1  # a curve, not a volume
    rows = plan_rows(decision, RISK_AVERSE)
    expected = problem.probability @ inputs.scenarios.value["day_ahead"]
    for hour in range(24):
        sold = 0.0
        for product, mw, limit in zip(curve.product, curve.offered_mw, curve.limit_price_gbp_mwh, strict=True):
            reached = expected[hour] >= limit if mw > 0 else expected[hour] <= limit
            sold += mw if product == hour and reached else 0.0
        assert rows["day_ahead_mw"].iloc[2 * hour : 2 * hour + 2].tolist() == pytest.approx([sold] * 2)
    assert broken_rules(rows, inputs) == []


def test_steps_keep_a_limit_of_cvar_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A curve loses less than volumes, so that a limit which binds it leaves no plan in volumes: what it is asked for
    is looked at."""
    asked: list[dict[str, Any]] = []

    def recorded(*given: Any, **options: Any) -> StepPlan:
        asked.append(options)
        return optimise_steps(*given, **options)

    monkeypatch.setattr(co_optimised, "optimise_steps", recorded)
    settings: dict[str, Any] = {"day_ahead_orders": "steps", "price_steps": 2, "cvar_limit_gbp": 1e6}
    for strategy in CO_OPTIMISED:
        decided(two_markets(settings), strategy)
    assert [one.get("cvar_limit_gbp") for one in asked] == [None, 1e6]


def test_a_response_gate_offers_no_curve() -> None:
    settings = CoOptimisationSettings(day_ahead_orders="steps")
    assert response_gate([0.0] * 24, co_optimisation=settings).curve is None


# --- two markets, and their limits -----------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", CO_OPTIMISED)
def test_a_volume_cap_of_zero_earns_what_two_markets_earn(strategy: str) -> None:
    nothing = decided(
        gate_inputs(DAY, FEW, ancillary=AncillarySettings(volume_cap_share=0.0), rolling=ONE_DAY), strategy
    ).solution
    two = decided(gate_inputs(DAY, FEW, ancillary=TWO, rolling=ONE_DAY), strategy).solution
    assert nothing.objective_gbp == pytest.approx(two.objective_gbp, rel=1e-6)
    assert simulated(DAY, strategy)[1].solution.objective_gbp > two.objective_gbp + 100.0


def test_days_before_services_have_a_plan_of_two_markets() -> None:
    inputs = gate_inputs(BEFORE_SPLITTING, 2, ancillary=AncillarySettings(response_products=()))
    rows = plan_rows(decided(inputs), RISK_AVERSE)
    assert (rows["energy_floor_mwh"] == 5.0).all()
    assert (rows["energy_ceiling_mwh"] == 95.0).all()
    assert set(rows["activation_basis"]) == {"none"}


@pytest.mark.parametrize("strategy", CO_OPTIMISED)
def test_one_scenario_that_is_the_outcome_earns_what_perfect_foresight_earns(strategy: str) -> None:
    """Over one window of 48 h, without trade within the day: what is sold in an hour is dispatched in it."""
    settings = CoOptimisationSettings(imbalance_limit_mw=0.0, risk_aversion=0.0)
    inputs = gate_inputs(DAY, 1, co_optimisation=settings, ancillary=TWO)
    price, battery = inputs.scenarios.value["day_ahead"][0], inputs.battery
    worth = battery.discharge_efficiency * (price.mean() - battery.degradation_cost_gbp_per_mwh)
    day = np.repeat([0, 1], price.size // 2)
    foresight = optimise_energy(EnergyProblem(price, 1.0, day, battery, 50.0, ClosingState.free(float(worth))))
    assert decided(inputs, strategy).solution.objective_gbp == pytest.approx(foresight.objective_gbp, rel=1e-6)


@pytest.mark.parametrize("strategy", CO_OPTIMISED)
def test_without_trade_within_the_day_and_activation_contracted_is_dispatched(strategy: str) -> None:
    settings = CoOptimisationSettings(imbalance_limit_mw=0.0)
    still = AncillarySettings(activation_multiplier=0.0)
    decision = decided(gate_inputs(DAY, 3, co_optimisation=settings, ancillary=still, rolling=ONE_DAY), strategy)
    problem, solution = decision.given.problem, decision.solution
    sold = 0.5 * problem.split_plan(solution.plan)[0][problem.product_index]
    moved = solution.of("discharge_mwh") - solution.of("charge_mwh")
    np.testing.assert_allclose(moved, np.broadcast_to(sold, moved.shape), atol=1e-6)
    rows = plan_rows(decision, strategy)
    left = 0.5 * (rows["discharge_mw"] - rows["charge_mw"] - rows["day_ahead_mw"]).abs().sum()
    assert left < 0.5  # what rounding takes, and it is said
    assert left < 1e-5 or any("cannot be dispatched within the imbalance limit" in note for note in decision.notes)
    assert rows["day_ahead_mw"].abs().max() > 1.0
    assert rows[["dcl_mw", "drh_mw"]].to_numpy().max() > 1.0


def test_a_service_that_the_state_is_short_for_later_is_given_up_before_a_plan_is() -> None:
    """No energy may be bought and 1.2 MW of DCL are held from 03:00: a DCL of 2 MW there becomes one that holds."""
    settings = CoOptimisationSettings(imbalance_limit_mw=0.0)
    still = AncillarySettings(activation_multiplier=0.0)
    inputs = gate_inputs(DAY, FEW, gate="response", co_optimisation=settings, ancillary=still, rolling=ONE_DAY)
    battery = inputs.battery
    per_mw = PRODUCT_TABLE["DCL"].duration_h / battery.discharge_efficiency
    given = gate_problem(replace(inputs, opening_energy_mwh=battery.energy_min_mwh + 1.2 * per_mw))
    nothing = np.zeros(given.problem.products)
    given = replace(given, problem=given.problem.with_plan(nothing, None))
    offered = np.zeros((len(given.codes), given.problem.blocks))
    offered[given.codes.index("DCL"), 1] = 2.0
    response, expected = co_optimised._kept(given, nothing, offered)
    assert response[given.codes.index("DCL")].tolist() == [0.0, 1.0, *[0.0] * (given.problem.blocks - 2)]
    assert expected.of("energy_mwh")[0] == pytest.approx(battery.energy_min_mwh + 1.2 * per_mw)
