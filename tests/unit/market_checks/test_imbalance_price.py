"""Each step of the recomputed system price on stacks small enough to work out by hand."""

from __future__ import annotations

import pytest

from bess_pipeline.market_checks.imbalance_price import (
    Action,
    Adjustments,
    PricingRules,
    TaggedVolumes,
    averaged_price,
    recompute,
)


def offer(n: int, volume: float, price: float | None, **more: object) -> Action:
    return Action(("offer", n), "offer", volume, price, **more)  # type: ignore[arg-type]


def bid(n: int, volume: float, price: float | None, **more: object) -> Action:
    return Action(("bid", n), "bid", -volume, price, **more)  # type: ignore[arg-type]


def test_a_period_published_by_elexon_comes_out_step_by_step() -> None:
    """2017-05-21 period 36 as shown on bmreports.com, when DMAT was 1 MWh and PAR larger than the NIV.

    The bids below the first four are summed up: nothing of them reaches the price.
    """
    rows = [(0.067, 49.95), (6.726, 49.95), (25.5, 50.0), (6.963, 52.45), (39.762, 52.45), (58.083, 52.9), (15.752, 55)]
    offers = [offer(n, volume, price, loss_multiplier=0.991) for n, (volume, price) in enumerate(rows, 1)]
    bids = [(17.589, 45.0), (7.5, 31.45), (14.167, 31.05), (42.213, 29.45), (52.245, 29.05)]
    actions = [*offers, *(bid(n, volume, price) for n, (volume, price) in enumerate(bids, 1))]
    found = recompute(actions, 32.26, rules=PricingRules(dmat_mwh=1.0, par_mwh=50.0, replacement_par_mwh=1.0))
    assert found.price_gbp_mwh == pytest.approx(49.98237, abs=5e-6)
    assert found.net_imbalance_volume_mwh == pytest.approx(19.072)
    niv = {n: found.volumes["offer", n].niv_mwh for n in range(2, 8)}
    assert niv == pytest.approx({2: 6.726, 3: 12.346, 4: 0, 5: 0, 6: 0, 7: 0}, abs=1e-9)
    assert ("offer", 1) not in found.volumes
    assert all(found.volumes["bid", n].niv_mwh == 0 for n in range(1, 6))


def test_the_price_of_4_march_2020_is_the_scarcity_price_plus_the_adjuster() -> None:
    """System Prices Analysis Report: STOR actions at RSVP 2,223.17 with a BPA of 19.14 made 2,242.31."""
    stor = offer(1, 30.0, 180.0, stor=True, reserve_scarcity_price_gbp_mwh=2223.17)
    found = recompute([stor], adjustments=Adjustments(buy_gbp_mwh=19.14, sell_gbp_mwh=-7.0))
    assert found.price_gbp_mwh == pytest.approx(2242.31)
    dearer = offer(1, 30.0, 3000.0, stor=True, reserve_scarcity_price_gbp_mwh=2223.17)
    assert recompute([dearer]).price_gbp_mwh == 3000.0
    no_stor = offer(1, 30.0, 180.0, reserve_scarcity_price_gbp_mwh=2223.17)
    assert recompute([no_stor]).price_gbp_mwh == 180.0


def test_short_is_positive_and_priced_from_offers_long_negative_and_from_bids() -> None:
    short = recompute([offer(1, 30.0, 100.0), bid(1, 10.0, 40.0)], adjustments=Adjustments(1.0, 2.0))
    assert (short.net_imbalance_volume_mwh, short.side, short.price_gbp_mwh) == (20.0, "offer", 101.0)
    long = recompute([offer(1, 10.0, 100.0), bid(1, 30.0, 40.0)], adjustments=Adjustments(1.0, 2.0))
    assert (long.net_imbalance_volume_mwh, long.side, long.price_gbp_mwh) == (-20.0, "bid", 42.0)


def test_only_the_most_expensive_mwh_sets_the_price() -> None:
    found = recompute([offer(1, 50.0, 80.0), offer(2, 0.4, 120.0)])
    assert found.price_gbp_mwh == pytest.approx(0.4 * 120 + 0.6 * 80)
    assert found.volumes["offer", 1] == TaggedVolumes(50.0, 50.0, 50.0, pytest.approx(0.6), 80.0)
    long = recompute([bid(1, 50.0, 30.0), bid(2, 0.4, -20.0)])
    assert long.price_gbp_mwh == pytest.approx(0.4 * -20 + 0.6 * 30)
    assert long.volumes["bid", 2].par_mwh == pytest.approx(-0.4)


def test_a_net_volume_below_the_reference_volume_is_averaged_whole() -> None:
    found = recompute([offer(1, 10.3, 80.0), offer(2, 10.0, 60.0), bid(1, 20.0, 20.0)])
    assert found.price_gbp_mwh == 60.0
    assert found.volumes["offer", 2].par_mwh == pytest.approx(0.3)


def test_nothing_below_the_threshold_counts_and_the_threshold_itself_does() -> None:
    found = recompute([offer(1, 5.0, 50.0), offer(2, 0.0999, 9999.0)])
    assert found.price_gbp_mwh == 50.0
    assert recompute([offer(1, 5.0, 50.0), offer(2, 0.1, 150.0)]).price_gbp_mwh == pytest.approx(60.0)


def test_an_offer_at_or_below_a_bid_takes_equal_volumes_out_of_both() -> None:
    crossed = recompute([offer(1, 30.0, 10.0), bid(1, 20.0, 15.0), offer(2, 5.0, 90.0)])
    assert crossed.volumes["offer", 1].arbitrage_mwh == pytest.approx(10.0)
    assert crossed.volumes["bid", 1].arbitrage_mwh == 0.0
    assert crossed.price_gbp_mwh == 90.0  # the bid is gone: nothing is tagged out above it
    equal = recompute([offer(1, 30.0, 15.0), bid(1, 30.0, 15.0)], 44.0)
    assert (equal.price_gbp_mwh, equal.net_imbalance_volume_mwh, equal.side) == (44.0, 0.0, None)
    apart = recompute([offer(1, 30.0, 15.01), bid(1, 20.0, 15.0)])
    assert apart.volumes["bid", 1].arbitrage_mwh == -20.0


def test_a_flagged_action_loses_its_price_only_above_every_unflagged_one() -> None:
    below = recompute([offer(1, 10.0, 50.0), offer(2, 5.0, 45.0, flagged=True)])
    assert (below.price_gbp_mwh, below.replacement) == (50.0, "")
    above = recompute([offer(1, 10.0, 50.0), offer(2, 5.0, 200.0, flagged=True)])
    assert (above.price_gbp_mwh, above.replacement) == (50.0, "unflagged")
    assert above.volumes["offer", 2].final_price_gbp_mwh == 50.0
    long = recompute([bid(1, 10.0, 50.0), bid(2, 5.0, -80.0, flagged=True)])
    assert (long.price_gbp_mwh, long.replacement) == (50.0, "unflagged")


def test_the_replacement_price_averages_the_most_expensive_unflagged_mwh_that_remain() -> None:
    actions = [offer(1, 10.0, 50.0), offer(2, 0.5, 70.0), offer(3, 5.0, 200.0, flagged=True)]
    found = recompute(actions, rules=PricingRules(par_mwh=2.0))
    assert found.volumes["offer", 3].final_price_gbp_mwh == pytest.approx(60.0)
    assert found.price_gbp_mwh == pytest.approx((0.5 * 70 + 1.5 * 60) / 2)  # ranked by final price
    original = recompute(actions, rules=PricingRules(par_mwh=2.0, rank_repriced_by="original_price"))
    assert original.price_gbp_mwh == pytest.approx(60.0)  # 2 MWh of the repriced action alone


@pytest.mark.parametrize("side", [offer, bid])
def test_without_any_unflagged_action_the_market_index_is_the_price(side: object) -> None:
    actions = [side(1, 5.0, 90.0, flagged=True), side(2, 5.0, 80.0, flagged=True)]  # type: ignore[operator]
    found = recompute(actions, 42.5)
    assert (found.price_gbp_mwh, found.replacement) == (42.5, "market_index")
    without = recompute(actions)
    assert (without.price_gbp_mwh, without.replacement) == (None, "none")


def test_unflagged_actions_that_niv_tagging_took_away_give_no_replacement_price() -> None:
    actions = [offer(1, 10.0, 20.0, flagged=True, loss_multiplier=0.9), offer(2, 10.0, None), bid(1, 10.0, 5.0)]
    found = recompute(actions, 33.0)  # the action without a price is dearest and goes with the bids
    assert (found.price_gbp_mwh, found.replacement) == (33.0, "market_index")


def test_losses_weigh_the_average() -> None:
    rules = PricingRules(par_mwh=2.0)
    found = recompute([offer(1, 1.0, 100.0), offer(2, 1.0, 50.0, loss_multiplier=0.5)], rules=rules)
    assert found.price_gbp_mwh == pytest.approx((100 + 25) / 1.5)
    assert averaged_price([(-1.0, 100.0, 1.0), (-1.0, 50.0, 0.5)]) == pytest.approx((100 + 25) / 1.5)
    assert averaged_price([]) is None


def test_an_empty_stack_has_the_price_of_the_index_or_none() -> None:
    assert recompute([]).price_gbp_mwh is None
    assert recompute([], 12.0).price_gbp_mwh == 12.0


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        ([offer(1, 1.0, 1.0), offer(1, 2.0, 1.0)], "same key"),
        ([offer(1, -1.0, 1.0)], "offer .* has a volume of -1"),
        ([bid(1, -1.0, 1.0)], "bid .* has a volume of 1"),
    ],
)
def test_a_stack_that_contradicts_itself_is_refused(actions: list[Action], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recompute(actions)
