"""Status rows of a trading day."""

from __future__ import annotations

from datetime import date

import pytest

from bess_pipeline import schemas
from bess_pipeline.errors import RefusedFrameError
from bess_pipeline.trading.status import status_row

DAY = date(2024, 2, 20)


def test_a_complete_day_with_its_states() -> None:
    start = date(2024, 2, 1)
    row = status_row(DAY, "rule_based", "complete", opening_energy_mwh=50.0, closing_energy_mwh=5.0, chain_start=start)
    assert row.iloc[0].to_dict() == {
        "efa_date": DAY,
        "strategy": "rule_based",
        "status": "complete",
        "reason": "",
        "opening_energy_mwh": 50.0,
        "closing_energy_mwh": 5.0,
        "chain_start": start,
    }


def test_a_refused_day_may_lack_its_states_but_never_its_reason() -> None:
    row = status_row(DAY, "rule_based", "refused", "no price")
    assert row[["opening_energy_mwh", "closing_energy_mwh", "chain_start"]].isna().all(axis=None)
    with pytest.raises(ValueError, match="status refused with reason ''"):
        status_row(DAY, "rule_based", "refused")
    with pytest.raises(ValueError, match="status complete with reason 'odd'"):
        status_row(DAY, "rule_based", "complete", "odd")


def test_an_unknown_status_is_refused() -> None:
    with pytest.raises(RefusedFrameError, match="status"):
        schemas.validate("trading/run_status", status_row(DAY, "rule_based", "fine", "because"))
