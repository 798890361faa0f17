"""Figures of forecasts and scenarios: what they say, on odd days, with one day or none, the same bytes each time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from score_frames import STREAMS, YARDSTICK, outcome, scenario_set

from bess_pipeline.figures.dependence_map import dependence_map
from bess_pipeline.figures.forecast_fan import fan_chart
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.figures.rank_histograms import coverage_figure, rank_histograms
from bess_pipeline.figures.skill_by_hour import skill_by_hour
from bess_pipeline.figures.stream_words import in_order, short
from bess_pipeline.figures.style import png_bytes
from bess_pipeline.scenarios.codependence import blocks_of_scenarios
from bess_pipeline.scenarios.paths import ScenarioSet
from bess_pipeline.scenarios.scores import of_baseline, score_day
from bess_pipeline.scenarios.univariate import ordered, quantiles

DAY, SPRING, AUTUMN = date(2025, 2, 4), date(2026, 3, 29), date(2025, 10, 26)
PROVENANCE = Provenance("recorded", "elexon_mid", 2026)
QUANTILES = {"q05": 0.05, "q10": 0.1, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q90": 0.9, "q95": 0.95}
NAMES = list(STREAMS)


def words(figure: Figure) -> str:
    texts = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        texts += [text.get_text() for text in (*axes.texts, *axes.get_yticklabels(), *axes.get_xticklabels())]
        texts += [axes.get_title(loc="left"), axes.get_xlabel(), axes.get_ylabel()]
    texts += [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return "\n".join(texts)


def forecast_rows(many: ScenarioSet) -> pd.DataFrame:
    parts = []
    for name, values in many.value.items():
        found = quantiles(ordered(values, many.probability), tuple(QUANTILES.values()))
        columns = dict(zip(QUANTILES, found, strict=True))
        parts.append(pd.DataFrame({"stream": name, "gate": many.gate, "start_utc": many.start_utc[name], **columns}))
    return pd.concat(parts, ignore_index=True)


def outcome_rows(many: ScenarioSet, came: dict[str, np.ndarray]) -> pd.DataFrame:
    parts = [pd.DataFrame({"stream": n, "start_utc": many.start_utc[n], "value": v}) for n, v in came.items()]
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize(("day", "note"), [(DAY, ""), (SPRING, "23-hour day"), (AUTUMN, "25-hour day")])
def test_fan_chart_says_day_gate_unit_and_source_and_draws_all_periods(day: date, note: str) -> None:
    rng = np.random.default_rng(1)
    many = scenario_set(50, day, rng, days=2)
    figure = fan_chart(forecast_rows(many), outcome_rows(many, outcome(day, rng, days=2)), NAMES, day, PROVENANCE)
    said = words(figure)
    for part in (
        f"{day:%a %d %b %Y}",
        "day-ahead gate",
        "£/MWh",
        "DCL clearing price, £/MW/h",
        "recorded GB data",
        note,
    ):
        assert part in said, part
    assert "Market index standing in for day-ahead, £/MWh" in said
    assert "outcome of" not in said
    hours = {DAY: 24.0, SPRING: 23.0, AUTUMN: 25.0}[day]
    for axes in figure.axes:
        assert axes.get_xlim() == (0.0, hours)
        assert {max(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) > 2} == {hours}
    assert len(png_bytes(figure)) > 10_000


def test_fan_chart_with_gaps_and_streams_that_are_not_there() -> None:
    rng = np.random.default_rng(2)
    many, came = scenario_set(50, SPRING, rng), outcome(SPRING, rng)
    came["system_price"] = came["system_price"] - 200.0
    came["response_DCL"][:] = np.nan
    rows = outcome_rows(many, came)
    rows = rows[~((rows["stream"] == "system_price") & (rows.groupby("stream").cumcount() < 6))]
    expected = forecast_rows(many)
    expected.loc[expected["stream"] == "day_ahead", list(QUANTILES)] = 70.0
    figure = fan_chart(expected, rows, [*NAMES, "response_DRL"], SPRING, PROVENANCE)
    said = words(figure)
    assert "System price, £/MWh (outcome of 40 of 46 periods)" in said
    assert "DCL clearing price, £/MW/h (no outcome)" in said
    assert said.count("no forecast") == 1
    assert said.count("(known at the gate)") == 1
    drawn = figure.axes[1].lines[1].get_ydata()
    assert np.isnan(np.asarray(drawn, dtype=float)[:6]).all(), "what is missing is not drawn through"


def test_fan_chart_refuses_two_gates_and_no_stream() -> None:
    rng = np.random.default_rng(3)
    many = scenario_set(5, DAY, rng)
    rows = forecast_rows(many)
    with pytest.raises(ValueError, match="one gate"):
        fan_chart(
            pd.concat([rows, rows.assign(gate="response")]),
            outcome_rows(many, {} | outcome(DAY, rng)),
            NAMES,
            DAY,
            PROVENANCE,
        )
    with pytest.raises(ValueError, match="some stream"):
        fan_chart(rows, outcome_rows(many, outcome(DAY, rng)), [], DAY, PROVENANCE)


def test_dependence_map_has_one_scale_and_both_sides() -> None:
    rng = np.random.default_rng(4)
    many = scenario_set(80, DAY, rng)
    past = blocks_of_scenarios(scenario_set(40, DAY, rng))
    past.pop("response_DCL")
    figure = dependence_map(past, blocks_of_scenarios(many), many.probability, "4 Feb 2025", PROVENANCE)
    said = words(figure)
    for part in (
        "40 past days",
        "80 scenarios",
        "system price",
        "DCL price",
        "Kendall's tau",
        "mean distance",
        "recorded",
    ):
        assert part in said, part
    left, right = (axes.images[0] for axes in figure.axes[:2])
    assert left.get_clim() == right.get_clim() == (-1.0, 1.0)
    tau = np.ma.getdata(right.get_array())
    assert (tau[0, 6:12] > 0.2).all()
    assert np.ma.getmaskarray(left.get_array())[12:, :12].all(), "a stream without history is grey"
    few = {name: one[:5] for name, one in past.items()}
    assert "5 past days: too few" in words(dependence_map(few, past, np.full(40, 1 / 40), "x", PROVENANCE))
    with pytest.raises(ValueError, match="needs a stream"):
        dependence_map({}, {}, many.probability, "x", PROVENANCE)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """24 days whose system price came lower than any forecast; the baseline has no skill at the day-ahead price."""
    rng, parts = np.random.default_rng(5), []
    for k in range(24):
        day = DAY + timedelta(days=k)
        came, many, other = outcome(day, rng), scenario_set(40, day, rng), scenario_set(40, day, rng)
        came["system_price"] -= 300.0
        other.value["day_ahead"][:] += 60.0
        parts.append(score_day(many, came, YARDSTICK, 1))
        parts.append(of_baseline(score_day(other, came, YARDSTICK, 1), "similar_day"))
    return pd.concat(parts, ignore_index=True)


def test_rank_histograms_show_a_biased_stream(rows: pd.DataFrame) -> None:
    figure = rank_histograms(rows, "day_ahead", PROVENANCE)
    said = words(figure)
    for part in ("(24 days)", "system price: p < 0.001", "all: average", "90 % band", "days", "recorded GB data"):
        assert part in said, part
    assert "DCL price: p = " in said
    biased = next(axes for axes in figure.axes if axes.get_title(loc="left").startswith("system price"))
    heights = [bar.get_height() for bar in biased.patches if bar.get_height() and bar.get_width() < 0.2]
    assert heights == [24]
    fewer = rows[(rows["score"] != "average_rank") | (rows["efa_date"] < DAY + timedelta(days=11))]
    said = words(rank_histograms(fewer, "day_ahead", PROVENANCE))
    assert said.count(", 11 days") == 1, "a panel of fewer days than the others says so"


def test_coverage_says_how_often(rows: pd.DataFrame) -> None:
    figure = coverage_figure(rows, "day_ahead", 1, PROVENANCE)
    assert "system price" in words(figure)
    points = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    found = {(round(line.get_ydata()[0]), round(float(line.get_xdata()[0]))) for line in points}
    assert {x for place, x in found if NAMES[place] == "system_price"} == {0}
    assert all(x > 30 for place, x in found if NAMES[place] != "system_price")
    heights = [float(line.get_ydata()[0]) for line in points]
    assert len(set(heights)) == len(heights) == 9, "no point or interval lies on another"


def test_skill_by_hour_shows_where_it_lies(rows: pd.DataFrame) -> None:
    figure = skill_by_hour(rows, "day_ahead", "similar_day", 1, PROVENANCE)
    said = words(figure)
    for part in ("CRPS skill over similar-day", "24 days", "DCL price: ", "London clock hour", "recorded GB data"):
        assert part in said, part
    title = figure.axes[0].get_title(loc="left")
    assert title.startswith("day-ahead: ")
    assert int(title.split()[1]) > 50
    assert len(figure.axes[0].lines[0].get_xdata()) == 24
    assert len(figure.axes[2].lines[0].get_xdata()) == 6


@pytest.mark.parametrize(
    "draw",
    [
        lambda rows: rank_histograms(rows, "day_ahead", PROVENANCE),
        lambda rows: coverage_figure(rows, "day_ahead", 1, PROVENANCE),
        lambda rows: skill_by_hour(rows, "day_ahead", "similar_day", 1, PROVENANCE),
    ],
)
def test_one_day_and_none_are_drawn_and_said(draw: Callable[[pd.DataFrame], Figure], rows: pd.DataFrame) -> None:
    one = rows[rows["efa_date"] == DAY]
    assert png_bytes(draw(one)) == png_bytes(draw(one))
    said = words(draw(one))
    assert "too few days" in said or "Coverage" in said
    assert "24 days" not in said
    empty = words(draw(rows.iloc[:0]))
    assert "no scored day" in empty or "no score of the similar-day baseline" in empty


def test_words_for_streams() -> None:
    assert [short(n) for n in ("day_ahead", "response_DRH", "activation_DCL", "x_y")] == [
        "day-ahead", "DRH price", "DCL energy", "x y",
    ]  # fmt: skip
    assert in_order({"z", "activation_DCL", "response_DRL", "system_price", "day_ahead"}) == [
        "day_ahead", "system_price", "response_DRL", "activation_DCL", "z",
    ]  # fmt: skip
