"""Forecasts of prices from what was known: pure functions of a history that the caller has cut at its gate.

What does not belong here: what is known when (`trading/timeline.py`) and what is decided (`trading/`).
"""
