"""Profit and loss over days, and its risk.

Pure functions on frames and arrays (docs/risk.md). What does not belong here: cash per half-hour
(`trading/settlement.py`) and pictures (`figures/`).
"""
