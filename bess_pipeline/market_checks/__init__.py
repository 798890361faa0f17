"""Checks of market data against itself: prices recomputed from the actions behind them.

What belongs here: pure recomputations and their comparison with what was published. What does not: fetching
(`sources/`, `ingestion/`) and Dagster (`orchestration/`).
"""
