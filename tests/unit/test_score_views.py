"""Views and queries over `scenario.score`, against numbers worked out here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import duckdb
import pytest

from bess_pipeline import warehouse

ROWS = [
    (date(2025, 2, 4), "day_ahead", "crps", 4.0),
    (date(2025, 2, 5), "day_ahead", "crps", 8.0),
    (date(2025, 2, 6), "day_ahead", "crps", 100.0),
    (date(2025, 2, 4), "day_ahead", "crps:similar_day", 6.0),
    (date(2025, 2, 5), "day_ahead", "crps:similar_day", 6.0),
    (date(2025, 2, 4), "day_ahead", "crps_h07", 3.0),
    (date(2025, 2, 4), "day_ahead", "crps_h07:similar_day", 4.0),
    (date(2025, 2, 4), "day_ahead", "rank", 0.1),
    (date(2025, 2, 4), "day_ahead", "rank:similar_day", 0.2),
    (date(2025, 2, 4), "day_ahead", "coverage_90", 1.0),
    (date(2025, 2, 5), "day_ahead", "coverage_90", 0.5),
    (date(2025, 2, 5), "day_ahead", "coverage_90:similar_day", 0.1),
    (date(2025, 2, 5), "day_ahead", "width_90", 12.0),
    (date(2025, 2, 5), "day_ahead|system_price", "kendall_tau", 0.4),
    (date(2025, 2, 5), "day_ahead|system_price", "kendall_tau:history", 0.3),
    (date(2025, 2, 5), "day_ahead|system_price", "variogram_score", 0.2),
    (date(2025, 2, 5), "response_DCL", "crps:similar_day", 0.0),
    (date(2025, 2, 5), "response_DCL", "crps", 0.0),
]


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA scenario")
        connection.execute(
            "CREATE TABLE scenario.score (efa_date DATE, gate VARCHAR, stream VARCHAR, score VARCHAR, value DOUBLE)"
        )
        for day, stream, score, value in ROWS:
            connection.execute(
                "INSERT INTO scenario.score VALUES (?, 'day_ahead', ?, ?, ?)", [day, stream, score, value]
            )
        for name in ("scenario.forecast_skill", "scenario.interval_coverage"):
            connection.execute(script("views", name))
        yield connection


def script(kind: str, name: str) -> str:
    return next(path for path in warehouse.sql_files(kind) if path.stem == name).read_text(encoding="utf-8")


def test_skill_is_over_common_days_and_one_minus_the_ratio(connection: duckdb.DuckDBPyConnection) -> None:
    rows = connection.execute(
        "SELECT stream, score, baseline, days, score_value, baseline_value, skill, share_of_days_better, first_date, "
        "last_date FROM scenario.forecast_skill"
    ).fetchall()
    assert rows == [
        ("day_ahead", "crps", "similar_day", 2, 6.0, 6.0, 0.0, 0.5, date(2025, 2, 4), date(2025, 2, 5)),
        ("day_ahead", "crps_h07", "similar_day", 1, 3.0, 4.0, 0.25, 1.0, date(2025, 2, 4), date(2025, 2, 4)),
        ("response_DCL", "crps", "similar_day", 1, 0.0, 0.0, None, 0.0, date(2025, 2, 5), date(2025, 2, 5)),
    ]


def test_coverage_leaves_baselines_out(connection: duckdb.DuckDBPyConnection) -> None:
    rows = connection.execute("SELECT stream, days, coverage_90, width_90, coverage_50 FROM scenario.interval_coverage")
    assert rows.fetchall() == [("day_ahead", 2, 0.75, 12.0, None)]


def test_queries_answer_their_questions(connection: duckdb.DuckDBPyConnection) -> None:
    skill = connection.execute(script("queries", "skill_over_baselines")).fetchall()
    assert [(row[1], row[7]) for row in skill] == [("day_ahead", 0.0), ("response_DCL", None)]
    hours = connection.execute(script("queries", "skill_by_hour")).fetchall()
    assert hours == [("day_ahead", "day_ahead", "similar_day", 7, 1, 3.0, 4.0, 0.25)]
    coverage = connection.execute(script("queries", "interval_coverage")).fetchall()
    assert [(row[1], row[6]) for row in coverage] == [("day_ahead", pytest.approx(-0.15))]
    pairs = connection.execute(script("queries", "dependence_between_markets")).fetchall()
    assert pairs == [("day_ahead", "day_ahead", "system_price", 1, 0.4, 0.3, None, None, None, None)]
