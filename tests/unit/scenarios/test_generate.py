"""Scenarios of hand-made forecasts: marginals, clocks, seeds, fallbacks and refusals."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scenario_forecasts import (
    ACTIVATION,
    CLOCKS_BACK,
    CLOCKS_FORWARD,
    DAY_AHEAD,
    EIGHT,
    RESPONSE,
    SYSTEM_PRICE,
    WEDNESDAY,
    Law,
    forecast_set,
    marginals,
    rank_correlation,
    ranks_of,
)
from threadpoolctl import threadpool_limits

from bess_pipeline.errors import ScenarioError
from bess_pipeline.forecasting.distribution import ForecastSet, RankHistory
from bess_pipeline.scenarios.dependence import METHODS, Method
from bess_pipeline.scenarios.generate import generate
from bess_pipeline.scenarios.paths import ScenarioSet
from bess_pipeline.working_days import is_working_day

methods = pytest.mark.parametrize("method", METHODS)
PAIR = [DAY_AHEAD, SYSTEM_PRICE]
PROJECT = Path(__file__).resolve().parents[3]


def digest(scenarios: ScenarioSet) -> str:
    parts = b"".join(name.encode() + scenarios.value[name].tobytes() for name in scenarios.value)
    return hashlib.sha256(parts + scenarios.probability.tobytes()).hexdigest()


def day_mean(scenarios: ScenarioSet, name: str) -> np.ndarray:
    """Of the trading day."""
    return scenarios.value[name][:, : scenarios.streams[name].slots].mean(axis=1)


def lag_correlation(values: np.ndarray, apart: int) -> float:
    return float(np.mean([rank_correlation(values[:, k], values[:, k + apart]) for k in range(20)]))


@methods
def test_every_stream_keeps_its_clock_and_its_marginals(method: Method) -> None:
    forecast = forecast_set(EIGHT, Law().history(EIGHT, 200, 1))
    scenarios = generate(forecast, 400, method, seed=5)
    assert [len(scenarios.start_utc[name]) for name in ("day_ahead", "system_price", "response_DCL")] == [48, 96, 12]
    assert scenarios.probability == pytest.approx(1 / 400)
    for name, one in forecast.marginals.items():
        ordered = np.sort(scenarios.value[name], axis=0)
        for edge in (0, 0.25, 0.5, 0.75, 1):  # one scenario in each 400th, so within one of the exact quantile
            low, high = (one.at(np.full((1, len(one.lead)), np.clip(edge + by, 0, 1))) for by in (-1 / 400, 1 / 400))
            row = ordered[min(int(edge * 400), 399)]
            assert (row >= low[0] - 1e-9).all()
            assert (row <= high[0] + 1e-9).all()


def test_the_copula_has_the_dependence_of_the_past_and_the_ablation_only_within_markets() -> None:
    law = Law(sign={"response_DRH": -1.0})
    forecast = forecast_set(EIGHT, law.history(EIGHT, 365, 1))
    sets = {method: generate(forecast, 1000, method, seed=1) for method in METHODS}
    truth = law.scores(EIGHT, 20_000, 99)
    own = {"day_ahead": truth[:, :24], "system_price": truth[:, 48:96], "response_DCL": truth[:, 144:150]}
    for one, other in pairwise(own):
        expected = rank_correlation(own[one].mean(axis=1), own[other].mean(axis=1))
        for method in ("copula", "schaake"):
            found = rank_correlation(day_mean(sets[method], one), day_mean(sets[method], other))
            assert found == pytest.approx(expected, abs=0.1)
        assert abs(rank_correlation(day_mean(sets["independent"], one), day_mean(sets["independent"], other))) < 0.1
    apart = sets["independent"]
    assert rank_correlation(day_mean(apart, "response_DRH"), day_mean(apart, "response_DCL")) < -0.5  # one market
    for method in METHODS:
        assert lag_correlation(sets[method].value["system_price"], 1) == pytest.approx(0.87, abs=0.06)


@pytest.mark.parametrize(("day", "first_day"), [(CLOCKS_FORWARD, (23, 46)), (CLOCKS_BACK, (25, 50))])
@methods
def test_clock_changes(day, first_day: tuple[int, int], method: Method) -> None:
    forecast = forecast_set([*PAIR, RESPONSE[0]], Law().history([*PAIR, RESPONSE[0]], 120, 1, day), day)
    scenarios = generate(forecast, 200, method, seed=1)
    assert scenarios.value["day_ahead"].shape == (200, first_day[0] + 24)
    assert scenarios.value["system_price"].shape == (200, first_day[1] + 48)
    assert scenarios.value["response_DCL"].shape == (200, 12)


@methods
def test_the_hour_that_comes_twice_has_two_prices_much_alike(method: Method) -> None:
    forecast = forecast_set(PAIR, Law().history(PAIR, 300, 1, CLOCKS_BACK), CLOCKS_BACK)
    hours = generate(forecast, 500, method, seed=2).value["day_ahead"]
    assert 0.75 < rank_correlation(hours[:, 2], hours[:, 3]) < 0.95  # 01:00 BST and 01:00 GMT
    assert np.sort(hours[:, 3]) == pytest.approx(np.sort(hours[:, 2]), abs=5)


@methods
def test_the_same_seed_gives_the_same_bytes_and_another_does_not(method: Method) -> None:
    forecast = forecast_set(EIGHT, Law().history(EIGHT, 60, 1))
    first = digest(generate(forecast, 50, method, seed=1))
    assert digest(generate(forecast, 50, method, seed=1)) == first
    assert digest(generate(forecast, 50, method, seed=2)) != first
    assert digest(generate(replace(forecast, gate="response"), 50, method, seed=1)) != first
    turned = replace(
        forecast,
        marginals=dict(reversed(forecast.marginals.items())),
        history=replace(forecast.history, rank=dict(reversed(forecast.history.rank.items()))),
    )
    assert digest(generate(turned, 50, method, seed=1)) == first


IN_A_PROCESS = """
from scenario_forecasts import EIGHT, Law, forecast_set
from test_generate import digest
from bess_pipeline.scenarios.generate import generate
print(digest(generate(forecast_set(EIGHT, Law().history(EIGHT, 60, 1)), 50, "copula", seed=1)))
"""


def test_threads_and_processes_do_not_matter() -> None:
    ours = digest(generate(forecast_set(EIGHT, Law().history(EIGHT, 60, 1)), 50, "copula", seed=1))
    paths = os.pathsep.join(map(str, (PROJECT, PROJECT / "tests", Path(__file__).parent)))
    env = {**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "4", "OMP_NUM_THREADS": "4"}
    command = [sys.executable, "-c", IN_A_PROCESS]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == ours, done.stderr
    with threadpool_limits(limits=3):  # whatever the caller allows
        assert digest(generate(forecast_set(EIGHT, Law().history(EIGHT, 60, 1)), 50, "copula", seed=1)) == ours


# --- the Schaake shuffle ------------------------------------------------------------------------------------------


def test_as_many_scenarios_as_template_days_have_exactly_their_order() -> None:
    history = Law().history(PAIR, 120, 4)  # from 14 October to 10 February
    closed = {(12, 24), (12, 25), (12, 31), (1, 1)}  # bank holidays, and the days before them
    alike = [row for row, day in enumerate(history.days) if day.isoweekday() < 5 and (day.month, day.day) not in closed]
    scenarios = generate(forecast_set(PAIR, history), len(alike), "schaake", seed=9)
    paths = np.hstack([scenarios.value[name] for name in ("day_ahead", "system_price")])
    past = np.hstack([history.rank[name, lead] for name in ("day_ahead", "system_price") for lead in (0, 1)])[alike]
    assert np.corrcoef(ranks_of(paths).T) == pytest.approx(np.corrcoef(ranks_of(past).T), abs=1e-12)


def test_more_scenarios_than_days_share_the_stretch_of_their_days_rank() -> None:
    history = Law().history([DAY_AHEAD], 40, 4)  # from 2 January on
    alike = [row for row, day in enumerate(history.days) if day.isoweekday() < 5]
    scenarios = generate(forecast_set([DAY_AHEAD], history), 300, "schaake", seed=9)
    assert len(np.unique(scenarios.value["day_ahead"][:, 5])) == 300
    past = history.rank["day_ahead", 0][alike]
    found = rank_correlation(scenarios.value["day_ahead"][:, 5], scenarios.value["day_ahead"][:, 9])
    assert found == pytest.approx(rank_correlation(past[:, 5], past[:, 9]), abs=0.05)
    assert scenarios.notes == ()


@pytest.mark.parametrize(
    ("days", "note"),
    [
        (31, "only 18 past days alike in both days: all working days are the template"),
        (25, "only 17 past working days: all 25 days are the template"),
    ],
)
def test_with_few_days_alike_the_template_is_wider_and_says_so(days: int, note: str) -> None:
    assert generate(forecast_set(PAIR, Law().history(PAIR, days, 4)), 10, "schaake", seed=1).notes == (note,)


def test_a_day_off_takes_days_off_for_its_template() -> None:
    history = Law().history(PAIR, 300, 4)
    off = np.array([not (is_working_day(day) or is_working_day(day + timedelta(days=1))) for day in history.days])
    together = {
        key: np.where(off[:, None], np.linspace(0.9, 0.1, 300)[:, None], rank) for key, rank in history.rank.items()
    }
    made = forecast_set(PAIR, RankHistory(history.days, together), WEDNESDAY + timedelta(days=3))
    values = generate(made, int(off.sum()), "schaake", seed=1).value["day_ahead"]
    assert rank_correlation(values[:, 0], values[:, 30]) == pytest.approx(1.0)


# --- fallbacks ----------------------------------------------------------------------------------------------------


def without(forecast: ForecastSet, name: str, rows: slice, lead: int | None = None) -> ForecastSet:
    rank = {key: value.copy() for key, value in forecast.history.rank.items()}
    for key in rank:
        if key[0] == name and lead in (None, key[1]):
            rank[key][rows] = np.nan
    return replace(forecast, history=replace(forecast.history, rank=rank))


@methods
def test_without_a_past_each_stream_stands_alone(method: Method) -> None:
    forecast = forecast_set(PAIR, RankHistory((), {}), notes=("few days",))
    scenarios = generate(forecast, 500, method, seed=1)
    assert scenarios.notes == (
        "few days",
        "day_ahead: past ranks of 0 days where 20 are needed, so it stands alone",
        "system_price: past ranks of 0 days where 20 are needed, so it stands alone",
    )
    assert abs(rank_correlation(day_mean(scenarios, "day_ahead"), day_mean(scenarios, "system_price"))) < 0.1
    assert lag_correlation(scenarios.value["day_ahead"], 8) == pytest.approx(np.exp(-1), abs=0.05)


@methods
def test_a_new_product_stands_alone_and_leaves_the_others_as_they_are(method: Method) -> None:
    three = [*PAIR, RESPONSE[0]]
    forecast = without(forecast_set(three, Law().history(three, 365, 1)), "response_DCL", slice(0, 350))
    scenarios = generate(forecast, 1000, method, seed=1)
    assert "response_DCL: past ranks of 15 days where 20 are needed, so it stands alone" in scenarios.notes
    assert abs(rank_correlation(day_mean(scenarios, "day_ahead"), day_mean(scenarios, "response_DCL"))) < 0.12
    if method != "independent":
        assert rank_correlation(day_mean(scenarios, "day_ahead"), day_mean(scenarios, "system_price")) > 0.7


def test_a_stream_known_on_other_days_than_the_rest_is_left_out_of_the_template() -> None:
    three = [*PAIR, RESPONSE[0]]
    forecast = without(forecast_set(three, Law().history(three, 60, 1)), "response_DCL", slice(0, 30))
    forecast = without(without(forecast, "day_ahead", slice(45, 60)), "system_price", slice(45, 60))
    notes = generate(forecast, 50, "schaake", seed=1).notes
    assert "response_DCL: too few past days together with the other streams, so it stands alone" in notes


@methods
def test_the_second_day_without_ranks_takes_those_of_the_following_row(method: Method) -> None:
    forecast = without(forecast_set(PAIR, Law().history(PAIR, 200, 1)), "day_ahead", slice(None), lead=1)
    notes = generate(forecast, 100, method, seed=1).notes
    assert notes[0] == "day_ahead: no past ranks of the day after next, those of the trading day stand in"


@methods
@pytest.mark.parametrize("lead", [0, None])
def test_days_with_less_than_half_of_their_ranks_are_no_past(method: Method, lead: int | None) -> None:
    """Of one stream 60 % of the ranks are missing on each day, or all of the trading day's."""
    forecast = forecast_set(PAIR, Law().history(PAIR, 60, 1))
    rank = {key: value.copy() for key, value in forecast.history.rank.items()}
    rank["day_ahead", 0][:, :] = np.nan
    if lead is None:
        rank["day_ahead", 0][:, ::3] = rank["day_ahead", 1][:, ::3]
        rank["day_ahead", 1][:, 10:] = np.nan
    scenarios = generate(replace(forecast, history=replace(forecast.history, rank=rank)), 60, method, seed=1)
    assert scenarios.notes == ("day_ahead: past ranks of 0 days where 20 are needed, so it stands alone",)
    assert lag_correlation(scenarios.value["day_ahead"], 1) == pytest.approx(np.exp(-1 / 8), abs=0.08)
    assert abs(rank_correlation(day_mean(scenarios, "day_ahead"), day_mean(scenarios, "system_price"))) < 0.35


def test_streams_that_never_met_are_named_and_not_correlated() -> None:
    forecast = forecast_set(PAIR, Law(level=0.8, shared=0.1, own=0.05).history(PAIR, 60, 1))
    met = generate(forecast, 400, "copula", seed=1)
    apart = without(without(forecast, "day_ahead", slice(0, 30)), "system_price", slice(30, 60))
    never = generate(apart, 400, "copula", seed=1)
    words = "day_ahead: fewer than 10 past days together with system_price, so no correlation of their own"
    assert (met.notes, never.notes) == ((), (words,))
    found = [rank_correlation(day_mean(one, "day_ahead"), day_mean(one, "system_price")) for one in (met, never)]
    assert found[0] > 0.8 > 0.15 > abs(found[1])


@methods
def test_ranks_without_variance_are_no_past(method: Method) -> None:
    history = Law().history(PAIR, 60, 1)
    still = {key: np.full_like(rank, 0.5) if key[0] == "day_ahead" else rank for key, rank in history.rank.items()}
    notes = generate(forecast_set(PAIR, replace(history, rank=still)), 100, method, seed=1).notes
    assert "day_ahead: past ranks without any variance, so it stands alone" in notes


@methods
def test_what_is_published_is_certain(method: Method) -> None:
    """At the response gate the day-ahead price of the trading day is a point; that of the day after is not."""
    forecast = forecast_set(PAIR, Law().history(PAIR, 60, 1), gate="response")
    one = forecast.marginals["day_ahead"]
    quantile = np.where(one.lead[:, None] == 0, one.mean[:, None], one.quantile)
    known = replace(forecast, marginals={**forecast.marginals, "day_ahead": replace(one, quantile=quantile)})
    values = generate(known, 100, method, seed=1).value["day_ahead"]
    assert (values[:, :24] == one.mean[:24]).all()
    assert (np.ptp(values[:, 24:], axis=0) > 0).all()
    everything = {name: replace(m, quantile=np.repeat(m.mean[:, None], m.quantile.shape[1], axis=1))
                  for name, m in forecast.marginals.items()}  # fmt: skip
    assert (
        np.ptp(generate(replace(forecast, marginals=everything), 3, method, 1).value["day_ahead"], axis=0) == 0
    ).all()


def test_activation_published_a_month_late() -> None:
    chosen = [*EIGHT, *ACTIVATION]
    forecast = forecast_set(chosen, Law().history(chosen, 100, 1))
    for stream in ACTIVATION:
        forecast = without(forecast, stream.name, slice(70, 100))
    for method in METHODS:
        assert generate(forecast, 50, method, seed=1).notes == () or method == "schaake"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"count": 0}, "0 scenarios cannot be made: ask for 1 or more"),
        ({"method": "vine"}, "unknown scenario method 'vine': there are copula, schaake, independent"),
        ({"marginals": {}}, "nothing is forecast for 2026-02-11 at the day_ahead gate"),
    ],
)
def test_refusals(change: dict, words: str) -> None:
    forecast = forecast_set(PAIR, RankHistory((), {}))
    forecast = replace(forecast, marginals=change.get("marginals", forecast.marginals))
    with pytest.raises(ScenarioError, match=words):
        generate(forecast, change.get("count", 2), change.get("method", "copula"), 1)


def test_missing_quantiles_are_refused_by_name() -> None:
    one = marginals(DAY_AHEAD, WEDNESDAY)
    one.quantile[3, 4] = np.nan
    forecast = replace(forecast_set(PAIR, RankHistory((), {})), marginals={"day_ahead": one})
    with pytest.raises(
        ScenarioError, match=r"forecast of day_ahead for 2026-02-11 .* missing or fall \(model by hand\)"
    ):
        generate(forecast, 2, "copula", 1)
