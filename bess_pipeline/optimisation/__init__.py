"""Optimal schedules: one readable formulation, compiled to arrays, solved in HiGHS, re-checked in NumPy.

What belongs here: the mathematics of choosing a schedule for given prices (docs/optimisation.md).
What does not: what a battery can do (`battery/`), what is known when, and orders (`trading/`).
"""
