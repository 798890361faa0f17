"""How much power a battery may take and give in each period: rating, availability and grid connection.

What belongs here: the limits that do not depend on the state of the battery. What does not: energy and ramp
(`physics.py`) and where availability comes from (`trading/availability.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bess_pipeline.battery.parameters import Battery
from bess_pipeline.errors import UserInputError

FloatArray = NDArray[np.float64]


class Clip(StrEnum):
    """Why something else was executed than was asked for."""

    NONE = ""
    POWER = "power"
    AVAILABILITY = "availability"
    IMPORT_LIMIT = "import limit"
    EXPORT_LIMIT = "export limit"
    RAMP = "ramp"
    FULL = "full"
    EMPTY = "empty"
    STANDBY = "standby"
    SIMULTANEOUS = "simultaneous"


@dataclass(frozen=True)
class Availability:
    """Fractions of the rating that are available per period, for charge and for discharge, in [0, 1]."""

    charge: ArrayLike = 1.0
    discharge: ArrayLike = 1.0

    def __post_init__(self) -> None:
        for name in ("charge", "discharge"):
            values = np.asarray(getattr(self, name), dtype=float)
            if not ((values >= 0) & (values <= 1)).all():
                raise UserInputError(f"the available fraction of {name} must lie between 0 and 1 in every period")

    @property
    def whole(self) -> bool:
        """True when nothing is derated."""
        return bool((np.asarray(self.charge) == 1).all() and (np.asarray(self.discharge) == 1).all())


ALWAYS = Availability()


@dataclass(frozen=True)
class PowerLimits:
    """Most charge and discharge of each period, AC, MW, and which limit that is (`Clip` values)."""

    charge_mw: FloatArray
    discharge_mw: FloatArray
    charge_reason: NDArray[np.str_]
    discharge_reason: NDArray[np.str_]


def power_limits(battery: Battery, availability: Availability, shape: tuple[int, ...]) -> PowerLimits:
    """Limits of periods of this shape: the smaller of what is available of the rating and what the grid takes."""
    charge, charge_reason = _limit(
        battery, availability.charge, battery.import_limit_mw, Clip.IMPORT_LIMIT, shape, "charge"
    )
    discharge, discharge_reason = _limit(
        battery, availability.discharge, battery.export_limit_mw, Clip.EXPORT_LIMIT, shape, "discharge"
    )
    return PowerLimits(charge, discharge, charge_reason, discharge_reason)


def _limit(
    battery: Battery,
    fraction: ArrayLike,
    grid_limit_mw: float | None,
    grid_reason: Clip,
    shape: tuple[int, ...],
    name: str,
) -> tuple[FloatArray, NDArray[np.str_]]:
    given = np.asarray(fraction, dtype=float)
    if given.shape not in {(), shape, shape[-1:]}:
        raise UserInputError(f"the available fraction of {name} needs one value per period, {given.size} were given")
    share = np.broadcast_to(given, shape)
    available = np.where(share > 0, battery.power_mw, 0.0)  # not rating x share: the rating may be infinite
    available = np.where(share < 1, available * np.where(share > 0, share, 1.0), available)
    reason = np.where(share < 1, Clip.AVAILABILITY.value, Clip.POWER.value).astype("U12")
    if grid_limit_mw is not None:
        reason[grid_limit_mw < available] = grid_reason.value
        available = np.minimum(available, grid_limit_mw)
    return available, reason
