"""The report page and the terminal table: what they state, escaped, whole and repeatable."""

from __future__ import annotations

import base64
import dataclasses
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

import pandas as pd
import pytest

from bess_pipeline import schemas
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.report.html import ReportInputs, build_report
from bess_pipeline.report.not_included import comparison, not_included
from bess_pipeline.report.sections import ReportFigure, Section, TextTable
from bess_pipeline.report.tables import Comparison, number, pnl_tables_text
from bess_pipeline.settings import Settings
from bess_pipeline.trading.status import status_row

FIRST = date(2024, 3, 30)
PNG = b"\x89PNG\r\n\x1a\nbytes"


def pnl_rows(*rows: tuple[int, str, str, float]) -> pd.DataFrame:
    frame = pd.DataFrame(
        [(FIRST + timedelta(days=n), strategy, stream, gbp, gbp / 50.0) for n, strategy, stream, gbp in rows],
        columns=list(schemas.columns("risk/daily_pnl")),
    )
    return schemas.validate("risk/daily_pnl", frame)


PNL = pnl_rows(
    (0, "rule_based", "day_ahead", 12_345.6),
    (0, "rule_based", "imbalance", -0.2),
    (0, "rule_based", "wear", -1_000.0),
    (1, "rule_based", "day_ahead", -2_000.0),
    (0, "day_ahead_perfect_foresight", "day_ahead", 30_000.0),
)
STATUS = pd.concat(
    [
        status_row(FIRST, "rule_based", "complete", opening_energy_mwh=50.0, closing_energy_mwh=5.0),
        status_row(FIRST + timedelta(days=1), "rule_based", "refused", "<script>alert('no price')</script> & more"),
    ],
    ignore_index=True,
)
PROVENANCE = Provenance("recorded", "elexon_mid", 2026)
COMPARISON = Comparison("P&L by strategy and stream, £", PNL, {"rule_based": 0.3115})
INPUTS = ReportInputs(
    first=FIRST,
    last=FIRST + timedelta(days=1),
    pnl=PNL,
    run_status=STATUS,
    comparisons=(COMPARISON,),
    power_mw=50.0,
    energy_mwh=100.0,
    provenance=PROVENANCE,
    left_out=comparison(not_included(Settings(), PROVENANCE, ["rule_based"], [])),
    settings_fingerprint="0123456789ab",
    as_of_utc=datetime(2024, 4, 2, 9, 0, tzinfo=UTC),
    figures=(ReportFigure('Cumulative "P&L"', PNG),),
)


class _Page(HTMLParser):
    """Open tags, their balance, text, and every address the page refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.words = ""
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def page(inputs: ReportInputs = INPUTS) -> _Page:
    return _Page(build_report(inputs))


def test_the_page_is_whole_escaped_and_fetches_nothing() -> None:
    parsed = page()
    assert parsed.open == []
    assert "script" not in parsed.tags
    assert "<script>alert('no price')</script> & more" in parsed.words
    assert parsed.addresses == ["plans.html", "data:image/png;base64," + base64.b64encode(PNG).decode()]
    assert 'Cumulative "P&L"' in parsed.words


def test_headline_numbers_and_their_convention() -> None:
    words = page().words
    for part in ("10,346", "-1,000", "9,345", "93.45", "34.1", "30,000", "times 365", "idle and refused"):
        assert part in words, part


def test_origin_source_omissions_and_fingerprint_are_stated() -> None:
    words = page().words
    for part in (
        "Origin: recorded GB data. Day-ahead price: market index standing in for day-ahead.",
        "not a day-ahead auction result",
        "Response, reserve and intraday trades: no strategy that makes them was run",
        "Acceptances in the Balancing Mechanism are not included.",
        "Capacity Market payments are not included.",
        "Context only: other units, other periods, other rules",
        "0123456789ab",
        "Contains BMRS data © Elexon Limited",
        "data as of 2024-04-02 09:00 UTC",
    ):
        assert part in words, part
    simulated = page(dataclasses.replace(INPUTS, provenance=Provenance("simulated", "neso_n2ex", 2026))).words
    assert "simulated prices" in simulated
    assert "Elexon" not in simulated


def test_days_that_are_not_complete_are_listed() -> None:
    assert "On a refused day the battery is idle" in page().words
    complete = page(dataclasses.replace(INPUTS, run_status=STATUS.iloc[:1])).words
    assert "Every day of the window is complete." in complete


def test_wear_is_shown_where_there_is_some() -> None:
    assert "Wear of the battery" not in page().words
    wear = pd.DataFrame([["rule-based", "7.50"]], columns=["strategy", "would have matched, £/MWh"])
    parsed = page(dataclasses.replace(INPUTS, wear=wear, wear_note="what <this> stands on"))
    assert parsed.open == []
    for part in ("Wear of the battery", "7.50", "would have matched", "what <this> stands on"):
        assert part in parsed.words


def test_a_window_without_a_day_says_so() -> None:
    nothing = dataclasses.replace(
        INPUTS,
        pnl=schemas.empty_frame("risk/daily_pnl"),
        comparisons=(),
        run_status=schemas.empty_frame("trading/run_status"),
        figures=(),
    )
    parsed = page(nothing)
    assert parsed.open == []
    assert parsed.words.count("No settled day in this window.") == 2
    assert "no day was run" in parsed.words
    assert "Every day" not in parsed.words


def test_the_same_inputs_give_the_same_page() -> None:
    assert build_report(INPUTS) == build_report(INPUTS)


def test_terminal_table() -> None:
    lines = pnl_tables_text([COMPARISON]).splitlines()
    assert lines[1].split() == [
        "strategy", "day-ahead", "imbalance", "cash", "wear", "after", "wear", "days", "£/MW/day",
        "£k/MW/year", "capture",
    ]  # fmt: skip
    assert lines[3].split() == ["rule-based", "10,346", "0", "10,345", "-1,000", "9,345", "2", "93.45", "34.1", "31.1%"]
    assert lines[4].split()[-9:] == ["30,000", "0", "30,000", "0", "30,000", "1", "600.00", "219.0", "-"]
    assert len({len(line) for line in lines[1:-1]}) == 1
    assert "risk.capture_by_month" in lines[-1]
    assert "imbalance cap" not in lines[-1]
    assert "Capture" not in pnl_tables_text([dataclasses.replace(COMPARISON, capture={})])
    of_months = pnl_tables_text([dataclasses.replace(COMPARISON, cap_mw=2.5)]).splitlines()[-1]
    assert "share; imbalance cap 2.5 MW where one applies." in of_months
    assert pnl_tables_text([]).startswith("no settled day")


def test_a_stream_that_never_moved_has_no_column_and_two_tables_stand_apart() -> None:
    pnl = pnl_rows(
        (0, "co_optimised", "day_ahead", 10.0), (0, "co_optimised", "reserve", 0.0), (0, "co_optimised", "fee", -2.0)
    )
    text = pnl_tables_text([Comparison("first", pnl, {}), COMPARISON])
    first, second = text.split("\n\n")
    assert first.startswith("first\n")
    assert "reserve" not in first
    assert "fee" in first
    assert second == pnl_tables_text([COMPARISON])


def test_sections_and_warnings_are_drawn_whole_and_escaped() -> None:
    section = Section(
        title="Section <one>",
        lead="what it says",
        tables=[TextTable(["a", "b"], [["<td>", "1\n0 to 2"]], title="of a table")],
        items=["an item"],
        figures=[ReportFigure("drawn", PNG)],
        note="in small print",
    )
    parsed = page(dataclasses.replace(INPUTS, sections=(section,), warnings=("too good & true",)))
    assert parsed.open == []
    for part in (
        "Section <one>",
        "what it says",
        "<td>",
        "1\n0 to 2",
        "of a table",
        "an item",
        "drawn",
        "in small print",
    ):
        assert part in parsed.words, part
    assert "Warnings on these results" in parsed.words
    assert "too good & true" in parsed.words
    assert "Warnings on these results" not in page().words


def test_strategies_that_know_more_than_the_index_allows_are_marked() -> None:
    pnl = pnl_rows((0, "co_optimised", "day_ahead", 10.0), (0, "rule_based", "day_ahead", 10.0))
    marked = page(dataclasses.replace(INPUTS, pnl=pnl)).words
    assert "stands in for the day-ahead price: co-optimised, risk-neutral." in marked
    real = dataclasses.replace(INPUTS, pnl=pnl, provenance=Provenance("recorded", "neso_n2ex", 2026))
    assert "Optimistic" not in page(real).words


@pytest.mark.parametrize(("value", "text"), [(-0.2, "0"), (-1234.5, "-1,234"), (0.0, "0"), (999_999.6, "1,000,000")])
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text
