"""How a solve ended, apart from any solver: importing this takes no time.

What belongs here: the states. What does not: a solver's own codes (`session.py`).
"""

from __future__ import annotations

from enum import StrEnum


class SolveStatus(StrEnum):
    """How a solve ended. Numbers exist with OPTIMAL, and with TIME_LIMIT only as a stated gap."""

    OPTIMAL = "optimal"
    TIME_LIMIT = "time_limit"
    INFEASIBLE = "infeasible"
    UNBOUNDED = "unbounded"
    UNKNOWN = "unknown"
