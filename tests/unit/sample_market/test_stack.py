"""The sample market's stacks: they give its prices to the penny, by a calculation that did not make them."""

from __future__ import annotations

import json
from datetime import date

import pandas as pd
import pytest

from bess_pipeline.gb_time import periods_in_day
from bess_pipeline.market_checks.imbalance_price import PricingRules, recompute
from bess_pipeline.market_checks.system_price_check import actions_of, check_day
from bess_pipeline.sample_market import MarketTables
from bess_pipeline.sample_market.stack import sample_stack
from bess_pipeline.sample_market.wire_elexon import STACK, ElexonWire
from bess_pipeline.sources.elexon_stack import parse_settlement_stack


def answer(wire: ElexonWire, side: str, day: date, period: int) -> bytes:
    found = wire.reply(f"{STACK}/{side}/{day}/{period}", {})
    assert found is not None
    assert found.status == 200
    return b"".join(found.chunks())


def stack_of(wire: ElexonWire, day: date) -> pd.DataFrame:
    parts = [
        parse_settlement_stack(answer(wire, side, day, period), f"x{STACK}/{side}/{day}/{period}")
        for period in range(1, periods_in_day(day) + 1)
        for side in ("offer", "bid")
    ]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def test_a_day_of_stacks_gives_the_published_prices_and_volumes_by_both_methods(market: MarketTables) -> None:
    day = date(2026, 3, 29)
    prices = market.system_price[market.system_price["settlement_date"] == day]
    index = market.market_index[market.market_index["settlement_date"] == day]
    checks = check_day(day, stack_of(ElexonWire(market), day), prices, index, {}, PricingRules(), 0.01)
    assert len(checks) == 2 * 46
    own = checks[checks["method"] == "own_tagging"]
    assert (own["status"] == "agrees").all()
    assert checks["difference_gbp_mwh"].abs().max() < 1e-9
    assert (own["recomputed_niv_mwh"] - own["published_niv_mwh"]).abs().max() < 1e-9
    assert own["tagging_difference_mwh"].max() < 1e-9
    assert own["notes"].str.contains("repriced from unflagged").any()
    without = checks[checks["status"] != "agrees"]
    assert (without["published_niv_mwh"] == 0).all()  # a balanced period carries no PAR-adjusted volume


@pytest.mark.parametrize("niv", [0.6, -0.7, 1.15, -1.2, 5.0, 0.0, 1800.123, -2100.999])
@pytest.mark.parametrize("price", [-75.0, 0.0, 83.4, 640.0])
def test_any_price_and_volume_has_a_stack(price: float, niv: float) -> None:
    for hour in range(12):
        start = pd.Timestamp("2026-01-05T00:00:00Z") + pd.Timedelta(hours=hour)
        actions = sample_stack(start, price, niv)
        assert actions == sample_stack(start, price, niv)
        found = recompute([a for n, one in enumerate(actions) for a in _action(n, one)], market_index_gbp_mwh=price)
        assert found.price_gbp_mwh == pytest.approx(price, abs=1e-9)
        assert found.net_imbalance_volume_mwh == pytest.approx(niv, abs=1e-9)


def _action(n: int, one: object) -> list:
    row = {
        "side": one.side, "sequence_number": n, "volume_mwh": one.volume / 1000,
        "original_price_gbp_mwh": one.price, "so_flag": one.so_flag, "cadl_flag": one.cadl_flag,
        "stor_flag": None, "reserve_scarcity_price_gbp_mwh": None,
        "transmission_loss_multiplier": one.loss_multiplier,
    }  # fmt: skip
    return actions_of(pd.DataFrame([row]))


def test_recorded_prices_have_no_stack(recorded: MarketTables) -> None:
    content = answer(ElexonWire(recorded), "bid", recorded.first_date, 1)
    assert json.loads(content) == {"metadata": {"datasets": ["ISPSTACK"]}, "data": []}


@pytest.mark.parametrize("tail", ["sell/2026-03-29/1", "bid/2026-3-99/1", "bid/2026-03-29/51"])
def test_a_wrong_request_is_refused_as_elexon_does(market: MarketTables, tail: str) -> None:
    found = ElexonWire(market).reply(f"{STACK}/{tail}", {})
    assert found is not None
    assert found.status == 400


def test_a_stack_is_out_when_its_price_is(market: MarketTables) -> None:
    wire = ElexonWire(market.published())
    assert json.loads(answer(wire, "offer", date(2026, 4, 12), 1))["data"]
    assert json.loads(answer(wire, "offer", date(2026, 4, 12), 40))["data"] == []
