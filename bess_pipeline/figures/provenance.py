"""Where the data of a figure or report comes from, in the words a reader sees.

What belongs here: labels of origin and day-ahead source, and the attributions that licences ask for.
What does not: what a workspace's origin is and how it is guarded (`workspace.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

ORIGIN_LABELS = {"simulated": "simulated data", "recorded": "recorded GB data", "live": "live data"}
DAY_AHEAD_LABELS = {
    "neso_n2ex": "N2EX day-ahead",
    "entsoe": "ENTSO-E day-ahead",
    "elexon_mid": "market index standing in for day-ahead",
    "file": "day-ahead price from the user's file",
}


@dataclass(frozen=True)
class Provenance:
    """Origin (simulated, recorded, live) and day-ahead source of the data, and the year of its copyright."""

    origin: str
    day_ahead_source: str
    year: int

    def __post_init__(self) -> None:
        if self.origin not in ORIGIN_LABELS or self.day_ahead_source not in DAY_AHEAD_LABELS:
            raise ValueError(f"unknown origin {self.origin!r} or day-ahead source {self.day_ahead_source!r}")

    @property
    def origin_label(self) -> str:
        """What a figure says of its origin."""
        return ORIGIN_LABELS[self.origin]

    @property
    def day_ahead_label(self) -> str:
        """What a figure says of its day-ahead price."""
        return DAY_AHEAD_LABELS[self.day_ahead_source]

    @property
    def stands_in(self) -> bool:
        """Whether a within-day index stands in for the day-ahead price."""
        return self.day_ahead_source == "elexon_mid"

    @property
    def attribution(self) -> str:
        """The publishers' attribution, or that the data is made by the project."""
        if self.origin == "simulated":
            return "Simulated by the project's sample market; not real prices."
        parts = [
            f"Contains BMRS data © Elexon Limited copyright and database right {self.year}.",
            "Supported by National Energy SO Open Data.",
        ]
        if self.day_ahead_source == "entsoe":
            parts.append("ENTSO-E Transparency Platform data under CC-BY 4.0.")
        return " ".join(parts)
