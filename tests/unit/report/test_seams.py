"""The sentences on seams: what chains that begin anew give by strategy, which days knew nothing of the next."""

from __future__ import annotations

from datetime import date, timedelta

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


def test_days_that_knew_nothing_of_the_next_are_named_and_no_start_of_a_chain() -> None:
    closed = [(FEBRUARY, "a"), *((FEBRUARY + timedelta(days=n), "b") for n in range(10, 16))]
    unseen = pd.DataFrame(closed, columns=["closed_on", "strategy"]).assign(difference_mwh=0.0, worth_gbp=0.0)
    unseen["efa_date"] = [day + timedelta(days=1) for day, _ in closed]
    (sentence,) = seam_sentences(unseen.assign(kind="next day unplanned"), PNL, lambda name: f"<{name}>")
    assert sentence.endswith(": <a> 2024-02-01; <b> on 6 days from 2024-02-11 to 2024-02-16.")
    assert "begin anew" not in sentence
    start = seams((MARCH, "a", 45.0, 3_000.0)).assign(kind="chain start", closed_on=FEBRUARY)
    both = seam_sentences(pd.concat([start, unseen.assign(kind="next day unplanned")]), PNL, str)
    assert ["begin anew once" in one for one in both] == [True, False]
