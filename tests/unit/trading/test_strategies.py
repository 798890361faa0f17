"""The register of strategies: each that decides has a bound of at least its markets."""

from __future__ import annotations

from bess_pipeline.trading.strategies import DECIDING, NAMES, STRATEGIES


def test_every_strategy_of_the_register_has_a_bound_of_its_markets() -> None:
    by_name = {strategy.name: strategy for strategy in STRATEGIES}
    assert len(by_name) == len(STRATEGIES) == len(NAMES)
    for strategy in DECIDING:
        assert strategy.bound is not None
        bound = by_name[strategy.bound]
        assert bound.bound is None
        assert set(strategy.markets) <= set(bound.markets)
