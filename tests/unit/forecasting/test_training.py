"""Which models a stream gets: the choice, fallbacks on short or strange histories, the week's cache, and notes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import get_args

import numpy as np
import pytest
from planted import HOURLY, LAST_DAY, daily_shape, information

from bess_pipeline.errors import UserInputError
from bess_pipeline.forecast_settings import PLAIN, ForecastSettings, ModelName
from bess_pipeline.forecasting import forecast as facade
from bess_pipeline.forecasting.distribution import LEVELS, ForecastSet
from bess_pipeline.forecasting.forecast import forget_trained, make_forecast, retraining_day
from bess_pipeline.forecasting.information import Information
from bess_pipeline.forecasting.streams import ACTIVATION, RESPONSE, SYSTEM_PRICE, Stream
from bess_pipeline.gb_time import efa_half_hours

SETTINGS = ForecastSettings(lear_window_days=(365,), cross_validation_folds=2)
YARDSTICKS = SETTINGS.model_copy(update={"models": ("persistence", "similar_day")})
LOW, HIGH = (int(np.argmin(np.abs(LEVELS - level))) for level in (0.05, 0.95))


def prices(days: int, seed: int = 1, slots: int = 24) -> np.ndarray:
    return daily_shape(slots) + 10.0 * np.random.default_rng(seed).normal(size=(days, slots))


def made(known: Information, settings: ForecastSettings = YARDSTICKS, **more: object) -> ForecastSet:
    forget_trained()
    return make_forecast(lambda *_: known, known.efa_date, known.gate, settings, **more)  # type: ignore[arg-type]


def said(found: ForecastSet, words: str) -> bool:
    return any(words in note for note in found.notes)


# --- histories ----------------------------------------------------------------------------------------


def test_below_the_least_history_the_forecast_is_refused_in_one_sentence() -> None:
    with pytest.raises(UserInputError, match="no energy price has 7 days of known history") as refused:
        made(information({HOURLY: prices(7)}))  # one is the day itself, one has none before it
    assert str(refused.value).count("\n") == 0
    assert made(information({HOURLY: prices(12)})).marginals["day_ahead"].mean.size == 48


def test_a_short_history_has_the_yardsticks_alone_and_says_so() -> None:
    found = made(information({HOURLY: prices(30)}), SETTINGS)
    assert found.marginals["day_ahead"].model in PLAIN
    # of 30 rows the last is the day itself, and the first has no day before it
    assert said(found, "day_ahead: 28 days of history, below the 42 that models need, so ")


def test_a_short_history_is_wider_than_a_long_one() -> None:
    widths = []
    for days in (12, 200):
        one = made(information({HOURLY: prices(days)}), YARDSTICKS, only="similar_day").marginals["day_ahead"]
        widths.append((one.quantile[:24, HIGH] - one.quantile[:24, LOW]).mean())
    assert widths[0] > 1.15 * widths[1]


def test_a_new_product_is_left_out_and_named_while_the_others_are_forecast() -> None:
    known, product = prices(60), RESPONSE["DCL"]
    clearing = np.abs(np.random.default_rng(2).normal(5.0, 1.0, size=(60, 6)))
    clearing[:-5] = np.nan
    found = made(information({HOURLY: known, product: clearing}))
    assert set(found.marginals) == {"day_ahead", "activation_DCL"}
    assert said(found, "response_DCL: left out, with 3 days of history and 7 needed")
    assert said(found, "activation_DCL: assumed, 0.003125 MWh/MW in every half-hour, because nothing was measured")


def test_without_a_day_ahead_price_the_system_price_is_forecast_from_its_own_past() -> None:
    half_hourly = prices(60, slots=48)
    found = made(information({SYSTEM_PRICE: half_hourly}, freshest={"system_price": 2}))
    assert set(found.marginals) == {"system_price"}
    np.testing.assert_allclose(found.marginals["system_price"].mean[:48].mean(), 70.0, atol=5.0)


def test_a_price_that_never_changes_is_forecast_as_itself_without_width() -> None:
    found = made(information({HOURLY: np.full((80, 24), 42.0)}), SETTINGS)
    one = found.marginals["day_ahead"]
    np.testing.assert_allclose(one.mean, 42.0)
    np.testing.assert_allclose(one.quantile, 42.0, atol=1e-6)
    assert one.model in PLAIN


def test_measured_activation_is_its_climatology_by_slot() -> None:
    energy = np.tile(np.arange(48) / 1000.0, (60, 1)) * np.where(np.arange(60) % 2, 0.5, 1.5)[:, None]
    found = made(information({HOURLY: prices(60), ACTIVATION["DRL"]: energy}))
    one = found.marginals["activation_DRL"]
    assert one.model == "climatology"
    np.testing.assert_allclose(one.mean[:48], np.arange(48) / 1000.0, rtol=0.03, atol=5e-4)
    assert one.quantile.min() >= 0.0


@pytest.mark.parametrize(("day", "periods"), [(date(2026, 3, 29), 46), (date(2026, 10, 25), 50)])
def test_a_day_of_46_or_50_half_hours_has_a_forecast_for_each(day: date, periods: int) -> None:
    found = made(information({HOURLY: prices(40), SYSTEM_PRICE: prices(40, 2, 48)}, last=day))
    one, hourly = found.marginals["system_price"], found.marginals["day_ahead"]
    assert int((one.lead == 0).sum()) == periods == len(efa_half_hours(day))
    assert int((hourly.lead == 0).sum()) == periods // 2
    assert np.isfinite(one.quantile).all()
    if periods == 50:  # the hour that comes twice has its slot's forecast twice
        np.testing.assert_array_equal(one.mean[4:6], one.mean[6:8])
    else:  # 01:00 to 02:00 London has no period
        assert not {4, 5} & set(one.slot[one.lead == 0].tolist())


def test_fundamentals_that_drive_prices_are_used_where_they_are_and_not_missed_where_not() -> None:
    rng = np.random.default_rng(3)
    wind = np.repeat(3000.0 * rng.normal(size=(150, 1)), 48, axis=1)
    price = daily_shape() - wind[:, ::2] / 100.0 + rng.normal(size=(150, 24))
    settings = SETTINGS.model_copy(update={"models": ("similar_day", "lear")})
    with_wind = made(information({HOURLY: price}, {"wind": wind}), settings)
    without = made(information({HOURLY: price}), settings)
    errors = [np.abs(one.marginals["day_ahead"].mean[:24] - price[-1]).mean() for one in (with_wind, without)]
    assert errors[0] < 0.5 * errors[1]
    assert with_wind.marginals["day_ahead"].model == "lear"
    assert said(with_wind, "day_ahead: lear chosen on the last 28 known days")


# --- one model, and what the choice is left with ------------------------------------------------------


@pytest.mark.parametrize("only", sorted(set(get_args(ModelName)) - {"niv_regimes"}))
def test_a_single_model_is_the_only_one(only: str) -> None:
    found = made(information({HOURLY: prices(90)}), SETTINGS, only=only)
    expected = "boosted, then lear" if only == "boosted" else only
    assert found.marginals["day_ahead"].model == expected
    assert not said(found, "chosen")


def test_the_combination_is_the_mean_of_the_others_that_are_named() -> None:
    known = information({HOURLY: prices(90)})
    names: tuple[ModelName, ...] = ("similar_day", "last_7_days", "ridge")
    points = [made(known, SETTINGS, only=name).marginals["day_ahead"] for name in names]
    settings = SETTINGS.model_copy(update={"models": ("persistence", *names, "combination")})
    found = made(known, settings, only="combination").marginals["day_ahead"]
    np.testing.assert_allclose(found.mean, np.mean([one.mean for one in points], axis=0), atol=1.0)  # errors' means
    two = SETTINGS.model_copy(update={"models": ("persistence", "similar_day", "combination")})
    alone = made(known, two, only="combination").marginals["day_ahead"]
    np.testing.assert_array_equal(alone.mean, points[0].mean)


def test_beside_a_day_ahead_price_the_combination_leaves_out_what_does_not_follow_it() -> None:
    market = {HOURLY: prices(90), SYSTEM_PRICE: prices(90, 2, 48)}
    with_similar, without = (
        SETTINGS.model_copy(update={"models": models})
        for models in (("similar_day", "last_7_days", "combination"), ("last_7_days", "combination"))
    )
    published = information(market, freshest={"day_ahead": 0})
    first, second = (made(published, one, only="combination").marginals for one in (with_similar, without))
    np.testing.assert_array_equal(first["system_price"].mean[:48], second["system_price"].mean[:48])
    assert not np.allclose(first["day_ahead"].mean[24:], second["day_ahead"].mean[24:])  # nothing to follow there


def test_a_published_day_is_its_price_and_the_day_after_it_is_forecast() -> None:
    price = prices(60)
    known = information({HOURLY: price, SYSTEM_PRICE: prices(60, 2, 48)}, gate="response", freshest={"day_ahead": 0})
    found = made(known)
    one = found.marginals["day_ahead"]
    np.testing.assert_array_equal(one.mean[:24], price[-1])
    np.testing.assert_array_equal(one.quantile[:24], np.repeat(price[-1][:, None], LEVELS.size, axis=1))
    assert one.model.startswith("published, then ")
    assert (one.quantile[24:, LOW] < one.quantile[24:, HIGH]).all()


# --- the week -----------------------------------------------------------------------------------------


def test_a_week_has_one_training_and_the_next_another(monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[date] = []
    fit = facade.fit_streams

    def watched(known: Information, *rest: object) -> object:
        trained.append(known.efa_date)
        return fit(known, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(facade, "fit_streams", watched)
    forget_trained()
    price = prices(80)

    def information_of(day: date, _: str) -> Information:
        return information({HOURLY: price[: 60 + (day - LAST_DAY).days]}, last=day)

    for day in (0, 3, 6, 1, 7):
        make_forecast(information_of, LAST_DAY + timedelta(days=day), "day_ahead", YARDSTICKS)
    assert trained == [LAST_DAY, LAST_DAY + timedelta(days=7)]
    other = YARDSTICKS.model_copy(update={"similar_days": 5})
    make_forecast(information_of, LAST_DAY, "day_ahead", other)
    assert trained[2:] == [LAST_DAY]  # other settings are other models


def test_the_order_of_days_does_not_matter() -> None:
    price = prices(80)

    def information_of(day: date, _: str) -> Information:
        return information({HOURLY: price[: 60 + (day - LAST_DAY).days]}, last=day)

    days = [LAST_DAY + timedelta(days=k) for k in (0, 3, 8)]
    found = []
    for order in (days, days[::-1]):
        forget_trained()
        by_day = {day: make_forecast(information_of, day, "day_ahead", YARDSTICKS) for day in order}
        found.append([by_day[day].marginals["day_ahead"].quantile.tobytes() for day in days])
    assert found[0] == found[1]


@pytest.mark.parametrize("weekday", [1, 4, 7])
def test_the_retraining_day_is_the_last_of_its_weekday(weekday: int) -> None:
    for k in range(14):
        day = LAST_DAY + timedelta(days=k)
        found = retraining_day(day, weekday)
        assert found.isoweekday() == weekday
        assert 0 <= (day - found).days <= 6


def test_a_stream_that_the_retraining_knew_too_little_of_is_trained_now_and_said_so() -> None:
    price, clearing = prices(60), np.abs(np.random.default_rng(4).normal(5.0, 1.0, size=(60, 6)))
    clearing[:-10] = np.nan
    day, product = LAST_DAY + timedelta(days=4), RESPONSE["DCL"]

    def information_of(asked: date, _: str) -> Information:
        until = 60 - (day - asked).days
        values: dict[Stream, np.ndarray] = {HOURLY: price[:until], product: clearing[:until]}
        return information(values, last=asked)

    forget_trained()
    found = make_forecast(information_of, day, "day_ahead", YARDSTICKS)
    assert "response_DCL" in found.marginals
    assert said(found, "trained on what this gate knew, the last retraining knew too little: response_DCL")


def test_what_was_known_otherwise_is_trained_anew() -> None:
    known = information({HOURLY: prices(60)})
    forget_trained()
    first = make_forecast(lambda *_: known, LAST_DAY, "day_ahead", YARDSTICKS)
    outcome = {key: values.copy() for key, values in known.outcome.items()}
    outcome["day_ahead", 0][20] += 500.0
    other = replace(known, outcome=outcome)
    second = make_forecast(lambda *_: other, LAST_DAY, "day_ahead", YARDSTICKS)
    assert first.marginals["day_ahead"].quantile.tobytes() != second.marginals["day_ahead"].quantile.tobytes()
