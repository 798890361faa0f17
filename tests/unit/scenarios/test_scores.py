"""Rows of a day: what is scored, what is left out, on which clock; and what they come to over a window."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from score_frames import SCALE, STREAMS, YARDSTICK, independent, outcome, scenario_set

from bess_pipeline.forecasting.distribution import LEVELS, Marginals
from bess_pipeline.scenarios.multivariate import energy_score, squared_distances
from bess_pipeline.scenarios.paths import trading_day
from bess_pipeline.scenarios.score_window import score_window
from bess_pipeline.scenarios.scores import of_baseline, score_day, score_marginals
from bess_pipeline.scenarios.univariate import crps, ordered
from bess_pipeline.scenarios.yardstick import Yardstick, from_history

DAY = date(2025, 2, 4)
CLOCKS = {DAY: (24, 48), date(2026, 3, 29): (23, 46), date(2025, 10, 26): (25, 50)}


def table(rows: pd.DataFrame) -> dict[tuple[str, str], float]:
    assert not rows.duplicated(["stream", "score"]).any()
    return {(s, k): v for s, k, v in rows[["stream", "score", "value"]].itertuples(index=False)}


@pytest.mark.parametrize("day", list(CLOCKS))
def test_every_score_of_a_day(day: date) -> None:
    rng = np.random.default_rng(1)
    many, came = scenario_set(80, day, rng), outcome(day, rng)
    rows = score_day(many, came, YARDSTICK, seed=3)
    found = table(rows)
    assert np.isfinite(rows["value"]).all()
    assert [found[name, "periods"] for name in STREAMS] == [*CLOCKS[day], 6]
    for name, value in many.value.items():
        each = crps(ordered(value, many.probability), came[name])
        assert found[name, "crps"] == pytest.approx(each.mean())
        hour = many.start_utc[name].tz_convert("Europe/London").hour
        assert found[name, "crps_h03"] == pytest.approx(each[hour == 3].mean())
        path = energy_score(squared_distances(value, came[name]), many.probability)
        assert found[name, "energy_score"] == pytest.approx(path / np.sqrt(came[name].size))
    assert (("day_ahead", "crps_h01") in found) == (CLOCKS[day][0] != 23), "an hour that clocks skip has no score"
    scaled = [np.vstack([came[n], many.value[n]]) / (SCALE[n] * np.sqrt(3.0 * came[n].size)) for n in STREAMS]
    whole = np.hstack(scaled)
    assert found["all", "energy_score"] == pytest.approx(
        energy_score(squared_distances(whole[1:], whole[0]), many.probability)
    )
    pairs = ["day_ahead|system_price", "day_ahead|response_DCL", "system_price|response_DCL"]
    cross = [found[pair, "variogram_score"] for pair in pairs]
    assert found["all", "cross_variogram_score"] == pytest.approx(np.mean(cross))
    inner = [found[name, "variogram_score"] for name in STREAMS]
    assert found["all", "variogram_score"] == pytest.approx(np.mean(cross + inner))


@pytest.mark.parametrize(("day", "pairs"), [(date(2026, 3, 29), 5), (DAY, 6), (date(2025, 10, 26), 7)])
def test_blocks_are_as_long_as_the_clocks_make_them(day: date, pairs: int) -> None:
    """The first block (23:00 to 03:00 local) has 3, 4 or 5 hours; those that start up to 2 h after it are pairs too."""
    many, came = scenario_set(8, day, np.random.default_rng(1)), outcome(day, np.random.default_rng(2))
    starts = many.start_utc["day_ahead"]
    first = many.start_utc["response_DCL"][1] + pd.Timedelta(hours=2)
    assert (starts <= first).sum() == pairs + 1
    kept = np.where(np.arange(6) == 0, came["response_DCL"], np.nan)
    weight = 1 / (1 + np.maximum((starts - many.start_utc["response_DCL"][1]) / pd.Timedelta(hours=1), 0.0))
    used = np.asarray(starts <= first)
    scale = {name: YARDSTICK.spread[name] for name in STREAMS}
    price = (np.vstack([came["day_ahead"], many.value["day_ahead"]]) - 60.0)[:, used] / scale["day_ahead"]
    block = (np.append(came["response_DCL"][0], many.value["response_DCL"][:, 0]) - 60.0) / scale["response_DCL"]
    apart = np.sqrt(np.abs(price - block[:, None]))
    term = (apart[1:].mean(axis=0) - apart[0]) ** 2 - apart[1:].var(axis=0, ddof=1) / 8
    expected = np.average(term, weights=np.asarray(weight)[used])
    found = table(score_day(many, {"day_ahead": came["day_ahead"], "response_DCL": kept}, YARDSTICK, seed=3))
    assert found["day_ahead|response_DCL", "variogram_score"] == pytest.approx(expected)


def test_the_same_arguments_give_the_same_bytes_and_streams_do_not_disturb_each_other() -> None:
    rng = np.random.default_rng(2)
    many, came = scenario_set(60, DAY, rng), outcome(DAY, rng)
    rows = score_day(many, came, YARDSTICK, seed=3)
    pd.testing.assert_frame_equal(rows, score_day(many, came, YARDSTICK, seed=3), check_exact=True)
    alone = replace(many, value={"system_price": many.value["system_price"]})
    assert {k: v for k, v in table(rows).items() if k[0] == "system_price"} == table(
        score_day(alone, came, YARDSTICK, seed=3)
    )
    assert (
        table(rows)["system_price", "rank"] != table(score_day(many, came, YARDSTICK, seed=4))["system_price", "rank"]
    )


def test_missing_outcomes_are_left_out_and_counted() -> None:
    rng = np.random.default_rng(3)
    many, came = scenario_set(40, DAY, rng), outcome(DAY, rng)
    came["system_price"][10:] = np.nan
    came["response_DCL"][:] = np.nan
    found = table(score_day(many, came, YARDSTICK, seed=3))
    assert (found["system_price", "periods"], found["response_DCL", "periods"]) == (10.0, 0.0)
    assert [key for key in found if key[0] == "response_DCL"] == [("response_DCL", "periods")]
    kept = crps(ordered(many.value["system_price"][:, :10], many.probability), came["system_price"][:10])
    assert found["system_price", "crps"] == pytest.approx(kept.mean())
    assert found["all", "streams"] == 2.0
    del came["system_price"]
    only = table(score_day(many, came, YARDSTICK, seed=3))
    assert only["system_price", "periods"] == 0.0
    assert not [key for key in only if key[0] == "all"], "one stream is no joint score"
    nothing = table(score_day(many, {}, YARDSTICK, seed=3))
    assert set(nothing.values()) == {0.0}
    with pytest.raises(ValueError, match="day_ahead has 24 periods"):
        score_day(many, {"day_ahead": np.zeros(3)}, YARDSTICK, seed=3)


def test_a_stream_without_a_yardstick_is_scored_alone() -> None:
    rng = np.random.default_rng(4)
    many, came = scenario_set(40, DAY, rng), outcome(DAY, rng)
    part = Yardstick(
        {k: v for k, v in YARDSTICK.centre.items() if k != "day_ahead"}, {"system_price": 1.0, "response_DCL": 1.0}
    )
    found = table(score_day(many, came, part, seed=3))
    assert found["all", "streams"] == 2.0
    assert ("day_ahead", "energy_score") in found
    assert not [key for key in found if "day_ahead" in key[0] and key[1] == "variogram_score"]


def test_the_horizon_is_scored_or_the_trading_day_alone() -> None:
    rng = np.random.default_rng(5)
    many, came = scenario_set(40, DAY, rng, days=2), outcome(DAY, rng, days=2)
    assert table(score_day(many, came, YARDSTICK, seed=3))["system_price", "periods"] == 96.0
    first = trading_day(many)
    assert first.start_utc["system_price"].equals(many.start_utc["system_price"][:48])
    day = table(
        score_day(first, {name: values[: values.size // 2] for name, values in came.items()}, YARDSTICK, seed=3)
    )
    assert day["system_price", "periods"] == 48.0


def test_weighted_scenarios_score_as_repeated_ones() -> None:
    rng = np.random.default_rng(6)
    times = np.array([1, 2, 5, 3])
    few, came = scenario_set(4, DAY, rng, probability=times / 11), outcome(DAY, rng)
    weighted = table(score_day(few, came, YARDSTICK, seed=3))
    many = replace(
        few,
        value={name: np.repeat(values, times, axis=0) for name, values in few.value.items()},
        probability=np.array([1 / 11 + 1e-9] * 5 + [1 / 11] + [1 / 11 - 1e-9] * 5),  # not quite alike, so not fair
    )
    repeated = table(score_day(many, came, YARDSTICK, seed=3))
    for key, value in weighted.items():
        if "rank" not in key[1]:
            assert repeated[key] == pytest.approx(value, rel=1e-5, abs=1e-5), key


def test_quantile_forecasts_are_scored_like_large_samples_of_them() -> None:
    rng = np.random.default_rng(7)
    stream, starts = STREAMS["system_price"], scenario_set(1, DAY, rng).start_utc["system_price"]
    quantile = np.sort(rng.normal(60.0, 40.0, size=(48, LEVELS.size)), axis=1)
    slot, lead = np.arange(48), np.zeros(48, dtype=np.int64)
    marginals = Marginals(stream, starts, slot, lead, quantile, quantile.mean(axis=1), "test")
    level = (np.arange(4000) + 0.5) / 4000
    sample = np.stack([np.interp(level, LEVELS, row) for row in quantile], axis=1)
    many = replace(scenario_set(1, DAY, rng), value={"system_price": sample}, probability=np.full(4000, 1 / 4000))
    came = outcome(DAY, rng)["system_price"]
    came[7] = np.nan
    of_quantiles = table(score_marginals(DAY, "day_ahead", {"system_price": marginals}, {"system_price": came}, 3))
    of_sample = table(score_day(many, {"system_price": came}, YARDSTICK, seed=3))
    assert of_quantiles["system_price", "periods"] == 47.0
    for key, value in of_quantiles.items():
        if key[1] != "rank":
            assert of_sample[key] == pytest.approx(value, rel=0.01, abs=0.03), key
    assert of_sample["system_price", "rank"] == pytest.approx(of_quantiles["system_price", "rank"], abs=0.03)
    assert table(score_marginals(DAY, "day_ahead", {"system_price": marginals}, {}, 3)) == {
        ("system_price", "periods"): 0.0
    }


def test_yardstick_of_history() -> None:
    found = from_history(
        {
            "a": np.array([[1.0, np.nan], [3.0, np.nan], [8.0, np.nan]]),
            "still": np.zeros((3, 2)),
            "none": np.full((3, 2), np.nan),
        }
    )
    assert set(found.spread) == {"a", "still"}
    assert found.centre["a"].tolist() == [3.0, 3.0]
    assert found.spread["a"] == pytest.approx(7 / 3)
    assert found.spread["still"] == 1.0


@pytest.fixture(scope="module")
def window() -> pd.DataFrame:
    """Forty days of a right forecast; baselines that are too high, and without dependence between markets."""
    rng, parts = np.random.default_rng(8), []
    for k in range(40):
        day = DAY + timedelta(days=k)
        came, high = outcome(day, rng), scenario_set(60, day, rng)
        parts.append(score_day(scenario_set(60, day, rng), came, YARDSTICK, 1))
        for name, values in high.value.items():
            values += SCALE[name]
        parts.append(of_baseline(score_day(high, came, YARDSTICK, 1), "similar_day"))
        parts.append(of_baseline(score_day(independent(60, day, rng), came, YARDSTICK, 1), "independent"))
    return pd.concat(parts, ignore_index=True)


def test_a_right_forecast_beats_its_baselines_where_it_should(window: pd.DataFrame) -> None:
    summary = score_window(window, seed=1, baselines=("similar_day", "independent"))
    found = summary.set_index(["stream", "score", "baseline"])
    better = found.loc[("day_ahead", "crps", "similar_day")]
    assert better["days"] == 40
    assert 0.0 < better["skill_low"] < better["skill"] < better["skill_high"] < 1.0
    assert better["skill"] == pytest.approx(1 - better["value"] / better["baseline_value"])
    assert better["p_better"] < 1e-3
    cross = found.loc[("all", "cross_variogram_score", "independent")]
    assert cross["p_better"] < 0.01, "independent markets are told from dependent ones"
    assert found.loc[("day_ahead", "crps", "independent"), "p_different"] > 0.001, "their marginals are the same"
    assert 0.85 < found.loc[("system_price", "coverage_90", "similar_day"), "value"] < 0.96
    assert np.isnan(found.loc[("system_price", "coverage_90", "similar_day"), "skill"])


def test_ranks_of_a_window_are_tested_and_corrected(window: pd.DataFrame) -> None:
    summary = score_window(window, seed=1)
    ranks = summary[(summary["score"] == "rank")].set_index("stream")
    assert (ranks["p_uniform_holm"] > 0.01).all()
    assert (ranks["p_uniform_holm"] >= ranks["p_uniform"]).all()
    assert ranks["p_uniform_holm"].min() == pytest.approx(min(1.0, 3 * ranks["p_uniform"].min()))
    wrong = window[window["score"].str.endswith(":similar_day")].copy()
    wrong["score"] = wrong["score"].str.removesuffix(":similar_day")
    found = score_window(wrong, seed=1).set_index(["stream", "score"])
    assert (found.loc[[(name, "rank") for name in STREAMS], "p_uniform_holm"] < 0.01).all()
    assert found["baseline"].unique().tolist() == [""]


def test_one_day_and_no_day_have_summaries(window: pd.DataFrame) -> None:
    one = score_window(window[window["efa_date"] == DAY], seed=1)
    assert (one["days"] == 1).all()
    assert one["ci_low"].isna().all()
    assert one["p_better"].isna().all()
    assert one.loc[one["score"] == "crps", "skill"].notna().all()
    assert score_window(window.iloc[:0], seed=1).empty
