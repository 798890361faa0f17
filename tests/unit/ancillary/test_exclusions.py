"""Products that one unit may not hold together, by date, as check and as rows."""

from __future__ import annotations

from datetime import date
from itertools import product as every

import numpy as np
import pandas as pd
import pytest
from ancillary_cases import ALL, RESPONSE, blocks, day_of, mw_of

from bess_pipeline import gb_time
from bess_pipeline.ancillary.exclusions import (
    exclusion_breaches,
    exclusion_rows,
    exclusions,
    offer_limits_mw,
    splitting_allowed,
    window_breaches,
)
from bess_pipeline.ancillary.windows import Horizon, horizon_of

BEFORE, SINCE, RESERVE_DAY = date(2023, 11, 1), date(2023, 11, 2), date(2025, 1, 15)


def broken(day: date, products: tuple[str, ...] = ALL, lifted: bool = False, **mw: float) -> set[str]:
    horizon = blocks(1, day)
    rules = exclusions(products, horizon, balancing_reserve_beside_response=lifted)
    volume = mw_of(products, horizon, **mw)
    return {one.rule for rule in rules for one in exclusion_breaches(rule, products, volume)}


def test_before_2_november_2023_a_unit_had_one_service_in_a_block_low_and_high() -> None:
    assert [splitting_allowed(day) for day in (BEFORE, SINCE)] == [False, True]
    assert broken(BEFORE, DCL=10, DCH=10) == set()
    assert broken(BEFORE, DCL=10, DML=1) == {"one service per block"}
    assert broken(BEFORE, DRL=10, DMH=1) == {"one service per block"}
    assert broken(SINCE, DCL=10, DML=1, DRH=5) == set()


def test_another_block_may_have_another_service() -> None:
    horizon = blocks(2, BEFORE)
    (rule,) = exclusions(RESPONSE, horizon)
    volume = mw_of(RESPONSE, horizon)
    volume[0, :8], volume[2, 8:] = 10.0, 10.0
    assert exclusion_breaches(rule, RESPONSE, volume) == []
    volume[2, 7] = 3.0
    assert [(one.period, one.amount) for one in exclusion_breaches(rule, RESPONSE, volume)] == [(7, 3.0)]


def test_the_rule_ends_in_the_middle_of_a_horizon() -> None:
    starts = gb_time.efa_half_hours(BEFORE).append(gb_time.efa_half_hours(SINCE))
    horizon = horizon_of(pd.DatetimeIndex(starts, name="start_utc").as_unit("us"))
    (rule,) = exclusions(RESPONSE, horizon)
    found = exclusion_breaches(rule, RESPONSE, mw_of(RESPONSE, horizon, DCL=1, DML=1))
    assert [one.period for one in found] == list(range(48))
    assert (exclusion_rows(rule, RESPONSE).coefficient[48:] == 0).all()


def test_balancing_reserve_stands_beside_response_of_the_opposite_direction_only() -> None:
    assert broken(RESERVE_DAY, PBR=5, DCL=5) == {"balancing reserve beside response"}
    assert broken(RESERVE_DAY, NBR=5, DRH=5) == {"balancing reserve beside response"}
    assert broken(RESERVE_DAY, PBR=5, DCH=5) == set()
    assert broken(RESERVE_DAY, PQR=5, DCL=5) == set()
    assert broken(RESERVE_DAY, lifted=True, PBR=5, DCL=5) == set()


def test_no_rule_is_made_where_none_can_matter() -> None:
    assert exclusions(("DCL", "DCH"), blocks(1, BEFORE)) == []
    assert exclusions(("PBR", "DCH"), blocks(1, RESERVE_DAY)) == []
    assert exclusions(RESPONSE, blocks(1, SINCE)) == []


@pytest.mark.parametrize("held", list(every((0, 30), repeat=4)))
def test_rows_with_binaries_allow_what_the_check_allows(held: tuple[float, ...]) -> None:
    """Some choice of binaries satisfies the rows exactly where the check finds nothing."""
    products, horizon = ("DCL", "DCH", "DML", "DRH"), blocks(1, BEFORE)
    (rule,) = exclusions(products, horizon)
    mw = np.array([[one] * horizon.periods for one in held], dtype=float)
    rows = exclusion_rows(rule, products)
    choices = [np.column_stack([mw.T, np.tile(choice, (horizon.periods, 1))]) for choice in every((0.0, 1.0), repeat=3)]
    possible = any((rows.excess(values) <= 1e-9).all() for values in choices)
    assert possible == (exclusion_breaches(rule, products, mw) == [])
    assert rows.columns == (*products, "group DCL+DCH", "group DML", "group DRH")


def window_rules(horizon: Horizon, **mw: float) -> list[str]:
    return sorted({one.reason.split(" by ")[0] for one in window_breaches(ALL, horizon, mw_of(ALL, horizon, **mw))})


def test_offers_are_of_products_of_the_day_and_of_the_size_of_a_sell_order() -> None:
    assert window_rules(blocks(1), DCL=100, PQR=100) == []
    assert window_rules(blocks(1), DCL=101) == ["DCL exceeds what may be offered"]
    assert window_rules(blocks(1), DCL=-1) == ["DCL is negative"]
    assert window_rules(blocks(1, date(2024, 12, 3)), PQR=1, PBR=1) == ["PQR exceeds what may be offered"]
    assert offer_limits_mw(("PQR", "DCL"), blocks(1, date(2024, 12, 3)))[:, 0].tolist() == [0.0, 100.0]


def test_response_is_constant_through_its_block_and_reserve_is_not() -> None:
    horizon = day_of()
    mw = mw_of(ALL, horizon)
    mw[0] = 10.0 + 5.0 * horizon.block
    mw[ALL.index("PQR")] = np.arange(horizon.periods)
    assert window_breaches(ALL, horizon, mw) == []
    mw[0, 9] += 2
    assert [(one.rule, one.period, one.amount) for one in window_breaches(ALL, horizon, mw)] == [
        ("constant block", 9, 2.0)
    ]
