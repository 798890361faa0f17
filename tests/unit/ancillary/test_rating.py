"""Power: worked examples of domain reference 5.2, and what each part of the rule forbids."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from ancillary_cases import ALL, blocks, day_of, mw_of

from bess_pipeline.ancillary.rating import committed_mw, rating_breaches, rating_rows

HORIZON = blocks(1)
NONE = np.zeros(HORIZON.periods)


def broken(charge: float = 0.0, discharge: float = 0.0, headroom: bool = False, **mw: float) -> list[str]:
    """Rows broken in the first half-hour on a 50 MW unit; the linear rows must agree."""
    volume = mw_of(ALL, HORIZON, **mw)
    found = rating_breaches(
        ALL, HORIZON, volume, NONE + charge, NONE + discharge, 50.0, 50.0, baseline_adds_headroom=headroom
    )
    rows = rating_rows(ALL, HORIZON, 50.0, 50.0, baseline_adds_headroom=headroom)
    excess = rows.excess(np.column_stack([volume.T, NONE + charge, NONE + discharge]))
    assert [rows.names[row] for row in np.flatnonzero(excess[0] > 1e-6)] == [b.rule for b in found if b.period == 0]
    assert len(found) % HORIZON.periods == 0
    return [one.rule for one in found if one.period == 0]


def test_worked_20_mw_of_dc_low_takes_2_mw_of_charge() -> None:
    volume = mw_of(ALL, HORIZON, DCL=20)
    assert committed_mw(ALL, HORIZON, volume, "low") == pytest.approx(NONE + 20)
    assert committed_mw(ALL, HORIZON, volume, "high") == pytest.approx(NONE + 2)


def test_worked_40_mw_of_dm_both_ways_fits_on_50_mw_and_42_does_not() -> None:
    assert broken(DML=40, DMH=40) == []
    assert broken(DML=41, DMH=41) == []
    assert broken(DML=42, DMH=42) == ["discharge rating", "charge rating"]


def test_one_direction_alone_may_take_all_of_the_rating() -> None:
    assert broken(DML=50) == []
    assert broken(DML=51) == ["discharge rating"]


def test_recovery_is_taken_from_the_opposite_direction() -> None:
    """50 MW DC low with 20 MW DC high needs 52 MW of discharge."""
    assert broken(DCL=50, DCH=20) == ["discharge rating"]
    assert broken(DCL=48, DCH=20) == []
    assert broken(DRL=50, DRH=1) == ["discharge rating"]  # 50.4; the charge side has 1 + 20


def test_no_mw_is_sold_twice_in_one_direction() -> None:
    assert broken(DCL=20, DML=15, DRL=15) == []
    assert broken(DCL=30, DML=30) == ["discharge rating"]
    assert broken(DCL=30, PQR=30) == ["discharge rating"]
    assert broken(PBR=30, PQR=30) == ["discharge rating"]
    assert broken(NBR=30, NQR=30) == ["charge rating"]
    assert broken(PBR=50, NBR=50) == []  # reserve has no recovery share


def test_the_baseline_shares_the_rating() -> None:
    assert broken(discharge=31, DCL=20) == ["discharge rating"]
    assert broken(discharge=30, DCL=20) == []
    assert broken(charge=49, DCL=20) == ["charge rating"]  # 2 MW must stay for recovery
    assert broken(charge=48, DCL=20) == []


def test_a_charging_baseline_makes_no_room_below_unless_the_setting_says_so() -> None:
    assert broken(charge=10, PQR=60) == ["discharge rating"]
    assert broken(charge=10, PQR=60, headroom=True) == []
    assert broken(discharge=10, NQR=60) == ["charge rating"]
    assert broken(discharge=10, NQR=60, headroom=True) == []


def test_recovery_did_not_bind_before_15_november_2024() -> None:
    for day, expected in ((date(2024, 11, 14), 0), (date(2024, 11, 15), 48)):
        horizon = day_of(day)
        none = np.zeros(horizon.periods)
        found = rating_breaches(ALL, horizon, mw_of(ALL, horizon, DML=45, DMH=45), none, none, 54.0, 53.9)
        assert len(found) == expected  # only the charge side, 54 > 53.9


def test_the_limits_are_those_of_the_half_hour() -> None:
    limit = np.where(np.arange(HORIZON.periods) == 3, 10.0, 50.0)
    found = rating_breaches(ALL, HORIZON, mw_of(ALL, HORIZON, DCL=20), NONE, NONE, limit, 50.0)
    assert [(one.rule, one.period, one.amount) for one in found] == [("discharge rating", 3, 10.0)]
    assert "low contracts, recovery and the baseline exceed" in found[0].reason
    rows = rating_rows(ALL, HORIZON, limit, np.inf)
    assert rows.limit[:, 0].tolist() == limit.tolist()
    assert np.isinf(rows.limit[:, 1]).all()
