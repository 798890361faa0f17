"""Correlated paths of all streams: made from forecasts, reduced to few, and scored against what came.

What does not belong here: forecasts of single periods (`forecasting/`) and decisions (`optimisation/`, `trading/`).
"""
