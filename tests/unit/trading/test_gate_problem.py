"""The problem of a gate against a slow reading of the same scenarios, half-hour by half-hour."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import gate_cases as cases
import numpy as np
import pandas as pd
import pytest
from ancillary_cases import DURATION_H, RECOVERY, is_low, path_by_hand, service
from gate_cases import BEFORE_SPLITTING, CLOCKS_BACK, CLOCKS_FORWARD, DAY, gate_inputs, scenario_set, with_values

from bess_pipeline import gb_time
from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.battery.limits import Availability
from bess_pipeline.co_optimisation_settings import CoOptimisationSettings
from bess_pipeline.errors import UserInputError
from bess_pipeline.optimisation.stochastic.programme import compile_programme
from bess_pipeline.scenarios.paths import ScenarioSet
from bess_pipeline.settings import RollingSettings
from bess_pipeline.trading import timeline
from bess_pipeline.trading.gate_problem import GateInputs, GateProblem, after_day_ahead, gate_problem

DAYS = [DAY, CLOCKS_FORWARD, CLOCKS_BACK]
HALF_HOURS = {DAY: 48, CLOCKS_FORWARD: 46, CLOCKS_BACK: 50}
HALF_HOUR = timedelta(minutes=30)
SIMULATED = AncillarySettings(activation_basis="simulated")
ALL_SIX = ("DCL", "DCH", "DML", "DMH", "DRL", "DRH")


def efa_key(instant: datetime) -> tuple[date, int]:
    """EFA day and block by the London clock, written anew."""
    local = instant.astimezone(gb_time.LONDON)
    day = local.date() + timedelta(days=1) if local.hour == 23 else local.date()
    return day, (local.hour + 1) % 24 // 4


def half_hours_by_hand(day: date, count: int) -> list[datetime]:
    before = day - timedelta(days=1)
    first = datetime(before.year, before.month, before.day, 23, tzinfo=gb_time.LONDON).astimezone(UTC)
    return [first + n * HALF_HOUR for n in range(count)]


def value_by_hand(scenarios: ScenarioSet, name: str, scenario: int, instant: datetime) -> float:
    """The value of the period that holds a half-hour, by search."""
    clock = scenarios.streams[name].clock
    for start, value in zip(scenarios.start_utc[name], scenarios.value[name][scenario], strict=True):
        begins = start.to_pydatetime()
        if clock == "efa_block":
            held = efa_key(begins) == efa_key(instant)
        else:
            held = begins <= instant < begins + timedelta(hours=1 if clock == "hour" else 0.5)
        if held:
            return float(value)
    raise AssertionError(f"{name} has no value at {instant}")


def arrays_of(given: GateProblem) -> dict[str, np.ndarray]:
    names = ("response_price_gbp_mw_h", "response_cap_mw", "activation_mwh_per_mw", "required_mwh_per_mw")
    return {name: np.asarray(getattr(given.problem, name)) for name in names}


@pytest.mark.parametrize("minutes", [60, 30])
@pytest.mark.parametrize("day", DAYS)
def test_energy_prices_lie_in_the_half_hours_of_their_own_periods(day: date, minutes: int) -> None:
    scenarios = scenario_set(day, 3, minutes=minutes)
    given = gate_problem(gate_inputs(day, scenarios=scenarios))
    problem, starts = given.problem, half_hours_by_hand(day, given.problem.periods)
    assert [one.to_pydatetime() for one in given.horizon.start_utc] == starts
    assert problem.committed_periods == HALF_HOURS[day]
    assert np.array_equal(problem.probability, scenarios.probability)
    own = problem.product_index
    assert np.bincount(own).tolist() == [minutes // 30] * problem.products
    for t, start in enumerate(starts):
        assert given.day_ahead_start_utc[own[t]] == start - timedelta(minutes=start.minute % minutes)
        for n in range(3):
            assert problem.day_ahead_price_gbp_mwh[n, t] == value_by_hand(scenarios, "day_ahead", n, start)
            assert problem.system_price_gbp_mwh[n, t] == value_by_hand(scenarios, "system_price", n, start)
    assert len(given.day_ahead_start_utc) == problem.products
    assert np.array_equal(problem.energy.durations, np.full(len(starts), 0.5))
    days = np.asarray(problem.energy.day_index)
    assert (days[: HALF_HOURS[day]] == 0).all()
    assert (days[HALF_HOURS[day] :] == 1).all()


@pytest.mark.parametrize("day", DAYS)
def test_response_lies_in_efa_blocks(day: date) -> None:
    inputs = gate_inputs(day, 2, ancillary=SIMULATED)
    given = gate_problem(inputs)
    problem, block = given.problem, given.problem.block_index
    assert given.codes == ALL_SIX == tuple(one.code for one in problem.responses)
    price, activation = np.asarray(problem.response_price_gbp_mw_h), np.asarray(problem.activation_mwh_per_mw)
    for t, start in enumerate(half_hours_by_hand(day, problem.periods)):
        assert efa_key(given.block_start_utc[block[t]].to_pydatetime()) == efa_key(start)
        for k, code in enumerate(given.codes):
            for n in range(2):
                assert price[n, k, block[t]] == value_by_hand(inputs.scenarios, f"response_{code}", n, start)
                assert activation[n, t, k] == value_by_hand(inputs.scenarios, f"activation_{code}", n, start)


@pytest.mark.parametrize(("day", "hours"), [(DAY, 4), (CLOCKS_FORWARD, 3), (CLOCKS_BACK, 5)])
def test_a_block_is_paid_for_its_own_hours(day: date, hours: int) -> None:
    given = gate_problem(gate_inputs(day, 2, ancillary=AncillarySettings(activation_multiplier=0.0)))
    first = given.problem.products
    cost = compile_programme(given.problem).plan_cost[:, [first, first + 1]]
    price = np.asarray(given.problem.response_price_gbp_mw_h)[:, 0, :2]
    assert cost == pytest.approx(-price * [hours, 4])


@pytest.mark.parametrize("day", [DAY, date(2024, 11, 14)])
def test_products_carry_the_rules_of_the_day(day: date) -> None:
    given = gate_problem(gate_inputs(day, 2, ancillary=SIMULATED))
    for one in given.problem.responses:
        assert one.direction == ("low" if is_low(one.code) else "high")
        assert one.recovery_share == (RECOVERY[service(one.code)] if day == DAY else 0.0)
        assert one.volume_mwh_per_mw == DURATION_H[service(one.code)]


def caps_by_hand(inputs: GateInputs, given: GateProblem, rating_mw: float = 50.0) -> np.ndarray:
    """The smallest of a sell order, the share of the mean past volume of the block, and the rating, row by row."""
    cap = np.empty((len(given.codes), given.problem.blocks))
    rows = list(inputs.auctions[["product", "delivery_start_utc", "cleared_volume_mw"]].itertuples(index=False))
    first = inputs.efa_date - timedelta(days=inputs.ancillary.volume_cap_days)
    for k, code in enumerate(given.codes):
        held = [
            (efa_key(at.to_pydatetime()), volume)
            for product, at, volume in rows
            if product == code and at < given.horizon.start_utc[0]
        ]
        for b, start in enumerate(given.block_start_utc):
            wanted = efa_key(start.to_pydatetime())[1]
            past = [volume for (day, number), volume in held if number == wanted and day >= first]
            cap[k, b] = min(100.0, inputs.ancillary.volume_cap_share * sum(past) / len(past), rating_mw)
    return cap


def test_caps_are_the_smallest_of_order_volume_and_rating() -> None:
    battery = replace(gate_inputs().battery, power_mw=400.0)
    for share, power, binds in ((0.02, 50.0, None), (1.0, 50.0, 50.0), (1.0, 400.0, 100.0)):
        inputs = gate_inputs(
            ancillary=AncillarySettings(volume_cap_share=share, volume_cap_days=10),
            battery=replace(battery, power_mw=power),
        )
        given = gate_problem(inputs)
        cap = np.asarray(given.problem.response_cap_mw)
        assert cap == pytest.approx(caps_by_hand(inputs, given, power), abs=1e-9)
        assert binds is None or (cap == binds).all()


def test_a_block_offers_no_more_than_the_battery_has_in_all_of_it() -> None:
    def half_in_one(day: date) -> Availability:
        charge = np.ones(48)
        charge[9] = 0.5 if day == DAY else 1.0
        return Availability(charge, np.full(48, 1.0 if day == DAY else 0.8))

    settings = AncillarySettings(volume_cap_share=1.0)
    given = gate_problem(gate_inputs(ancillary=settings, availability=half_in_one))
    cap = np.asarray(given.problem.response_cap_mw)
    for k, code in enumerate(given.codes):
        expected = [50.0] * 6 + [40.0] * 6 if is_low(code) else [50.0, 25.0] + [50.0] * 10
        assert cap[k].tolist() == expected
    energy = given.problem.energy
    assert np.flatnonzero(energy.charge_limit_mwh != 25.0).tolist() == [9]
    assert energy.discharge_limit_mwh.tolist() == [25.0] * 48 + [20.0] * 48
    swing = gate_problem(gate_inputs(ancillary=settings.model_copy(update={"baseline_adds_headroom": True})))
    assert swing.problem.baseline_adds_headroom
    assert (np.asarray(swing.problem.response_cap_mw) == 100.0).all()


@pytest.mark.parametrize("gate", timeline.GATES)
@pytest.mark.parametrize("day", DAYS)
def test_results_of_the_day_and_after_change_nothing_and_those_before_do(day: date, gate: timeline.Gate) -> None:
    clean = gate_inputs(day, 2, gate=gate, ancillary=AncillarySettings(reserve_products=("PQR",), **cases.RESERVE_ON))
    known = timeline.known_by(clean.auctions, "auction_clearing", timeline.gate_utc(day, gate))
    assert max(known["efa_date"]) == day - timedelta(days=1)  # its results came out the day before the gates of `day`

    def poisoned(rows: Any) -> dict[str, np.ndarray]:
        auctions = clean.auctions.copy()
        auctions.loc[rows, ["clearing_price_gbp_mw_h", "cleared_volume_mw"]] = [-9e4, 1e9]
        return arrays_of(gate_problem(replace(clean, auctions=auctions)))

    before = arrays_of(gate_problem(clean))
    later = poisoned(clean.auctions["efa_date"] >= day)
    assert all(np.array_equal(before[name], later[name]) for name in before)
    yesterday = poisoned(clean.auctions["efa_date"] == day - timedelta(days=1))
    assert (yesterday["response_cap_mw"] > before["response_cap_mw"]).any()
    assert (yesterday["response_price_gbp_mw_h"][:, -1] < before["response_price_gbp_mw_h"][:, -1]).all()
    long_ago = poisoned(clean.auctions["efa_date"] < day - timedelta(days=28))
    assert all(np.array_equal(before[name], long_ago[name]) for name in before)


def test_assumed_energy_is_the_published_throughput_spread_over_the_day() -> None:
    given = gate_problem(gate_inputs(ancillary=AncillarySettings(activation_multiplier=2.0)))
    energy = np.asarray(given.problem.activation_mwh_per_mw)
    assert given.codes == ("DCL", "DCH", "DRL", "DRH")
    assert energy == pytest.approx(np.broadcast_to(2 * np.array([0.18, 0.13, 3.6, 2.5]) / 48, energy.shape))
    assert given.activation_label == "assumed: DCL, DCH, DRL, DRH (x 2)"
    assert sum("no throughput is published" in note for note in given.notes) == 2


def test_scenario_energy_carries_its_basis_and_multiplier() -> None:
    settings = AncillarySettings(activation_basis="measured", activation_multiplier=2.0)
    given = gate_problem(gate_inputs(ancillary=settings))
    once = gate_problem(gate_inputs(ancillary=SIMULATED))
    twice = np.minimum(2 * np.asarray(once.problem.activation_mwh_per_mw), 0.5)
    assert np.asarray(given.problem.activation_mwh_per_mw) == pytest.approx(twice)
    assert given.activation_label == "measured: DCL, DCH, DML, DMH, DRL, DRH (x 2)"


@pytest.mark.parametrize("day", DAYS)
def test_required_energy_follows_delivery_in_each_scenario_and_block(day: date) -> None:
    settings = AncillarySettings(
        activation_basis="simulated", activation_multiplier=10.0, response_products=("DRL", "DCH")
    )
    given = gate_problem(gate_inputs(day, 3, ancillary=settings))
    problem, block = given.problem, given.horizon.block
    required, energy = np.asarray(problem.required_mwh_per_mw), np.asarray(problem.activation_mwh_per_mw)
    for n in range(3):
        for k, volume in enumerate((1.0, 0.25)):
            for b in range(int(block[-1]) + 1):
                path = path_by_hand(volume, energy[n, block == b, k].tolist())
                assert required[n, block == b, k] == pytest.approx(np.maximum(path, 0.0))


def test_products_without_auction_scenarios_or_volume_are_off_with_a_sentence() -> None:
    early = gate_problem(gate_inputs(date(2021, 10, 20), 2, ancillary=SIMULATED))
    assert early.codes == ("DCL",)
    assert "DRH is off: it was not auctioned for EFA day 2021-10-20 yet" in early.notes
    scenarios = scenario_set(DAY, 2, without=("response_DCL", "activation_DRH"))
    missing = gate_problem(gate_inputs(scenarios=scenarios, ancillary=SIMULATED))
    assert missing.codes == ("DCH", "DML", "DMH", "DRL")
    assert missing.notes == (
        "DCL is off: there are no scenarios of its price",
        "DRH is off: there are no scenarios of its simulated energy",
    )
    assumed = gate_problem(gate_inputs(scenarios=scenarios))
    assert assumed.codes == ("DCH", "DRL", "DRH")  # its energy is assumed: no scenarios are needed
    auctions = gate_inputs().auctions
    unsold = gate_problem(gate_inputs(auctions=auctions[auctions["product"] != "DRL"]))
    assert unsold.codes == ("DCL", "DCH", "DRH")
    assert unsold.notes[-1] == "DRL is off: nothing of it cleared in the 28 EFA days before 2026-02-11"


@pytest.mark.parametrize(
    "changes",
    [
        {"ancillary": AncillarySettings(response_products=())},
        {"ancillary": AncillarySettings(volume_cap_share=0.0)},
        {"auctions": pd.DataFrame()},
        {"scenarios": scenario_set(DAY, without=[f"response_{code}" for code in ALL_SIX])},
    ],
)
def test_without_products_two_markets_remain(changes: dict[str, Any]) -> None:
    given = gate_problem(gate_inputs(**changes))
    assert given.codes == given.problem.responses == ()
    assert (given.problem.blocks, len(given.block_start_utc)) == (0, 0)
    assert given.activation_label == "none"
    assert given.problem.plan_names == tuple(f"day_ahead_mw[{p}]" for p in range(48))
    if "auctions" in changes:
        assert sum("nothing of it cleared" in note for note in given.notes) == 4
    if changes.get("ancillary", AncillarySettings()).volume_cap_share == 0:
        assert "response and reserve are off: ancillary.volume_cap_share is 0" in given.notes


def test_a_missing_system_price_has_a_stand_in_that_is_named() -> None:
    index = gate_problem(gate_inputs(scenarios=scenario_set(DAY, 2, without=["system_price"])))
    half_hourly = scenario_set(DAY, 2).value["market_index"]
    assert np.array_equal(index.problem.system_price_gbp_mwh, half_hourly)
    assert "there are no scenarios of the system price: the market index price stands in for it" in index.notes
    neither = gate_problem(gate_inputs(scenarios=scenario_set(DAY, 2, without=["system_price", "market_index"])))
    assert np.array_equal(neither.problem.system_price_gbp_mwh, neither.problem.day_ahead_price_gbp_mwh)
    assert "there are no scenarios of the system price: the day-ahead price stands in for it" in neither.notes


def test_what_cannot_be_planned_is_refused_in_one_sentence() -> None:
    def refused(match: str, **changes: Any) -> None:
        with pytest.raises(UserInputError, match=match) as caught:
            gate_problem(gate_inputs(**changes))
        assert "\n" not in str(caught.value)

    refused("the day-ahead price of 0 of the 48 half-hours", scenarios=scenario_set(DAY, 2, without=["day_ahead"]))
    refused("not of 2026-02-11 at the gate day_ahead", scenarios=scenario_set(DAY, 2, gate="response"))
    refused("are of EFA day 2026-02-12", scenarios=scenario_set(DAY + timedelta(days=1), 2))
    refused("opening energy must be one finite number", opening_energy_mwh=float("nan"))
    refused("one for each of 10 scenarios", opening_energy_mwh=np.full(9, 50.0))
    settings = AncillarySettings(reserve_products=("PQR",), absvd_applies=False, **cases.RESERVE_ON)
    refused("ancillary.reserve_products needs ancillary.absvd_applies", ancillary=settings)
    inputs = gate_inputs()
    for name in ("day_ahead", "system_price", "response_DRL"):
        with pytest.raises(UserInputError, match="it must be a finite number"):
            gate_problem(with_values(inputs, **{name: np.nan}))


def test_scenarios_of_part_of_the_day_are_refused() -> None:
    whole = scenario_set(DAY, 2)
    for kept, hours in ((slice(0, 20), 40), (slice(1, 48), 0)):
        start = {**whole.start_utc, "day_ahead": whole.start_utc["day_ahead"][kept]}
        value = {**whole.value, "day_ahead": whole.value["day_ahead"][:, kept]}
        with pytest.raises(UserInputError, match=f"price of {hours} of the 48 half-hours of EFA day 2026-02-11"):
            gate_problem(gate_inputs(scenarios=replace(whole, start_utc=start, value=value)))


@pytest.mark.parametrize(("day", "hours", "periods"), [(DAY, 24, 48), (DAY, 36, 72), (CLOCKS_BACK, 24, 50)])
def test_the_horizon_is_the_look_ahead_and_the_whole_day_at_least(day: date, hours: int, periods: int) -> None:
    given = gate_problem(gate_inputs(day, 2, rolling=RollingSettings(look_ahead_hours=hours)))
    assert given.problem.periods == periods
    assert not any("look" in note for note in given.notes)


@pytest.mark.parametrize(("day", "hours", "end"), [(DAY, 72, "48"), (CLOCKS_FORWARD, 48, "47")])
def test_the_horizon_ends_with_the_scenarios(day: date, hours: int, end: str) -> None:
    given = gate_problem(gate_inputs(day, 2, rolling=RollingSettings(look_ahead_hours=hours)))
    assert given.problem.periods == 2 * int(end)
    assert f"the scenarios end after {end} h: the plan looks no further ahead" in given.notes


def test_the_opening_is_clipped_and_the_end_is_free_at_a_value() -> None:
    inputs = gate_inputs(count=3, opening_energy_mwh=np.array([-1.0, 40.0, 120.0]))
    problem = gate_problem(inputs).problem
    battery, expected = inputs.battery, 0.0
    assert problem.opening.tolist() == [battery.energy_min_mwh, 40.0, battery.energy_max_mwh]
    for n, weight in enumerate(inputs.scenarios.probability):
        for t in range(96):
            expected += weight * problem.day_ahead_price_gbp_mwh[n, t] / 96
    worth = battery.discharge_efficiency * (expected - battery.degradation_cost_gbp_per_mwh)
    assert problem.closing.kind.value == "free"
    assert problem.closing.terminal_value_gbp_mwh == pytest.approx(worth)
    given = gate_problem(replace(inputs, rolling=RollingSettings(terminal_value_gbp_mwh=12.5)))
    assert given.problem.closing.terminal_value_gbp_mwh == 12.5


def test_settings_of_deviations_and_activation_reach_the_problem() -> None:
    for limit, expected in ((None, 2.5), (0.0, 0.0), (7.0, 7.0)):
        settings = CoOptimisationSettings(imbalance_limit_mw=limit)
        problem = gate_problem(gate_inputs(count=2, co_optimisation=settings)).problem
        assert np.asarray(problem.imbalance_limit_mw).tolist() == [expected] * 96
    for applies in (True, False):
        problem = gate_problem(gate_inputs(count=2, ancillary=AncillarySettings(absvd_applies=applies))).problem
        assert problem.absvd_applies is applies
        assert problem.baseline_adds_headroom is False


@pytest.mark.parametrize("day", DAYS)
def test_the_day_ahead_result_fixes_the_day_and_leaves_the_next_one(day: date) -> None:
    given = gate_problem(gate_inputs(day, 3, gate="response"))
    products, periods = HALF_HOURS[day] // 2, HALF_HOURS[day]
    sold, price = np.linspace(-20, 20, products), np.linspace(30, 90, products).repeat(2)
    known = after_day_ahead(given, sold, price)
    problem = known.problem
    fixed = np.asarray(problem.day_ahead_fixed_mw)
    assert fixed[:products].tolist() == sold.tolist()
    assert np.isnan(fixed[products:]).all()
    assert fixed.size == given.problem.products
    assert (problem.day_ahead_price_gbp_mwh[:, :periods] == price).all()
    assert np.array_equal(
        problem.day_ahead_price_gbp_mwh[:, periods:], given.problem.day_ahead_price_gbp_mwh[:, periods:]
    )
    assert (known.gate, known.codes, known.notes) == ("response", given.codes, given.notes)
    whole = after_day_ahead(given, fixed, np.append(price, np.full(problem.periods - periods, np.nan)))
    assert np.array_equal(np.asarray(whole.problem.day_ahead_fixed_mw), fixed, equal_nan=True)
    with pytest.raises(UserInputError, match="a day-ahead volume or a price, but not both"):
        after_day_ahead(given, sold, price[:-1])


def test_only_days_before_the_split_need_an_exclusion_of_services() -> None:
    for day, wanted in ((BEFORE_SPLITTING, True), (date(2023, 11, 2), False), (DAY, False)):
        assert bool(gate_problem(gate_inputs(day, 2)).exclusions) is wanted
