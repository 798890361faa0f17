"""The check of a day: what is compared with what, and what is said where nothing can be."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from bess_pipeline import gb_time, schemas
from bess_pipeline.market_checks.imbalance_price import Adjustments, PricingRules
from bess_pipeline.market_checks.system_price_check import check_day, price_from_published_volumes

DAY = date(2026, 3, 29)
STEPS = ("dmat", "arbitrage", "niv", "par")


def action(period: int, side: str, n: int, volume: float, price: float, par: float, **more: object) -> dict:
    """A row that survives whole, of which `par` MWh are in the average."""
    left = {f"{step}_adjusted_volume_mwh": volume for step in STEPS} | {"par_adjusted_volume_mwh": par}
    return {
        "settlement_date": DAY,
        "settlement_period": period,
        "start_utc": gb_time.period_start_utc(DAY, period),
        "side": side,
        "sequence_number": n,
        "volume_mwh": volume,
        "original_price_gbp_mwh": price,
        "final_price_gbp_mwh": price,
        **left,
        **more,
    }


def stack(*rows: dict[str, object]) -> pd.DataFrame:
    empty = schemas.empty_frame("market/settlement_stack")
    frame = pd.DataFrame(list(rows)).reindex(columns=list(empty.columns))
    for name in ("action_id", "acceptance_id", "bid_offer_pair_id"):
        frame[name] = frame[name].astype("str").where(frame[name].notna(), None)
    for name in ("cadl_flag", "so_flag", "stor_flag", "repriced"):
        frame[name] = frame[name].astype("boolean")
    frame["published_utc"] = pd.Series(pd.NaT, index=frame.index, dtype=gb_time.UTC_DTYPE)
    return schemas.validate("market/settlement_stack", frame)


def prices(values: dict[int, float]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "settlement_period": list(values),
            "system_price_gbp_mwh": list(values.values()),
            "net_imbalance_volume_mwh": np.nan,
        }
    )


def index(values: dict[int, float]) -> pd.DataFrame:
    return pd.DataFrame({"settlement_period": list(values), "market_index_price_gbp_mwh": list(values.values())})


def checked(rows: pd.DataFrame, published: dict[int, float], **more: object) -> pd.DataFrame:
    adjustments = more.get("adjustments", {})
    frame = check_day(DAY, rows, prices(published), index({}), adjustments, PricingRules(), 0.01)  # type: ignore[arg-type]
    return frame.set_index(["settlement_period", "method"])


def test_agreement_difference_and_silence() -> None:
    rows = stack(action(1, "offer", 1, 20.0, 80.0, 1.0), action(2, "offer", 1, 20.0, 80.0, 1.0))
    found = checked(rows, {1: 80.005, 2: 85.0, 3: 70.0})
    assert found.loc[(1, "own_tagging"), "status"] == "agrees"
    assert found.loc[(2, "own_tagging"), "status"] == "differs"
    assert found.loc[(2, "own_tagging"), "difference_gbp_mwh"] == pytest.approx(-5.0)
    assert found.loc[(2, "published_volumes"), "difference_gbp_mwh"] == pytest.approx(-5.0)
    assert found.loc[(3, "own_tagging"), "status"] == "not_comparable"
    assert found.loc[(3, "own_tagging"), "notes"] == "the stack has no action in this period"
    assert np.isnan(found.loc[(4, "own_tagging"), "published_gbp_mwh"])
    assert len(found) == 2 * 46


def test_where_published_tagging_differs_from_ours_the_methods_part_and_say_by_how_much() -> None:
    """The rows say that 1 MWh of the cheap action set the price; by our rules the dear one does."""
    rows = stack(
        action(1, "offer", 1, 20.0, 80.0, 1.0), action(1, "offer", 2, 20.0, 95.0, 0.0, niv_adjusted_volume_mwh=0.0)
    )
    found = checked(rows, {1: 80.0})
    assert found.loc[(1, "published_volumes"), "status"] == "agrees"
    own = found.loc[(1, "own_tagging")]
    assert (own["status"], own["recomputed_gbp_mwh"], own["tagging_difference_mwh"]) == ("differs", 95.0, 20.0)


def test_the_adjustment_of_the_side_is_added_by_both_methods() -> None:
    rows = stack(action(1, "offer", 1, 20.0, 80.0, 1.0), action(2, "bid", 1, -20.0, 30.0, -1.0))
    found = checked(rows, {1: 82.5, 2: 29.0}, adjustments={1: (2.5, 99.0), 2: (99.0, -1.0)})
    assert (found.loc[[1, 2], "status"] == "agrees").all()


def test_rows_of_equal_price_are_compared_together() -> None:
    """Which of two equal offers is in the average is nobody's public rule."""
    rows = stack(action(1, "offer", 1, 20.0, 80.0, 0.0), action(1, "offer", 2, 20.0, 80.0, 1.0))
    assert checked(rows, {1: 80.0}).loc[(1, "own_tagging"), "tagging_difference_mwh"] == pytest.approx(0.0)
    swapped = stack(action(1, "offer", 1, 20.0, 80.0, 1.0), action(1, "offer", 2, 20.0, 80.0, 0.0))
    assert checked(swapped, {1: 80.0}).loc[(1, "own_tagging"), "tagging_difference_mwh"] == pytest.approx(0.0)


def test_published_volumes_are_weighted_by_losses_and_must_lie_on_one_side() -> None:
    rows = stack(
        action(1, "offer", 1, 20.0, 80.0, 0.5, transmission_loss_multiplier=1.0),
        action(1, "offer", 2, 20.0, 50.0, 0.5, transmission_loss_multiplier=0.5),
    )
    assert price_from_published_volumes(rows, Adjustments())[0] == pytest.approx(70.0)
    both = stack(action(1, "offer", 1, 20.0, 80.0, 0.5), action(1, "bid", 1, -20.0, 50.0, -0.5))
    assert price_from_published_volumes(both, Adjustments()) == (None, "bid and offer")
    assert "bid and offer" in checked(both, {1: 70.0}).loc[(1, "published_volumes"), "notes"]
