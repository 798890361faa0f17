"""How displaced values follow the price: against system prices that follow it by a known slope."""

from __future__ import annotations

import numpy as np
import pytest
from stochastic_problems import coupled, price_paths, with_response

from bess_pipeline.optimisation.stochastic.marginal_values import MarginalValues, marginal_values
from bess_pipeline.optimisation.stochastic.price_following import MOST, price_followed
from bess_pipeline.optimisation.stochastic.problem import StochasticProblem
from bess_pipeline.optimisation.stochastic.programme import compile_programme
from bess_pipeline.optimisation.stochastic.risk_aversion import RiskAversion
from bess_pipeline.optimisation.stochastic.solve import optimise_plan
from bess_pipeline.trading.plan_explanation import limit_prices

PERIODS, UNLIMITED_MW = 16, 500.0
RISKS = [RiskAversion(0.0, 0.8), RiskAversion(0.6, 0.8)]


def following(slope: float, scenarios: int = 12) -> tuple[StochasticProblem, np.ndarray]:
    """What is sold is bought back at a system price of level + slope x price; the levels of the hours."""
    price = price_paths(scenarios, PERIODS)[0]
    level = (1.0 - slope) * price.mean(axis=0) + np.where(np.arange(PERIODS) // 2 % 2, 4.0, -4.0)
    problem = coupled(
        scenarios,
        periods=PERIODS,
        cap_mw=UNLIMITED_MW,
        day_ahead_price_gbp_mwh=price,
        system_price_gbp_mwh=level + slope * price,
        probability=np.full(scenarios, 1.0 / scenarios),
    )
    return problem, level[::2]


def values_of(problem: StochasticProblem, risk: RiskAversion = RISKS[0]) -> MarginalValues:
    solution = optimise_plan(problem, risk, exclusive=False)
    return marginal_values(compile_programme(problem), solution, risk)


@pytest.mark.parametrize("slope", [0.0, 0.5, 0.8])
def test_the_limit_is_where_the_price_is_what_is_expected_at_it(slope: float) -> None:
    """level + slope x p = p, whatever the mean price: by algebra."""
    problem, level = following(slope)
    values = values_of(problem)
    sold = values.split(values.mw)[0]
    assert (sold < -1).any()
    assert (sold > 1).any()
    followed = price_followed(values)
    np.testing.assert_allclose(followed, slope, atol=1e-9)
    limits = limit_prices(values, followed=followed)[0]
    np.testing.assert_allclose(limits, level / (1.0 - slope), atol=0.01 + 1e-6)
    if slope == 0.0:
        np.testing.assert_array_equal(limits, limit_prices(values)[0])


@pytest.mark.parametrize(("slope", "share"), [(-0.5, 0.0), (1.2, MOST)])
def test_a_slope_stays_within_its_bounds(slope: float, share: float) -> None:
    values = values_of(following(slope)[0])
    np.testing.assert_array_equal(price_followed(values), share)
    limits, plain = limit_prices(values, followed=price_followed(values))[0], limit_prices(values)[0]
    price = values.split(values.weighed_price)[0]
    np.testing.assert_allclose(limits - price, (plain - price) / (1.0 - share), atol=0.11)


@pytest.mark.parametrize("risk", RISKS, ids=["neutral", "averse"])
def test_services_and_what_is_not_traded_follow_nothing(risk: RiskAversion) -> None:
    values = values_of(with_response(6, periods=PERIODS), risk)
    energy, services = values.split(price_followed(values))
    assert not services.any()
    assert not energy[np.abs(values.split(values.mw)[0]) <= 0.01].any()
    assert ((energy >= 0) & (energy <= MOST)).all()


def test_one_scenario_says_nothing_of_it() -> None:
    assert not price_followed(values_of(following(0.5, scenarios=1)[0])).any()


@pytest.mark.parametrize("slope", [0.5, 0.8])
def test_an_offer_at_its_limit_earns_more_than_one_at_the_plain_value_or_at_any_price(slope: float) -> None:
    """On prices not seen before, one sale and one purchase at a time settled at what the system price comes to."""
    problem, level = following(slope, scenarios=40)
    values = values_of(problem)
    sold = values.split(values.mw)[0]
    limits = limit_prices(values, followed=price_followed(values))[0]
    plain = limit_prices(values)[0]
    fresh = price_paths(4000, PERIODS, seed=9)[0][:, ::2] + np.random.default_rng(3).normal(0, 40, (4000, 1))
    back = level + slope * fresh

    def earned(limit: np.ndarray) -> float:
        accepted = np.where(sold > 0, fresh >= limit, fresh <= limit)
        return float((accepted * np.sign(sold) * (fresh - back)).mean())

    any_price = np.where(sold > 0, -500.0, 3000.0)
    assert earned(limits) > earned(plain)
    assert earned(limits) > earned(any_price)
