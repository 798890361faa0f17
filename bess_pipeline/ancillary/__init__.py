"""Response services: what a contract asks for at a system frequency, and the energy that moves.

What belongs here: rules of ancillary products as data and pure functions. What does not: auction
results (`sources/neso.py`), frequency files (`sources/neso_frequency.py`) and a battery's limits
(`battery/`).
"""
