"""Sections on risk: measures, limits, back-tests, tail days, attribution, stress, day on day, and warnings.

What belongs here: their words, of the rows of the risk tables. What does not: the numbers (`risk/`), the pictures
(`risk_figures.py`), and what strategies are worth (`captured.py`).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from bess_pipeline.figures.style import in_words
from bess_pipeline.figures.tail_contribution import TITLES
from bess_pipeline.report.captured import NO_WATERFALL, Label
from bess_pipeline.report.expected_risk import expected_risk
from bess_pipeline.report.risk_rows import AFTER_WEAR, RiskRows
from bess_pipeline.report.sections import (
    ReportFigure,
    Section,
    TextTable,
    day_counts,
    known,
    plain,
    share,
    with_interval,
    without_interval,
)
from bess_pipeline.report.tables import NONE, number
from bess_pipeline.risk.backtests import INSUFFICIENT
from bess_pipeline.risk.limits import BREACHED, NOT_MEASURED, WITHIN, name_of
from bess_pipeline.risk.measures import days_in_tail
from bess_pipeline.risk.summary import WHOLE
from bess_pipeline.trading.strategies import find

WORST_SHOWN = 5
MEAN = "mean_gbp_per_day"  # has an interval wherever the days are enough
BASIS_WORDS = {AFTER_WEAR: "after wear", "cash": "cash"}
MEASURES = {  # measure -> heading, decimals, factor
    MEAN: ("mean, £/day", 0, 1.0),
    "annualised_gbp_per_mw_year": ("£k/MW/year", 1, 0.001),
    "hit_rate": ("hit rate, %", 1, 100.0),
    "sharpe": ("Sharpe", 2, 1.0),
    "sortino": ("Sortino", 2, 1.0),
    "max_drawdown_gbp": ("deepest drawdown, £", 0, 1.0),
    "max_drawdown_gbp_per_mw": ("deepest drawdown, £/MW", 0, 1.0),
}
TAILS = {"var_gbp": "VaR", "cvar_gbp": "CVaR"}
MEASURES_NOTE = (
    "P&L of days, with intervals of a stationary block bootstrap. VaR, CVaR and drawdown are positive when money is "
    "lost: a strategy whose bad days still earn has a negative VaR. Sharpe is mean over standard deviation times the "
    "root of 365, Sortino the mean over the root of the mean squared loss times the same; there is no capital and no "
    "risk-free rate, so neither compares with a ratio of returns. Per MW, at other confidences and in "
    "other windows: risk.latest_measure."
)
LIMIT_COLUMNS = ("limit", "strategy", "days broken", "days measured", "not measured", "limit is", "worst", "last day")
REJECTED = "rejected"  # verdict of `risk/backtests.py`, which pages need not import: it needs SciPy
KINDS = ("stream", "block", "driver")
BACKTEST_COLUMNS = (
    "strategy", "forecast", "test", "statistic", "p-value", "exceptions (expected)", "days", "power", "verdict",
)  # fmt: skip
STRESS_COLUMNS = (
    "strategy",
    "shock",
    "day",
    "change of cash, £",
    "left in store, £",
    "energy not moved, MWh",
    "margin, MWh",
)


def warning_items(rows: RiskRows, label: Label) -> list[str]:
    """Warnings on results as sentences, each with its strategy; replays that a waterfall lacks are said there."""
    shown = rows.warning[rows.warning["kind"] != NO_WATERFALL].sort_values(["kind", "strategy", "place"])
    return [f"{label(str(row['strategy']))}: {row['words']}" for row in shown.to_dict("records")]


def risk_sections(
    rows: RiskRows, label: Label, confidence: float, tail_figures: Sequence[ReportFigure] = ()
) -> list[Section]:
    """All sections of risk that have rows. confidence: the headline, of limits, tail days, attribution, back-tests."""
    return [
        *_measures(rows, label),
        *expected_risk(rows.forecast_pnl, label),
        *_limits(rows, label),
        *_backtests(rows, label, confidence),
        *_tail_days(rows, label, confidence),
        *_attribution(rows, label, confidence, tail_figures),
        *_stress(rows, label),
        *_explain(rows, label),
    ]


def _measures(rows: RiskRows, label: Label) -> list[Section]:
    whole = rows.measure[rows.measure["window"] == WHOLE]
    if whole.empty:
        return []
    tables = []
    for basis, words in BASIS_WORDS.items():
        own = whole[whole["basis"] == basis]
        tables += [_measure_table(own, words, label), _tail_table(own, words, label)]
    return [
        Section(
            title="Measures of risk",
            lead=f"All days up to {rows.as_of}, each strategy over its own: compare rows with the same number of days.",
            tables=[one for one in (*tables, _window_table(rows.measure, label)) if one.rows],
            items=[*without_interval(rows.measure[rows.measure["measure"] == MEAN]), *_beyond_resolution(whole)],
            note=MEASURES_NOTE,
        )
    ]


def _beyond_resolution(whole: pd.DataFrame) -> list[str]:
    """Confidences whose tail is less than one of the days: VaR and CVaR are those of the worst day."""
    levels = whole.dropna(subset=["confidence"])
    held = levels[levels["days"] * (1.0 - levels["confidence"]) < 1.0]
    if held.empty:
        return []
    named = ", ".join(
        f"at {float(str(level)) * 100:g} % of {day_counts(part['days'])}" for level, part in held.groupby("confidence")
    )
    return [f"Less than one day lies beyond VaR {named}: VaR and CVaR there are both the worst day."]


def _measure_table(own: pd.DataFrame, basis: str, label: Label) -> TextTable:
    columns = ["strategy", "days", *(heading for heading, _, _ in MEASURES.values())]
    return TextTable(
        columns,
        [
            [label(strategy), *_days(part), *(_measure(part, name) for name in MEASURES)]
            for strategy, part in _by_strategy(own)
        ],
        title=basis.capitalize(),
    )


def _tail_table(own: pd.DataFrame, basis: str, label: Label) -> TextTable:
    levels = sorted(set(own["confidence"].dropna()))
    heads = [(name, level) for level in levels for name in TAILS]
    return TextTable(
        ["strategy", *(f"{TAILS[name]} {level * 100:g} %, £" for name, level in heads)],
        [
            [label(strategy), *(_cell(part[part["confidence"] == level], name, 0, 1.0) for name, level in heads)]
            for strategy, part in _by_strategy(own)
        ],
        title=f"VaR and CVaR of a day, {basis}",
    )


def _window_table(measure: pd.DataFrame, label: Label) -> TextTable:
    own = measure[(measure["basis"] == AFTER_WEAR) & (measure["window"] != WHOLE)]
    shown = ("annualised_gbp_per_mw_year", "hit_rate", "sharpe", "max_drawdown_gbp")
    rows = [
        [f"{label(strategy)}, last {window.removesuffix('d')} days", *(_measure(part, name) for name in shown)]
        for strategy, whole in _by_strategy(own)
        for window, part in sorted(
            ((str(w), p) for w, p in whole.groupby("window")), key=lambda one: (len(one[0]), one[0])
        )
    ]
    return TextTable(["strategy, window", *(MEASURES[name][0] for name in shown)], rows, title="By window, after wear")


def _limits(rows: RiskRows, label: Label) -> list[Section]:
    status = rows.limit_status
    if status.empty:
        return []
    measured = status[status["status"].isin([WITHIN, BREACHED, NOT_MEASURED])]
    if measured.empty:
        return [Section(title="Limits of the desk", lead="No limit is set ([risk.limits] in bess.toml).")]
    table = [
        _limit_row(days.sort_values("efa_date"), label)
        for _, days in measured.groupby(["limit_name", "strategy", "source"], dropna=False)
    ]
    breaches = int((measured["status"] == BREACHED).sum())
    return [
        Section(
            title="Limits of the desk",
            lead=f"{breaches} {'limit was' if breaches == 1 else 'limits were'} broken in this window (days, "
            "strategies and limits counted apart)." if breaches else "No limit was broken in this window.",
            tables=[TextTable(LIMIT_COLUMNS, table)],
            note="A limit is broken beyond it, not at it. What was not measured is no breach, and is said. VaR "
            "and CVaR are ex ante where the plan was judged on fresh scenarios, else historical, of the days before; "
            "strategies without such plans have historical ones alone. Day by day: risk.limit_status, summed up in "
            "risk.limit_summary.",
        )
    ]  # fmt: skip


def _limit_row(days: pd.DataFrame, label: Label) -> list[str]:
    """Days of one limit, strategy and source."""
    last = days.iloc[-1]
    source = None if pd.isna(last["source"]) else str(last["source"])
    broken = days[days["status"] == BREACHED]
    worst = broken.sort_values("excess").iloc[-1] if len(broken) else None
    unit = f" {last['unit']}" if last["unit"] else ""
    return [
        name_of(str(last["limit_name"]), source),
        label(str(last["strategy"])),
        str(len(broken)),
        str(int(days["status"].isin([WITHIN, BREACHED]).sum())),
        str(int((days["status"] == NOT_MEASURED).sum())),
        f"{last['allowed']:,.4g}{unit}",
        NONE if worst is None else f"{worst['measured']:,.4g}{unit} on {worst['efa_date']}",
        str(last["status"]),
    ]


def _backtests(rows: RiskRows, label: Label, confidence: float) -> list[Section]:
    own = rows.var_backtest[rows.var_backtest["confidence"] == confidence]
    if own.empty:
        return []
    notes = sorted({_backtest_note(row, label) for row in own.to_dict("records") if row["note"]})
    return [
        Section(
            title=f"Back-tests of VaR and CVaR at {confidence * 100:g} %",
            lead="What was expected of each day before it came, against what came.",
            tables=[TextTable(BACKTEST_COLUMNS, _backtest_rows(own, label))],
            items=notes,
            note="Power: the chance of rejecting a VaR and CVaR that are 20 % too close to the expected P&L. A test "
            "that is not rejected with little power says little. Below the least number of days there is no "
            "statistic: insufficient data. "
            "At other confidences: risk.latest_backtest.",
        )
    ]


def _backtest_note(row: Mapping[Hashable, Any], label: Label) -> str:
    """A note; with its test where that is rejected, since it says why."""
    if row["verdict"] != REJECTED:
        return str(row["note"])
    of = f"{row['source']}, {row['test']}".replace("_", " ")
    return f"{label(str(row['strategy']))}, {of}: {row['note']}"


def _backtest_rows(own: pd.DataFrame, label: Label) -> list[list[str]]:
    """A row for each test; one for all tests of a forecast that has too few days for any."""
    rows = []
    for _, tests in own.groupby(["strategy", "source"]):
        if (tests["verdict"] == INSUFFICIENT).all():
            tests = tests.iloc[[0]].assign(test="all tests")
        rows += [_backtest_row(row, label) for row in tests.to_dict("records")]
    return rows


def _backtest_row(row: Mapping[Hashable, Any], label: Label) -> list[str]:
    return [
        label(str(row["strategy"])),
        str(row["source"]).replace("_", " "),
        str(row["test"]).replace("_", " "),
        plain(row["statistic"], 3),
        plain(row["p_value"], 3),
        f"{row['exceptions']} ({row['expected_exceptions']:.1f})",
        str(row["days"]),
        plain(row["power"], 2),
        str(row["verdict"]),
    ]


def _tail_days(rows: RiskRows, label: Label, confidence: float) -> list[Section]:
    days = _without_bounds(rows.tail_day)
    own = days[(days["confidence"] == confidence) & (days["place"] <= WORST_SHOWN)]
    if own.empty:
        return []
    table = [
        [label(strategy), str(row["efa_date"]), number(row["pnl_gbp"]), _tail_share(row), str(row["words"])]
        for strategy, part in _by_strategy(own)
        for row in part.sort_values("place").to_dict("records")
    ]
    return [
        Section(
            title="The worst days",
            lead=f"The {WORST_SHOWN} worst days of each strategy after wear, with what happened, as of {rows.as_of}.",
            tables=[TextTable(["strategy", "EFA day", "P&L, £", "share of CVaR", "what happened"], table, words=True)],
            note=f"A share is of CVaR at {confidence * 100:g} %, and empty where even the tail earns. More days: "
            "risk.latest_tail_day.",
        )
    ]


def _attribution(rows: RiskRows, label: Label, confidence: float, figures: Sequence[ReportFigure]) -> list[Section]:
    leading = rows.leading(rows.attribution["strategy"])
    own = rows.attribution[(rows.attribution["strategy"] == leading) & (rows.attribution["confidence"] == confidence)]
    if leading is None or own.empty:
        return []
    tables = []
    for kind in [kind for kind in TITLES if (own["component_kind"] == kind).any()]:
        part = own[own["component_kind"] == kind]
        cells = [
            [in_words(str(row["component"])), number(row["expected_gbp"]), number(row["cvar_contribution_gbp"])]
            for row in part.to_dict("records")
        ]
        total = ["sum", number(part["expected_gbp"].sum()), number(part["cvar_contribution_gbp"].sum())]
        columns = [kind, "mean day, £", "contribution to CVaR, £"]
        tables.append(TextTable(columns, [*cells, total], title=TITLES[kind]))
    return [
        Section(
            title=f"Where P&L and bad days come from, {label(leading)}",
            lead=f"Mean day after wear, and CVaR at {confidence * 100:g} % ({_tail_words(rows, leading, confidence)}) "
            "split over the same days (Euler): each table sums to the same two numbers.",
            tables=tables,
            figures=figures,
            note="A contribution is positive where the component loses on bad days; a negative one earns then, it "
            "hedges. Drivers: the plan, as if all of it had been sold day-ahead; the spread position (what was not, at "
            "system price less day-ahead price); re-dispatch within the day; activation by services. Other "
            "strategies: risk.latest_attribution.",
        )
    ]


def _tail_words(rows: RiskRows, strategy: str, confidence: float) -> str:
    """How many days CVaR is the mean of."""
    own = rows.measure[(rows.measure["strategy"] == strategy) & (rows.measure["window"] == WHOLE)]
    if own.empty:
        return "of the worst days"
    days = int(own["days"].max())
    count = days_in_tail(days, confidence)
    return f"the worst day of {days}" if count == 1 else f"the worst {count} of {days} days"


def _stress(rows: RiskRows, label: Label) -> list[Section]:
    shocked = _without_bounds(rows.stress[rows.stress["shock"] != "as_it_was"])
    if shocked.empty:
        return []
    worst = shocked.loc[shocked.groupby(["strategy", "shock"], sort=True)["pnl_change_gbp"].idxmin()]
    table = [
        [
            label(str(row["strategy"])),
            str(row["words"]),
            str(row["efa_date"]),
            number(row["pnl_change_gbp"]),
            number(row["surplus_gbp"]),
            number(row["undelivered_mwh"], 1),
            f"{number(row['margin_before_mwh'], 1)} to {number(row['margin_after_mwh'], 1)}",
        ]
        for row in worst.to_dict("records")
    ]
    return [
        Section(
            title="Stress",
            lead="What shocks would do to the dispatch as it stands, on the day of those looked at (the last and the "
            "worst) that they hurt most.",
            tables=[TextTable(STRESS_COLUMNS, table, words=True)],
            note="Before anybody acts: contracts and dispatch stay. Energy missing at the end is bought in the "
            "change of cash, energy left over is not sold in it. The margin is the least distance of the state of "
            "energy to its limits, before and after; below 0 the dispatch could not be carried out. All days: "
            "risk.latest_stress.",
        )
    ]


def _explain(rows: RiskRows, label: Label) -> list[Section]:
    leading = rows.leading(rows.explain["strategy"])
    if leading is None:
        return []
    own = rows.explain[rows.explain["strategy"] == leading]
    own = own[own["efa_date"] == own["efa_date"].max()]
    amounts = ["price_gbp", "volume_gbp", "revision_gbp", "change_gbp"]
    cells = [[in_words(str(row["stream"])), *(number(row[name]) for name in amounts)] for row in own.to_dict("records")]
    total = ["sum", *(number(own[name].sum()) for name in amounts)]
    return [
        Section(
            title=f"Day on day, {label(leading)}",
            lead=f"Why P&L after wear of {own['efa_date'].iloc[0]} is not that of {own['before_date'].iloc[0]}.",
            tables=[TextTable(["stream", "prices, £", "volumes, £", "revisions, £", "change, £"], [*cells, total])],
        )
    ]


def _tail_share(day: Mapping[Hashable, Any]) -> str:
    return share(day["share_of_cvar"]) if day["tail_weight"] > 0.0 else NONE


def _without_bounds(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of strategies alone: nobody trades a bound."""
    known = {name: find(str(name)) for name in set(rows["strategy"])}
    return rows[~rows["strategy"].isin([name for name, one in known.items() if one is not None and one.bound is None])]


def _by_strategy(rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(str(name), part) for name, part in rows.groupby("strategy", sort=True)]


def _days(part: pd.DataFrame) -> list[str]:
    return [str(int(part["days"].max()))]


def _measure(part: pd.DataFrame, name: str) -> str:
    _, decimals, factor = MEASURES[name]
    return _cell(part, name, decimals, factor)


def _cell(part: pd.DataFrame, name: str, decimals: int, factor: float) -> str:
    found = part[part["measure"] == name]
    if found.empty or not known(found["value"].iloc[0]):
        return NONE
    value, low, high = (float(found[column].iloc[0]) * factor for column in ("value", "ci_low", "ci_high"))
    return with_interval(value, low, high, decimals)
