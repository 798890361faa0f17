"""Back-tests against the values of the domain reference, hand cases, closed forms and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, chi2, norm

from bess_pipeline.risk import backtests
from bess_pipeline.risk.backtests import Backtest, backtest
from bess_pipeline.risk.forecast_pnl import ForecastPnl

STANDARD = norm.ppf((np.arange(400) + 0.5) / 400)


@pytest.mark.parametrize(
    ("tail_probability", "exceptions", "ratio"),
    [
        *((0.05, 2, 14.127), (0.05, 5, 6.072), (0.05, 10, 0.563), (0.05, 13, 0.021), (0.05, 14, 0.183)),
        *((0.05, 19, 3.091), (0.05, 20, 4.040), (0.01, 1, 1.177), (0.01, 2, 0.108), (0.01, 5, 1.957), (0.01, 7, 5.497)),
    ],
)
def test_kupiec_values_of_the_domain_reference(tail_probability: float, exceptions: int, ratio: float) -> None:
    assert float(backtests.kupiec(exceptions, 250, tail_probability)) == pytest.approx(ratio, abs=1e-3)


def test_kupiec_with_no_exception_or_nothing_else() -> None:
    assert float(backtests.kupiec(0, 250, 0.05)) == pytest.approx(-2 * 250 * math.log(0.95))
    assert float(backtests.kupiec(250, 250, 0.05)) == pytest.approx(-2 * 250 * math.log(0.05))
    assert float(backtests.kupiec(1, 20, 0.05)) == 0.0


def likelihood(successes: int, failures: int, rate: float) -> float:
    return rate**successes * (1.0 - rate) ** failures


def test_christoffersen_by_hand() -> None:
    hits = [bool(int(c)) for c in "0001100000010000011100000"]
    n00, n01, n10, n11 = 15, 3, 3, 3
    one = likelihood(n01 + n11, n00 + n10, 6 / 24)
    two = likelihood(n01, n00, 3 / 18) * likelihood(n11, n10, 3 / 6)
    independence = -2.0 * math.log(one / two)
    assert float(backtests.christoffersen_independence(hits)) == pytest.approx(independence, rel=1e-12)
    both = float(backtests.conditional_coverage(hits, 0.05))
    assert both == pytest.approx(independence + float(backtests.kupiec(6, 25, 0.05)), rel=1e-12)


@pytest.mark.parametrize("hits", [[False] * 30, [True] * 30, [False] * 29 + [True]])
def test_independence_without_a_pair_to_compare_says_nothing(hits: list[bool]) -> None:
    assert float(backtests.christoffersen_independence(hits)) == pytest.approx(0.0, abs=1e-12)


def test_acerbi_szekely_by_hand() -> None:
    pnl, var, cvar = [-30.0, 10.0, -12.0, -5.0], [20.0, 20.0, 10.0, 10.0], [25.0, 25.0, 16.0, 16.0]
    beyond = -30.0 / 25.0 - 12.0 / 16.0
    assert float(backtests.acerbi_szekely_z1(pnl, var, cvar)) == pytest.approx(beyond / 2 + 1)
    assert float(backtests.acerbi_szekely_z2(pnl, var, cvar, 0.75)) == pytest.approx(beyond / (4 * 0.25) + 1)
    assert math.isnan(float(backtests.acerbi_szekely_z1([1.0], [2.0], [3.0])))
    assert float(backtests.acerbi_szekely_z2([1.0], [2.0], [3.0], 0.95)) == 1.0
    with pytest.raises(ValueError, match="CVaR"):
        backtests.acerbi_szekely_z2([1.0], [-2.0], [0.0], 0.95)


def test_z2_has_mean_zero_and_the_published_critical_value_for_a_true_normal_model() -> None:
    """Acerbi and Szekely (2014): about -0.7 at the 5 % level, 250 days, confidence 97.5 %."""
    confidence = 0.975
    var, cvar = norm.ppf(confidence), norm.pdf(norm.ppf(confidence)) / (1 - confidence)
    pnl = np.random.default_rng(4).standard_normal((8000, 250))
    z2 = backtests.acerbi_szekely_z2(pnl, np.full(250, var), np.full(250, cvar), confidence)
    assert z2.mean() == pytest.approx(0.0, abs=0.02)
    assert np.quantile(z2, 0.05) == pytest.approx(-0.70, abs=0.04)
    z1 = backtests.acerbi_szekely_z1(pnl, np.full(250, var), np.full(250, cvar))
    assert np.nanmean(z1) == pytest.approx(0.0, abs=0.02)


def normal_forecasts(days: int, mean: float = 0.0, confidence: float = 0.95) -> ForecastPnl:
    return ForecastPnl.of_scenarios([(100.0 * STANDARD + mean, None)] * days, confidence)


def by_test(results: list[Backtest]) -> dict[str, Backtest]:
    return {one.test: one for one in results}


def test_below_the_least_number_of_days_there_is_no_number() -> None:
    forecasts = normal_forecasts(249)
    for one in backtest(np.full(249, -500.0), forecasts, seed=1, simulations=50):
        assert one.verdict == "insufficient data"
        assert one.exceptions == one.days == 249
        assert "at least 250" in one.note
        assert all(math.isnan(number) for number in (one.statistic, one.p_value, one.power))
    assert {
        one.verdict for one in backtest(np.zeros(20), normal_forecasts(20), seed=1, simulations=50, min_days=20)
    } != {"insufficient data"}


def test_a_true_model_passes_and_one_twice_too_narrow_fails() -> None:
    forecasts = normal_forecasts(400)
    drawn = forecasts.draw(1, 12)[0]
    for one in backtest(drawn, forecasts, seed=3, simulations=500):
        assert one.verdict == "not rejected", one
        assert one.p_value > 0.05
        assert one.expected_exceptions == pytest.approx(20.0)
    found = by_test(backtest(2.0 * drawn, forecasts, seed=3, simulations=500))
    for test in ("kupiec", "christoffersen_conditional_coverage", "acerbi_szekely_z1", "acerbi_szekely_z2"):
        assert found[test].verdict == "rejected"
    assert found["acerbi_szekely_z2"].statistic < -0.5


def test_formula_p_values_are_those_of_chi_squared() -> None:
    forecasts = normal_forecasts(300)
    found = by_test(backtest(forecasts.draw(1, 5)[0], forecasts, seed=3, simulations=50))
    for test, degrees in (
        ("kupiec", 1),
        ("christoffersen_independence", 1),
        ("christoffersen_conditional_coverage", 2),
    ):
        assert found[test].p_value == pytest.approx(chi2.sf(found[test].statistic, degrees))


def test_simulated_p_values_are_uniform_for_a_true_model() -> None:
    forecasts = normal_forecasts(250)
    samples = forecasts.draw(50, 77)
    p_values = [by_test(backtest(s, forecasts, seed=1, simulations=250))["acerbi_szekely_z2"].p_value for s in samples]
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.12)
    assert np.mean(np.array(p_values) <= 0.2) == pytest.approx(0.2, abs=0.12)


def test_power_of_kupiec_is_that_of_the_binomial_distribution() -> None:
    """VaR 20 % too small: an exception comes with P(Z < -0.8 x 1.645), in these scenarios 38 of 400."""
    forecasts = normal_forecasts(250)
    chance = np.mean(100.0 * STANDARD + 0.8 * forecasts.var_gbp[0] < 0.0)
    counts = np.arange(251)
    rejects = backtests.kupiec(counts, 250, 0.05) > chi2.ppf(0.95, 1)
    exact = binom.pmf(counts, 250, chance)[rejects].sum()
    found = by_test(backtest(np.zeros(250), forecasts, seed=2, simulations=4000))
    assert 0.5 < exact < 0.95
    assert found["kupiec"].power == pytest.approx(exact, abs=0.03)
    assert found["acerbi_szekely_z2"].power > found["kupiec"].power  # it looks one way only


@pytest.mark.parametrize("mean", [-300.0, 160.0, 175.0, 190.0, 205.0, 10_000.0])
def test_nothing_depends_on_whether_bad_days_lose_or_earn(mean: float) -> None:
    """Standard deviation 100: from a mean of 164 on VaR is below 0, from 206 on CVaR too."""
    around_zero, moved = normal_forecasts(300), normal_forecasts(300, mean=mean)
    drawn = around_zero.draw(1, 21)[0]
    found = by_test(backtest(drawn + mean, moved, seed=3, simulations=300))
    same = by_test(backtest(drawn, around_zero, seed=3, simulations=300))
    for test, one in found.items():
        assert one.statistic == pytest.approx(same[test].statistic, abs=1e-6)
        assert one.p_value == pytest.approx(same[test].p_value, abs=1e-9)
        assert one.power == pytest.approx(same[test].power, abs=1e-9)
        assert (one.exceptions, one.verdict, one.note) == (same[test].exceptions, same[test].verdict, same[test].note)
    assert all(found[f"acerbi_szekely_{z}"].note.endswith("of P&L about its forecast mean") for z in ("z1", "z2"))


def test_one_day_whose_bad_outcomes_earn_changes_the_power_of_no_test() -> None:
    scenarios = [(10.0 * STANDARD + 17.5, None)] * 365
    assert -2.0 < ForecastPnl.of_scenarios(scenarios, 0.95).var_gbp[0] < 0.0
    power = []
    for last in (17.5, 25.0):
        forecasts = ForecastPnl.of_scenarios([*scenarios[1:], (10.0 * STANDARD + last, None)], 0.95)
        found = by_test(backtest(np.full(365, 17.5), forecasts, seed=5, simulations=500))
        power.append({test: one.power for test, one in found.items()})
    assert power[0] == pytest.approx(power[1], abs=1e-9)
    assert 0.6 < power[0]["kupiec"] < 0.95
    assert power[0]["acerbi_szekely_z2"] > power[0]["kupiec"]


def test_statistics_of_a_skew_forecast_are_of_pnl_about_its_mean() -> None:
    """Outcomes -60, 20, 20, 20 have the mean 0, VaR 60 at 80 %; moved by 100 every bad day earns 40."""
    pnl = np.where(np.arange(40) % 5 == 0, -90.0, 20.0)
    forecasts = ForecastPnl.of_scenarios([([40.0, 120.0, 120.0, 120.0], None)] * 40, 0.8)
    found = by_test(backtest(pnl + 100.0, forecasts, seed=5, simulations=50, min_days=40))
    cvar = np.full(40, 60.0)
    z1 = backtests.acerbi_szekely_z1(pnl, cvar, cvar)
    assert found["acerbi_szekely_z1"].statistic == pytest.approx(float(z1)) == pytest.approx(1.0 - 90.0 / 60.0)
    assert found["kupiec"].exceptions == 8


def pnl_of(hits: list[int], days: int = 400) -> np.ndarray:
    """Days that lose 180 (VaR is about 164, CVaR 206) among days that lose nothing."""
    pnl = np.zeros(days)
    pnl[hits] = -180.0
    return pnl


COVERAGE = ("kupiec", "christoffersen_conditional_coverage")
UNDER, OVER = "too many exceptions: risk is understated", "too few exceptions: risk is overstated"
RUNS = "exceptions follow each other: risk is understated after one"


@pytest.mark.parametrize(("every", "words"), [(10, UNDER), (50, OVER)])
def test_rejected_coverage_says_which_way(every: int, words: str) -> None:
    found = by_test(backtest(pnl_of(list(range(0, 400, every))), normal_forecasts(400), seed=3, simulations=50))
    for test in COVERAGE:
        assert found[test].verdict == "rejected"
        assert words in found[test].note.split("; ")
    assert found["kupiec"].note == words


def test_conditional_coverage_names_the_part_that_is_rejected() -> None:
    """Twenty exceptions of 400 days are as many as expected; all in a row they are not independent."""
    found = by_test(backtest(pnl_of(list(range(100, 120))), normal_forecasts(400), seed=3, simulations=50))
    assert (found["kupiec"].verdict, found["kupiec"].note) == ("not rejected", "")
    assert found["christoffersen_independence"].note == found["christoffersen_conditional_coverage"].note == RUNS
    both = by_test(backtest(pnl_of(list(range(100, 150))), normal_forecasts(400), seed=3, simulations=50))
    assert both["christoffersen_conditional_coverage"].note == f"{UNDER}; {RUNS}"


def test_exceptions_every_third_day_never_follow_each_other() -> None:
    found = by_test(backtest(pnl_of(list(range(0, 400, 3))), normal_forecasts(400), seed=3, simulations=50))
    assert found["christoffersen_independence"].verdict == "rejected"
    assert "hardly ever follow each other: risk is overstated after one" in found["christoffersen_independence"].note


def test_where_neither_part_is_rejected_alone_the_larger_one_is_named() -> None:
    """29 of 400 with five pairs: ratios of 3.766 and 3.776; rejected is above 3.84 alone and above 5.99 together."""
    hits = [*range(0, 240, 10), *range(1, 50, 10)]
    found = by_test(backtest(pnl_of(hits), normal_forecasts(400), seed=3, simulations=50))
    assert [found[test].verdict for test in ("kupiec", "christoffersen_independence")] == ["not rejected"] * 2
    assert found["christoffersen_conditional_coverage"].verdict == "rejected"
    assert found["christoffersen_conditional_coverage"].note == RUNS


def test_rejected_shortfall_is_understated_and_no_rejection_no_direction() -> None:
    found = by_test(backtest(2.0 * pnl_of(list(range(0, 400, 18))), normal_forecasts(400), seed=3, simulations=400))
    assert "larger than CVaR says: risk is understated" in found["acerbi_szekely_z1"].note
    assert "too many or too large: risk is understated" in found["acerbi_szekely_z2"].note
    held = by_test(backtest(pnl_of(list(range(0, 400, 18))), normal_forecasts(400), seed=3, simulations=400))
    assert all("stated" not in one.note for one in held.values())


def test_no_exception_leaves_z1_without_a_value() -> None:
    found = by_test(backtest(np.full(300, 500.0), normal_forecasts(300), seed=3, simulations=100))
    assert found["acerbi_szekely_z1"].verdict == "no exceptions"
    assert math.isnan(found["acerbi_szekely_z1"].p_value)
    assert found["kupiec"].verdict == "rejected"  # fifteen were expected
    assert found["acerbi_szekely_z2"].statistic == 1.0


def test_same_seed_same_result_and_shapes_must_agree() -> None:
    forecasts = normal_forecasts(260)
    drawn = forecasts.draw(1, 2)[0]
    assert backtest(drawn, forecasts, seed=9, simulations=100) == backtest(drawn, forecasts, seed=9, simulations=100)
    with pytest.raises(ValueError, match="260 forecasts"):
        backtest(drawn[:-1], forecasts, seed=9)


def test_forecasts_of_uneven_scenario_sets_and_of_history() -> None:
    sets = [([-10.0, 20.0], [0.5, 0.5]), ([5.0], None), ([-4.0, 0.0, 8.0], [0.2, 0.3, 0.5])]
    forecasts = ForecastPnl.of_scenarios(sets, 0.9)
    assert forecasts.mean_gbp == pytest.approx([5.0, 5.0, 3.2])
    assert forecasts.var_gbp == pytest.approx([10.0, -5.0, 4.0])
    assert forecasts.cvar_gbp == pytest.approx([10.0, -5.0, 4.0])
    drawn = forecasts.draw(20_000, 3)
    assert set(drawn[:, 0]) == {-10.0, 20.0}
    assert set(drawn[:, 1]) == {5.0}
    assert np.mean(drawn[:, 2] == 8.0) == pytest.approx(0.5, abs=0.015)
    history = ForecastPnl.historical([1.0, 2.0, 3.0, 4.0, -9.0], 2, 0.5)
    assert history.days == 3
    assert history.mean_gbp == pytest.approx([1.5, 2.5, 3.5])  # never the day itself
    with pytest.raises(ValueError, match="no window"):
        ForecastPnl.historical([1.0, 2.0], 2, 0.5)
