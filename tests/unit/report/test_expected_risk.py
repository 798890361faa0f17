"""The table of risk that was expected of a day: the last day alone, each confidence, what came beside it."""

from __future__ import annotations

from datetime import date

import pandas as pd

from bess_pipeline import schemas
from bess_pipeline.figures.style import strategy_label
from bess_pipeline.report.expected_risk import expected_risk

COLUMNS = ["efa_date", "strategy", "source", "confidence", "gate", "mean_gbp", "var_gbp", "cvar_gbp", "realised_gbp"]
EARLIER, DAY = date(2026, 4, 10), date(2026, 4, 11)


def test_the_last_day_at_each_confidence_with_what_came() -> None:
    rows = pd.DataFrame(
        [
            (EARLIER, "co_optimised", "ex_ante", 0.95, "day_ahead", 1.0, 2.0, 3.0, 4.0),
            (DAY, "co_optimised", "ex_ante", 0.95, "day_ahead", 7400.0, -3100.0, -1200.4, 4498.6),
            (DAY, "co_optimised", "ex_ante", 0.99, "day_ahead", 7400.0, 250.0, 900.0, 4498.6),
            (DAY, "day_ahead_rolling", "historical", 0.95, None, 3500.0, 44.0, 827.0, None),
        ],
        columns=COLUMNS,
    )
    (section,) = expected_risk(rows, strategy_label)
    (table,) = section.tables
    assert f"{DAY}" in section.lead
    assert list(table.columns) == [
        "strategy",
        "source",
        "mean",
        "VaR 95 %",
        "CVaR 95 %",
        "VaR 99 %",
        "CVaR 99 %",
        "came",
    ]
    assert [list(row) for row in table.rows] == [
        [strategy_label("co_optimised"), "ex ante", "7,400", "-3,100", "-1,200", "250", "900", "4,499"],
        [strategy_label("day_ahead_rolling"), "historical", "3,500", "44", "827", "-", "-", "-"],
    ]


def test_no_forecast_no_section() -> None:
    assert expected_risk(schemas.empty_frame("risk/forecast_pnl"), strategy_label) == []
