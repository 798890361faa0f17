"""The battery itself: its parameters and the physics of a schedule.

What belongs here: facts about one battery, independent of prices and of any optimiser. What does
not: choosing a schedule (`optimisation/`) or paying for it (`trading/settlement.py`).
"""
