"""Every setting of the pipeline, with its unit, default and where it may come from.

Precedence: command line > environment (`BESS_…`, nested by `__`) > `.env` > `bess.toml` > defaults;
the same for the command line, the UI and the daemon. The ENTSO-E token is read from
`ENTSOE_API_TOKEN` only (environment or `.env`), is never part of a settings object and never
reaches a file that we write.

What belongs here: names, types, bounds and defaults. What does not: what a workspace already is
(`workspace.py` resolves `None` values against its stamp) and market rules.
"""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from bess_pipeline.ancillary_settings import AncillarySettings
from bess_pipeline.battery_settings import BatterySettings
from bess_pipeline.co_optimisation_settings import CoOptimisationSettings
from bess_pipeline.cost_settings import BalancingMechanismSettings, CostSettings
from bess_pipeline.degradation_settings import DegradationSettings
from bess_pipeline.degradation_settings import Section as _Section
from bess_pipeline.errors import UserInputError
from bess_pipeline.forecast_settings import ForecastSettings
from bess_pipeline.intraday_settings import IntradaySettings
from bess_pipeline.risk_settings import RiskSettings
from bess_pipeline.scenario_settings import ScenarioSettings

Mode = Literal["live", "sample", "files"]
DayAheadSource = Literal["neso_n2ex", "entsoe", "elexon_mid", "file"]
CONFIG_FILE_VARIABLE = "BESS_CONFIG"
STATE_FOLDER_VARIABLE = "BESS_STATE_DIR"
ENTSOE_TOKEN_VARIABLE = "ENTSOE_API_TOKEN"
_ENV_FILE = Path(".env")
# What of [trading] is no part of its fingerprint as it is: days name their chain, outages are stamped by vintage,
# months count once they are set, and workers change nothing.
_CHAINED_OR_ELSEWHERE = {"chain_starts", "chain_months", "availability_file", "workers"}


def _aware(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError("carries no time zone; give UTC, for example 2026-04-12T08:50:00Z")
    return value.astimezone(UTC)


def _none_when_empty(value: object) -> object:
    return None if value == "" else value


def _http_address(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{value!r} is no address; give one such as https://data.elexon.co.uk/bmrs/api/v1")
    return value


HttpAddress = Annotated[str, AfterValidator(_http_address)]


class SourcesSettings(_Section):
    """Where data comes from. `None` for mode and day_ahead means: what the workspace already holds."""

    mode: Mode | None = None
    day_ahead: DayAheadSource | None = None
    elexon_base_url: HttpAddress = "https://data.elexon.co.uk/bmrs/api/v1"
    neso_base_url: HttpAddress = "https://api.neso.energy"
    entsoe_base_url: HttpAddress = "https://web-api.tp.entsoe.eu/api"
    entsoe_zone_eic: str = Field("10YGB----------A", description="bidding zone of the ENTSO-E day-ahead price")
    day_ahead_file: Path | None = Field(None, description="CSV of start_utc, price_gbp_mwh")
    system_price_file: Path | None = Field(None, description="CSV of start_utc, price_gbp_mwh (mode files)")
    expected_reserve_products: tuple[Literal["PQR", "NQR", "PBR", "NBR", "PSR", "NSR"], ...] = Field(
        (), description="reserve products that a complete day has in every half-hour; others are sparse"
    )
    connect_timeout_s: float = Field(5.0, gt=0)
    read_timeout_s: float = Field(30.0, gt=0)
    deadline_s: float = Field(120.0, gt=0, description="for one answer, all its attempts included")
    max_attempts: int = Field(4, ge=1, le=10)
    breaker_failures: int = Field(5, ge=0, description="failed requests in a row after which a provider is left alone")
    breaker_cool_down_s: float = Field(60.0, gt=0, description="how long, the first time; doubled each time after")
    breaker_max_cool_down_s: float = Field(900.0, gt=0, description="how long at most")

    @property
    def base_url_given(self) -> bool:
        """True when another market than the providers' own is asked."""
        return self.elexon_base_url != type(self).model_fields["elexon_base_url"].default

    file_deadline_s: float = Field(900.0, gt=0, description="for one large file, all its attempts included")


class ClockSettings(_Section):
    now_utc: Annotated[datetime | None, AfterValidator(_aware)] = None


class TradingSettings(_Section):
    history_days: int = Field(28, ge=7, le=400, description="days of past prices that the rule-based strategy averages")
    foresight_margin_days: int = Field(
        7, ge=1, le=31, description="days of known prices beyond the run that day_ahead_perfect_foresight may see"
    )
    chain_starts: tuple[date, ...] = Field((), description="trading days that start from initial_soc")
    chain_months: bool = Field(False, description="so does the first trading day of each calendar month")
    workers: int = Field(
        1, ge=1, le=64, description="processes for chains of trading days, or the plans of strategies within one chain"
    )
    rule_hours: int = Field(2, ge=1, le=8, description="hours a day that the rule-based strategy charges")
    availability_file: Path | None = Field(None, description="CSV of outages; see trading/availability.py")


class RollingSettings(_Section):
    """How plans look ahead; similar days and forecast are of the strategy `day_ahead_rolling` alone."""

    look_ahead_hours: int = Field(
        48, ge=24, le=168, description="hours that plans and the dispatch of all markets look ahead"
    )
    similar_days: int = Field(20, ge=1, le=60, description="last days of the same type whose prices are averaged")
    forecast: Literal["similar_day", "chosen"] = Field(
        "similar_day", description="prices that are planned with: the baseline, or forecast.price_forecast of its gate"
    )
    terminal_value_gbp_mwh: Literal["auto"] | float = Field(
        "auto",
        description="worth of a MWh stored at the end; auto = the mean of recent or expected prices, less losses, wear",
    )


class SolverSettings(_Section):
    """Limits of every optimisation."""

    guarded: bool = Field(True, description="solve in a process of its own, which can be ended")
    time_limit_s: float = Field(60.0, gt=0, description="for each call of the solver; it ends by itself, in order")
    hard_limit_s: float = Field(120.0, gt=0, description="after which the solver's process is ended")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.hard_limit_s <= self.time_limit_s:
            raise ValueError(f"hard_limit_s {self.hard_limit_s:g} must be above time_limit_s {self.time_limit_s:g}")
        return self


class DataSettings(_Section):
    first_date: date = Field(date(2021, 1, 1), description="first daily partition")
    system_price_lag_minutes: int = Field(60, ge=0)
    response_result_clock: time = Field(
        time(15),
        gt=time(14),
        description="London time on D-1 from which results of the response auction count as known",
    )
    frequency_publication_days: int = Field(
        15, ge=0, description="days after a month's end from which its frequency, and response energy, count as known"
    )


class ScheduleSettings(_Section):
    cron: str = Field("30 11 * * *", description="London time; 03:00 or later, because 01:00-02:00 moves")
    look_back_days: int = Field(35, ge=1, le=400, description="how far back a refresh retries incomplete days")


class RevisionSettings(_Section):
    """When a system price that is already stored is asked for again."""

    recent_days: int = Field(7, ge=0, le=60, description="settlement dates back from today asked for again daily")
    run_working_days: tuple[int, ...] = Field(
        (5, 16, 39, 84, 154, 292), description="working days after which II, SF, R1, R2, R3, RF come out; empty = never"
    )
    weekday: int = Field(1, ge=1, le=7, description="ISO weekday on which days of the timetable fall due, 1 = Monday")

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if any(days < 1 for days in self.run_working_days):
            raise ValueError("run_working_days are counted from the settlement date: 1 or more")
        return self


class StackSettings(_Section):
    """Parameters of the recomputed system price (docs/imbalance_price.md says which are rules and which choices)."""

    dmat_mwh: float = Field(0.1, ge=0, description="de minimis acceptance threshold")
    par_mwh: float = Field(1.0, gt=0, description="price average reference volume")
    replacement_par_mwh: float = Field(1.0, gt=0, description="reference volume of the replacement price")
    rank_repriced_by: Literal["final_price", "original_price"] = "final_price"
    tolerance_gbp_mwh: float = Field(0.01, ge=0, description="largest difference that counts as agreement")


class ReportSettings(_Section):
    copy_figures_to: Annotated[Path | None, BeforeValidator(_none_when_empty)] = Field(
        Path("reports/figures"), description="a second copy of the newest figures; empty = none"
    )


class Settings(BaseSettings):
    """All settings, frozen. Build with `load_settings`, which turns mistakes into one sentence."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="BESS_",
        env_nested_delimiter="__",
        env_file=None,
        toml_file=None,
    )

    workspace: Path = Path("data/live")
    battery: BatterySettings = BatterySettings()
    sources: SourcesSettings = SourcesSettings()
    clock: ClockSettings = ClockSettings()
    trading: TradingSettings = TradingSettings()
    degradation: DegradationSettings = DegradationSettings()
    rolling: RollingSettings = RollingSettings()
    forecast: ForecastSettings = ForecastSettings()
    scenarios: ScenarioSettings = ScenarioSettings()
    ancillary: AncillarySettings = AncillarySettings()
    co_optimisation: CoOptimisationSettings = CoOptimisationSettings()
    costs: CostSettings = CostSettings()
    balancing_mechanism: BalancingMechanismSettings = BalancingMechanismSettings()
    intraday: IntradaySettings = IntradaySettings()
    risk: RiskSettings = RiskSettings()
    solver: SolverSettings = SolverSettings()
    data: DataSettings = DataSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    revisions: RevisionSettings = RevisionSettings()
    stack: StackSettings = StackSettings()
    report: ReportSettings = ReportSettings()
    seed: int = Field(20260329, ge=0, description="of every random draw")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        if isinstance(dotenv_settings, DotEnvSettingsSource):  # .env may hold other programs' variables, and the token
            ours = {name: value for name, value in dotenv_settings.env_vars.items() if name.startswith("bess_")}
            dotenv_settings.env_vars = ours
        return init_settings, env_settings, dotenv_settings, TomlConfigSettingsSource(settings_cls, config_file())

    def now(self) -> datetime:
        """The only "now" of the project, zone-aware UTC."""
        return self.clock.now_utc or datetime.now(UTC)

    def fingerprint(self) -> str:
        """Twelve hex digits of everything that can change a number of trading days, downstream of the market tables."""
        parts: dict[str, Any] = {
            "battery": self.battery.model_dump(mode="json"),
            "trading": self.trading.model_dump(mode="json", exclude=_CHAINED_OR_ELSEWHERE),
            "degradation": self.degradation.model_dump(mode="json"),
            "rolling": self.rolling.model_dump(mode="json"),
            "forecasts": self.forecast_fingerprint() if self.rolling.forecast == "chosen" else "",
        }
        if self.trading.chain_months:
            parts["chains"] = "months"
        return self._digest(parts)

    def forecast_fingerprint(self) -> str:
        """Twelve hex digits of everything that can change a forecast, a scenario or a score."""
        used = ("forecast", "scenarios", "battery")  # models are chosen by what they would have earned with the battery
        return self._digest({name: getattr(self, name).model_dump(mode="json") for name in used})

    def co_optimisation_fingerprint(self) -> str:
        """Twelve hex digits of everything that can change a plan made with scenarios."""
        sections = ("ancillary", "co_optimisation")
        parts: dict[str, Any] = {name: getattr(self, name).model_dump(mode="json") for name in sections}
        return self._digest(parts | {"trading": self.fingerprint(), "scenarios": self.forecast_fingerprint()})

    def cost_fingerprint(self) -> str:
        """Digest of what changes cash and neither a plan nor a dispatch; empty while nothing costs anything."""
        return _digest_of_section(self.costs)

    def balancing_mechanism_fingerprint(self) -> str:
        """Digest of what changes a dispatch, and a plan by the state it opens with; empty without acceptances."""
        return _digest_of_section(self.balancing_mechanism) if self.balancing_mechanism.enabled else ""

    def market_dispatch_fingerprint(self) -> str:
        """Twelve hex digits of everything that can change the dispatch of a strategy of all markets."""
        own = {
            "intraday": self.intraday.model_dump(mode="json"),
            "balancing_mechanism": self.balancing_mechanism_fingerprint(),
        }
        return self._digest(own | {"plans": self.co_optimisation_fingerprint()})

    def risk_fingerprint(self) -> str:
        """Twelve hex digits of what changes a measure of risk beyond the days it is taken of."""
        sections = ("risk", "battery", "ancillary")
        return self._digest({name: getattr(self, name).model_dump(mode="json") for name in sections})

    def _digest(self, parts: dict[str, Any]) -> str:
        parts["data"] = self.data.model_dump(mode="json", exclude={"first_date"})
        parts["seed"] = self.seed
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def _digest_of_section(section: BaseModel) -> str:
    """Twelve hex digits of the keys that are not at their defaults, empty where all are."""
    changed = section.model_dump(mode="json", exclude_defaults=True)
    return hashlib.sha256(json.dumps(changed, sort_keys=True).encode()).hexdigest()[:12] if changed else ""


def config_file() -> Path:
    """`bess.toml` of the working directory, or the file that `BESS_CONFIG` names."""
    return Path(os.environ.get(CONFIG_FILE_VARIABLE, "bess.toml"))


def load_settings(**overrides: Any) -> Settings:
    """Settings from all sources; `overrides` are the command line's (nested dictionaries).

    Raises UserInputError with one sentence naming the setting and what is wrong with it.
    """
    if CONFIG_FILE_VARIABLE in os.environ and not config_file().is_file():
        raise UserInputError(f"the settings file {config_file()} named by {CONFIG_FILE_VARIABLE} does not exist")
    if config_file().exists() and not config_file().is_file():
        raise UserInputError(f"{config_file()} is no file: move it, or name the file in {CONFIG_FILE_VARIABLE}")
    _refuse_unknown_names(set(os.environ) - {CONFIG_FILE_VARIABLE, STATE_FOLDER_VARIABLE}, "the environment")
    _refuse_unknown_names(_dotenv(), str(_ENV_FILE))
    try:
        return Settings(_env_file=_ENV_FILE if _ENV_FILE.is_file() else None, **overrides)
    except ValidationError as error:
        message = _sentence(error)
    except UnicodeDecodeError:
        message = f"{config_file()} cannot be read as TOML: it is not UTF-8 text"
    except tomllib.TOMLDecodeError as error:
        message = f"{config_file()} cannot be read as TOML: {error}"
    except (SettingsError, ValueError) as error:
        message = f"settings cannot be read: {error}"
    raise UserInputError(message)


def entsoe_token() -> SecretStr | None:
    """The ENTSO-E token of the environment, else of `.env`, or None."""
    value = (os.environ.get(ENTSOE_TOKEN_VARIABLE) or _dotenv().get(ENTSOE_TOKEN_VARIABLE) or "").strip()
    return SecretStr(value) if value else None


def _dotenv() -> dict[str, str | None]:
    return dotenv_values(_ENV_FILE) if _ENV_FILE.is_file() else {}


def _refuse_unknown_names(names: Iterable[str], where: str) -> None:
    for name in sorted(names):
        if not name.startswith("BESS_"):
            continue
        section, *path = name.removeprefix("BESS_").lower().split("__")
        field = Settings.model_fields.get(section)
        if field is None:
            raise UserInputError(f"unknown setting {name} in {where}: there is no section or setting '{section}'")
        keys = _keys_of(field.annotation)
        for key in path:
            if key not in keys:
                has = ", ".join(sorted(keys)) or "no parts"
                raise UserInputError(f"unknown setting {name} in {where}: [{section}] has {has}")
            section, keys = f"{section}.{key}", _keys_of(keys[key].annotation)


def _keys_of(annotation: object) -> Mapping[str, FieldInfo]:
    """Keys of a section; none for a plain setting."""
    return annotation.model_fields if isinstance(annotation, type) and issubclass(annotation, BaseModel) else {}


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "settings"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        return f"unknown setting {where}: see bess.toml for the settings there are"
    if first["type"] == "value_error":
        return f"setting [{where}] is impossible: {message}"
    return f"setting {where} = {first['input']!r} cannot be used: {message[0].lower()}{message[1:]}"
