"""Settings of forecasts, apart from all others so that models need to know nothing else.

What belongs here: names, bounds and defaults of `[forecast]`. What does not: other sections and where settings come
from (`settings.py`), and the models themselves (`forecasting/`).
"""

from __future__ import annotations

from typing import Literal, Self, get_args

from pydantic import Field, model_validator

from bess_pipeline.degradation_settings import Section

ModelName = Literal[
    "persistence",
    "similar_day",
    "last_7_days",
    "last_28_days",
    "lear",
    "boosted",
    "ridge",
    "niv_regimes",
    "combination",
]
PLAIN: tuple[ModelName, ...] = ("persistence", "similar_day", "last_7_days", "last_28_days")
NOT_COMBINED: tuple[ModelName, ...] = ("persistence", "niv_regimes", "combination")
DEFAULT_MODELS: tuple[ModelName, ...] = get_args(ModelName)


class ForecastSettings(Section):
    """How prices and activation are forecast at each gate; all defaults are choices."""

    calibration_days: int = Field(365, ge=14, le=1500, description="past days that models are fitted on, at most")
    minimum_history_days: int = Field(
        42,
        ge=14,
        description="days with a known outcome below which a stream has only the yardsticks, with wide errors",
    )
    refuse_below_days: int = Field(
        7, ge=2, description="days with a known outcome below which nothing is forecast and the reason is given"
    )
    retraining_weekday: int = Field(
        1, ge=1, le=7, description="ISO weekday (1 = Monday) from which new models are used"
    )
    models: tuple[ModelName, ...] = Field(
        DEFAULT_MODELS,
        description="candidates; combination, the mean of the others, unless one did clearly better on past days",
    )
    similar_days: int = Field(
        20, ge=1, description="last days of the same type that the similar-day yardstick averages"
    )
    choice_days: int = Field(28, ge=7, le=180, description="last known days that candidates are compared on")
    choice_standard_errors: float = Field(
        2.5,
        ge=0,
        description="paired standard errors within which candidates are equal: 2.5 is one chance in 20 among nine",
    )
    lear_window_days: tuple[int, ...] = Field(
        (56, 84, 365), description="calibration windows whose lasso regressions are averaged, days"
    )
    lear_components: int = Field(
        8, ge=1, le=48, description="principal components of a day that have a lasso of their own; 48 = every slot"
    )
    cross_validation_folds: int = Field(
        5, ge=2, le=20, description="blocks of days that are forecast without them, for honest errors"
    )
    gap_days: int = Field(2, ge=0, le=14, description="days next to such a block that are left out as well")
    error_half_life_days: float = Field(
        120.0, gt=0, description="age at which a past error counts half in a distribution"
    )
    boosted_window_days: int = Field(365, ge=28, description="days that gradient boosting is fitted on, at most")
    assumed_dm_mwh_per_mw_h: float | None = Field(
        None,
        ge=0,
        description="throughput of DML and DMH where none was measured; no figure is published, absent = not forecast",
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not set(self.models) & set(PLAIN):
            raise ValueError(f"models must name one of {', '.join(PLAIN)}, which need the least history")
        if len(set(self.models)) != len(self.models):
            raise ValueError("models must name each candidate once")
        if not self.refuse_below_days <= self.minimum_history_days <= self.calibration_days:
            raise ValueError(
                f"minimum_history_days {self.minimum_history_days} must lie between refuse_below_days "
                f"{self.refuse_below_days} and calibration_days {self.calibration_days}"
            )
        if not self.lear_window_days or min(self.lear_window_days) < 28:
            raise ValueError("lear_window_days must hold one window at least, none below 28 days")
        return self
