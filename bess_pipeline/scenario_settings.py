"""Settings of scenario sets, apart from all others so that generating them needs nothing else.

What belongs here: names, bounds and defaults of `[scenarios]`. What does not: other sections and where settings come
from (`settings.py`), forecasts (`forecast_settings.py`), and how paths are drawn and reduced (`scenarios/`).
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from bess_pipeline.degradation_settings import Section

Method = Literal["copula", "schaake", "independent"]


class ScenarioSettings(Section):
    """How the joint paths of a gate are made; all defaults are choices. They are drawn from the one `seed`."""

    count: int = Field(1000, ge=2, le=20_000, description="paths drawn at each gate")
    reduced: int = Field(50, ge=1, le=1000, description="weighted paths that are kept of them and stored")
    fresh: int = Field(
        200, ge=0, le=2000, description="further paths of the day-ahead gate that plans are judged on, not made with"
    )
    method: Method = Field("copula", description="what ties periods and markets together")

    @model_validator(mode="after")
    def _fewer(self) -> Self:
        if self.reduced > self.count:
            raise ValueError(f"reduced {self.reduced} must not be above count {self.count}")
        return self
