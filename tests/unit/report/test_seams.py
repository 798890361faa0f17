"""The sentence on chains that begin anew: sums by strategy, shares, and silence where there is one chain."""

from __future__ import annotations

from datetime import date

import pandas as pd
from storage_frames import daily_pnl

from bess_pipeline.report.seams import seam_sentences

FEBRUARY, MARCH = date(2024, 2, 1), date(2024, 3, 1)
PNL = pd.concat([daily_pnl(FEBRUARY, {"day_ahead": 12_000.0, "wear": -2_000.0}), daily_pnl(MARCH, {"wear": -6_000.0})])


def seams(*rows: tuple[date, str, float, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["efa_date", "strategy", "difference_mwh", "worth_gbp"])


def test_one_chain_needs_no_sentence() -> None:
    assert seam_sentences(seams(), PNL, str) == []


def test_the_sum_over_the_window_and_its_share_of_what_was_earned() -> None:
    """P&L after wear is 12,000 - 2,000 - 6,000 = 4,000."""
    rows = seams((FEBRUARY, "rule_based", 45.0, 3_000.0), (MARCH, "rule_based", -30.0, -2_600.0))
    (sentence,) = seam_sentences(rows, PNL, lambda name: f"<{name}>")
    assert sentence.startswith("Chains of trading days begin anew 2 times in this window: ")
    assert sentence.endswith(" price: <rule_based> 15.0 MWh, £400 (10.0% of its P&L after wear).")


def test_a_loss_a_missing_price_and_no_p_and_l_are_told_apart() -> None:
    rows = seams(
        (MARCH, "idle", 5.0, 350.0),
        (MARCH, "rule_based", -20.0, -1_000.0),
        (MARCH, "unpriced", 45.0, float("nan")),
    )
    (sentence,) = seam_sentences(rows, PNL, str)
    assert " begin anew once in this window" in sentence
    assert sentence.endswith(
        ": idle 5.0 MWh, £350; rule_based -20.0 MWh, £-1,000 (-25.0% of its P&L after wear); "
        "unpriced 45.0 MWh, 1 of 1 without a price."
    )
