"""What holds for the recomputed system price of any stack."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bess_pipeline.market_checks.imbalance_price import Action, PricingRules, recompute

VOLUMES = st.integers(1, 60_000).map(lambda kwh: kwh / 1000)
PRICES = st.integers(-30_000, 60_000).map(lambda pence: pence / 100)


@st.composite
def stacks(draw: st.DrawFn, *, unflagged: bool = False) -> list[Action]:
    found = []
    for side, sign in (("offer", 1), ("bid", -1)):
        for n in range(draw(st.integers(0, 6))):
            flagged = False if unflagged else draw(st.booleans())
            found.append(Action((side, n), side, sign * draw(VOLUMES), draw(PRICES), flagged))  # type: ignore[arg-type]
    return found


@given(stacks(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(actions: list[Action], random: object) -> None:
    shuffled = list(actions)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert recompute(shuffled, 50.0) == recompute(actions, 50.0)


@given(stacks(), VOLUMES.filter(lambda v: v >= 0.1))
def test_a_pair_that_is_arbitraged_away_changes_nothing(actions: list[Action], volume: float) -> None:
    pair = [Action(("offer", 99), "offer", volume, -400.0), Action(("bid", 99), "bid", -volume, 700.0)]
    before, after = recompute(actions, 50.0), recompute([*actions, *pair], 50.0)
    assert after.price_gbp_mwh == before.price_gbp_mwh
    assert after.net_imbalance_volume_mwh == pytest.approx(before.net_imbalance_volume_mwh, abs=1e-9)
    assert {key: after.volumes[key] for key in before.volumes} == before.volumes


@given(stacks())
def test_rows_below_the_threshold_change_nothing(actions: list[Action]) -> None:
    tiny = [Action(("offer", 98), "offer", 0.05, 5000.0), Action(("bid", 98), "bid", -0.05, -5000.0, True)]
    assert recompute([*actions, *tiny], 50.0) == recompute(actions, 50.0)


@given(stacks())
def test_the_mirror_of_a_stack_has_the_mirrored_price(actions: list[Action]) -> None:
    turned = [
        replace(
            action,
            key=("bid" if action.side == "offer" else "offer", action.key[1]),
            side="bid" if action.side == "offer" else "offer",
            volume_mwh=-action.volume_mwh,
            price_gbp_mwh=None if action.price_gbp_mwh is None else -action.price_gbp_mwh,
        )
        for action in actions
    ]
    one, other = recompute(actions, 50.0), recompute(turned, -50.0)
    assert other.price_gbp_mwh == (None if one.price_gbp_mwh is None else pytest.approx(-one.price_gbp_mwh))
    assert other.net_imbalance_volume_mwh == pytest.approx(-one.net_imbalance_volume_mwh)


@given(stacks())
def test_volumes_only_shrink_and_the_net_volume_is_what_niv_tagging_leaves(actions: list[Action]) -> None:
    rules = PricingRules()
    found = recompute(actions, 50.0, rules=rules)
    for tagged in found.volumes.values():
        steps = [abs(tagged.dmat_mwh), abs(tagged.arbitrage_mwh), abs(tagged.niv_mwh), abs(tagged.par_mwh)]
        assert steps == sorted(steps, reverse=True)
    kept = [action.volume_mwh for action in actions if abs(action.volume_mwh) >= rules.dmat_mwh]
    assert found.net_imbalance_volume_mwh == pytest.approx(sum(kept), abs=1e-6)
    assert sum(tagged.niv_mwh for tagged in found.volumes.values()) == pytest.approx(sum(kept), abs=1e-6)
    used = sum(abs(tagged.par_mwh) for tagged in found.volumes.values())
    assert used == pytest.approx(min(rules.par_mwh, abs(sum(kept))), abs=1e-6)


@given(stacks(unflagged=True))
def test_without_flags_the_price_is_the_dearest_mwh_of_the_cheapest_net_volume(actions: list[Action]) -> None:
    """An oracle by counting kWh: cross out crossed pairs, keep the cheapest NIV, average its last MWh."""
    offers = sorted(p for a in actions if a.side == "offer" and a.volume_mwh >= 0.1 for p in _kwh(a))
    bids = sorted((p for a in actions if a.side == "bid" and a.volume_mwh <= -0.1 for p in _kwh(a)), reverse=True)
    crossed = 0
    while crossed < min(len(offers), len(bids)) and offers[crossed] <= bids[crossed]:
        crossed += 1
    offers, bids = offers[crossed:], bids[crossed:]
    niv = len(offers) - len(bids)
    kept = offers[: max(niv, 0)] or bids[: max(-niv, 0)]
    found = recompute(actions, 50.0)
    expected = sum(kept[-1000:]) / len(kept[-1000:]) if kept else 50.0
    assert found.price_gbp_mwh == pytest.approx(expected, abs=1e-6)


def _kwh(action: Action) -> list[float]:
    assert action.price_gbp_mwh is not None
    return [action.price_gbp_mwh] * round(abs(action.volume_mwh) * 1000)
