"""Ancillary services: what a contract asks of a battery, what it pays, and the energy that moves.

What belongs here: rules of ancillary products as data, as checks and as linear rows (docs/ancillary.md). What does
not: auction results (`sources/neso_auctions.py`), frequency files (`sources/neso_frequency.py`), a battery's own
limits (`battery/`) and the choice of what to offer (`optimisation/`).

Arrays throughout: MW by product and half-hour have the shape (products, half-hours), scenarios come before them;
powers are AC and not negative, "low" products (and positive reserve) discharge, "high" ones (negative) charge.
"""
