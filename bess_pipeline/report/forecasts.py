"""The page "forecasts and scenarios" of a window, from the published warehouse.

What belongs here: which rows the page and its figures show, and where they are written. What does not: scores
(`scenarios/`), the pictures (`figures/`), the look (`forecasts.html.j2`).
"""

from __future__ import annotations

import base64
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from bess_pipeline import gb_time
from bess_pipeline.atomic import write_bytes
from bess_pipeline.figures.dependence_map import dependence_map
from bess_pipeline.figures.forecast_fan import fan_chart
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.figures.rank_histograms import coverage_figure, rank_histograms
from bess_pipeline.figures.skill_by_hour import skill_by_hour
from bess_pipeline.figures.stream_words import gate_label, in_order, short
from bess_pipeline.figures.style import png_bytes
from bess_pipeline.forecasting.activation import ASSUMED
from bess_pipeline.report.html import environment
from bess_pipeline.report.publish import FORECASTS_NAME
from bess_pipeline.report.window import Window, as_date, provenance_of, rows_of
from bess_pipeline.scenarios.codependence import blocks_of_history, blocks_of_scenarios
from bess_pipeline.scenarios.realised import realised_ranks
from bess_pipeline.scenarios.score_window import score_window
from bess_pipeline.scenarios.scoring import BASELINE_NAME
from bess_pipeline.scenarios.storage import marginals_from, scenarios_from
from bess_pipeline.settings import Settings
from bess_pipeline.trading import timeline
from bess_pipeline.trading.timeline import GATES
from bess_pipeline.warehouse import query
from bess_pipeline.workspace import Workspace

TABLE = ("crps", "coverage_90", "energy_score", "variogram_score")
NO_NUMBER = "\N{EN DASH}"
FEWEST_DAYS = 10  # scored, for pictures of a window: with fewer they would show chance alone
DEPENDENCE_DAYS = 90  # the last days whose outcomes the scenarios are held against


@dataclass(frozen=True)
class WrittenForecasts:
    """The page, its pictures by name, and the gates they show."""

    page: Path
    figures: dict[str, Path]


def write_forecast_page(
    settings: Settings, workspace: Workspace, window: Window, as_of: datetime
) -> WrittenForecasts | None:
    """Page and pictures of the forecasts of the window and of the last day forecast; None before any was made."""
    newest = query(workspace.database, "SELECT max(efa_date) AS day FROM forecast.price_forecast")["day"].iloc[0]
    if pd.isna(newest):
        return None
    planned, provenance = as_date(newest), provenance_of(workspace, as_of)
    shown = Window(min(window.first, planned), max(window.last, planned))
    scores = rows_of(workspace, "scenario.score", window)
    forecast, outcome = rows_of(workspace, "forecast.price_forecast", shown), _outcomes(workspace, shown)
    forecast = forecast[forecast["model"] != ASSUMED]  # nothing to draw: one figure for every period
    status = rows_of(workspace, "scenario.gate_status", shown)
    pictures: dict[str, bytes] = {}
    for gate in GATES:
        own = forecast[forecast["gate"] == gate]
        for day in [planned] if gate == GATES[0] else []:
            pictures |= _fan(own, outcome, day, gate, provenance)
        pictures |= _fan(own[own["efa_date"] <= window.last], outcome, window.last, gate, provenance)
        if scores.loc[scores["gate"] == gate, "efa_date"].nunique() >= FEWEST_DAYS:
            pictures |= _dependence(settings, workspace, own, outcome, planned, gate, provenance)
            pictures[f"rank_histograms_{gate}"] = png_bytes(rank_histograms(scores, gate, provenance))
            pictures[f"interval_coverage_{gate}"] = png_bytes(coverage_figure(scores, gate, settings.seed, provenance))
            pictures[f"skill_by_hour_{gate}"] = png_bytes(
                skill_by_hour(scores, gate, BASELINE_NAME, settings.seed, provenance)
            )
    scored = Window(min(scores["efa_date"]), max(scores["efa_date"])) if len(scores) else window
    page = build_page(score_table(scores, settings.seed), status, pictures, scored, planned, provenance, as_of)
    return _written(workspace, page, pictures)


def score_table(scores: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Coverage and skill of every gate and stream over the window, with 95 % intervals, as words."""
    if scores.empty:
        return pd.DataFrame()
    summary = score_window(scores, seed)
    kept = summary[summary["score"].isin(TABLE) & ~summary["stream"].str.contains("|", regex=False)]
    order = in_order(set(kept["stream"]))
    rows = [
        {"gate": gate, "stream": stream} | _cells(kept[(kept["gate"] == gate) & (kept["stream"] == stream)])
        for gate in sorted(set(kept["gate"]))
        for stream in order
    ]
    return pd.DataFrame([row for row in rows if row["days"] != "0"])


def _cells(part: pd.DataFrame) -> dict[str, str]:
    by_score = {str(row["score"]): row for row in part.to_dict("records")}
    crps = by_score.get("crps", {})
    p_better = crps.get("p_better", float("nan"))
    return {
        "days": str(int(part["days"].max())) if len(part) else "0",
        **{score: _interval(by_score.get(score, {}), "value", "ci_low", "ci_high") for score in TABLE},
        "skill": _interval(crps, "skill", "skill_low", "skill_high"),
        "p": NO_NUMBER if pd.isna(p_better) else f"{p_better:.3f}",
    }


def _interval(row: Mapping[Hashable, Any], value: str, low: str, high: str) -> str:
    if not row or pd.isna(row[value]):
        return NO_NUMBER
    ends = "" if pd.isna(row[low]) else f" ({row[low]:.3g} to {row[high]:.3g})"
    return f"{row[value]:.3g}{ends}"


def build_page(
    table: pd.DataFrame,
    status: pd.DataFrame,
    pictures: Mapping[str, bytes],
    window: Window,
    planned: date,
    provenance: Provenance,
    as_of: datetime,
) -> str:
    """The page as HTML text; the same inputs give the same text."""
    weak = status[(status["status"] != "complete") | (status["notes"] != "")]
    return (
        environment()
        .get_template("forecasts.html.j2")
        .render(
            provenance=provenance,
            first=window.first,
            last=window.last,
            planned=planned,
            as_of=gb_time.require_utc(as_of).strftime("%Y-%m-%d %H:%M UTC"),
            rows=[row | {"stream": short(row["stream"])} for row in table.to_dict("records")],
            counts=status.groupby(["gate", "step", "status"]).size().reset_index(name="days").to_dict("records"),
            remarks=_remarks(weak),
            pictures=[(_caption(name), base64.b64encode(png).decode("ascii")) for name, png in pictures.items()],
            gate_label=gate_label,
            fewest_days=FEWEST_DAYS,
        )
    )


def _remarks(weak: pd.DataFrame) -> list[dict[Hashable, Any]]:
    """Reasons and notes with the number of gates that have them, the most frequent first."""
    texts = [
        (row["step"], text)
        for row in weak.to_dict("records")
        for text in ([row["reason"]] if row["reason"] else []) + str(row["notes"]).splitlines()
    ]
    counted = pd.DataFrame(texts, columns=["step", "text"]).value_counts().reset_index(name="gates")
    return counted.sort_values(["gates", "step", "text"], ascending=[False, True, True]).head(60).to_dict("records")


def _fan(rows: pd.DataFrame, outcome: pd.DataFrame, day: date, gate: str, provenance: Provenance) -> dict[str, bytes]:
    mine = rows[rows["efa_date"] == day]
    if mine.empty:
        return {}
    start, end = gb_time.efa_day_bounds_utc(day)
    came = outcome[(outcome["start_utc"] >= start) & (outcome["start_utc"] < end)]
    came = came.merge(mine[["stream", "start_utc"]])  # the clock of the forecast: hours, not their halves
    drawn = fan_chart(mine, came, in_order(set(mine["stream"])), day, provenance)
    return {f"fan_{gate}_{day}": png_bytes(drawn)}


def _dependence(
    settings: Settings,
    workspace: Workspace,
    forecast: pd.DataFrame,
    outcome: pd.DataFrame,
    day: date,
    gate: timeline.Gate,
    provenance: Provenance,
) -> dict[str, bytes]:
    """Dependence as it came on the last days before `day`, beside that of its scenarios."""
    paths = rows_of(workspace, "scenario.price_path", Window(day, day))
    drawn_streams = set(forecast.loc[forecast["efa_date"] == day, "stream"])
    paths = paths[(paths["gate"] == gate) & paths["stream"].isin(drawn_streams)]
    if paths.empty:
        return {}
    earliest = day - timedelta(days=DEPENDENCE_DAYS)
    past_forecast = forecast[(forecast["efa_date"] < day) & (forecast["efa_date"] >= earliest)]
    history, streams = realised_ranks(past_forecast, outcome, settings.seed)
    known = {name: one.stream for name, one in marginals_from(forecast[forecast["efa_date"] == day], day).items()}
    closes, method = timeline.gate_utc(day, gate), settings.scenarios.method
    scenarios = scenarios_from(paths, known, day, gate, closes, method, settings.seed)
    title = f"{gate_label(gate)} of {day}"
    past = blocks_of_history(history, streams)
    drawn = dependence_map(past, blocks_of_scenarios(scenarios), scenarios.probability, title, provenance)
    return {f"dependence_{gate}": png_bytes(drawn)}


def _outcomes(workspace: Workspace, window: Window) -> pd.DataFrame:
    start, end = gb_time.efa_day_bounds_utc(window.first)[0], gb_time.efa_day_bounds_utc(window.last)[1]
    return query(
        workspace.database,
        f"SELECT * FROM forecast.outcome WHERE start_utc >= TIMESTAMPTZ '{start:%Y-%m-%d %H:%M:%S+00}' "
        f"AND start_utc < TIMESTAMPTZ '{end:%Y-%m-%d %H:%M:%S+00}' ORDER BY ALL",
    )


def _written(workspace: Workspace, page: str, pictures: Mapping[str, bytes]) -> WrittenForecasts:
    files = {name: workspace.reports / "figures" / f"{name}.png" for name in pictures}
    for name, file in files.items():
        write_bytes(file, pictures[name])
    path = workspace.reports / FORECASTS_NAME
    write_bytes(path, page.encode())
    return WrittenForecasts(path, files)


def _caption(name: str) -> str:
    kind, _, rest = name.partition("_")
    words = {
        "fan": "Forecast of each stream with the outcome where it is known",
        "dependence": "Dependence between streams and EFA blocks: as outcomes came in the past, and in the scenarios",
        "rank": "Ranks that outcomes took: level bars are what right forecasts give",
        "interval": "Share of outcomes in the central 50, 80 and 90 % intervals, with 95 % confidence intervals",
        "skill": "Skill over the similar-day baseline by hour of the day (CRPS)",
    }
    gate = next(gate for gate in GATES if gate in rest)
    return f"{words[kind]}, {gate_label(gate)}"
