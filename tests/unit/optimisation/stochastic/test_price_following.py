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
    np.testing.assert_allclose(price_followed(values), slope, atol=1e-9)
    limits, price = limit_prices(values, at_that_price=True)[0], problem.day_ahead_price_gbp_mwh[:, ::2]
    plain = values.split(values.displaced)[0]
    known = np.minimum(price.min(axis=0), plain), np.maximum(price.max(axis=0), plain)  # no limit beyond these
    np.testing.assert_allclose(limits, np.clip(level / (1.0 - slope), *known), atol=0.01 + 1e-6)
    assert ((limits > known[0] + 0.02) & (limits < known[1] - 0.02)).any() == (slope < 0.8)
    if slope == 0.0:
        np.testing.assert_array_equal(limits, limit_prices(values)[0])


@pytest.mark.parametrize(("slope", "share"), [(-0.5, 0.0), (1.2, MOST)])
def test_a_slope_stays_within_its_bounds(slope: float, share: float) -> None:
    np.testing.assert_array_equal(price_followed(values_of(following(slope)[0])), share)


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
def test_an_offer_at_its_limit_earns_more_than_one_at_the_plain_value(slope: float) -> None:
    """On prices not seen before, each offer by itself, settled at what the system price comes to."""
    problem, level = following(slope, scenarios=40)
    values = values_of(problem)
    sold = values.split(values.mw)[0]
    limits, plain = limit_prices(values, at_that_price=True)[0], limit_prices(values)[0]
    fresh = price_paths(4000, PERIODS, seed=9)[0][:, ::2]
    back = level + slope * fresh

    def earned(limit: np.ndarray) -> float:
        accepted = np.where(sold > 0, fresh >= limit, fresh <= limit)
        return float((accepted * np.sign(sold) * (fresh - back)).mean())

    assert earned(limits) > 1.01 * earned(plain) > 0.0
