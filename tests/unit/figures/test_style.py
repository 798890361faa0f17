"""Saved figures: same bytes, no user style, nothing half-written; and the labels of provenance."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from trading_frames import BATTERY, day_ahead

from bess_pipeline.errors import BessError
from bess_pipeline.figures.dispatch import dispatch_overlay
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.figures.style import save_png, strategy_colours, strategy_label
from bess_pipeline.trading import market_strategies, strategies
from bess_pipeline.trading.dispatch import idle_day

DAY = date(2024, 2, 20)


def figure() -> Figure:
    prices = day_ahead(DAY, DAY, lambda t: float(t.hour))
    return dispatch_overlay(idle_day(DAY, "rule_based", 50.0), prices, BATTERY, Provenance("live", "neso_n2ex", 2026))


def test_the_same_figure_gives_the_same_bytes_whatever_the_users_style(tmp_path: Path) -> None:
    save_png(figure(), tmp_path / "a.png")
    with mpl.rc_context({"font.size": 30.0, "lines.linewidth": 9.0, "savefig.facecolor": "red"}):
        save_png(figure(), tmp_path / "b.png")
    content = (tmp_path / "a.png").read_bytes()
    assert content == (tmp_path / "b.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert b"tEXt" not in content
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(BessError, match="cannot write"):
        save_png(figure(), tmp_path / "a.png")
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_strategy_names_read_as_words_and_bounds_say_so() -> None:
    assert strategy_label("day_ahead_perfect_foresight").endswith("(upper bound)")
    assert strategy_label("co_optimised_cvar") == "co-optimised, mean and CVaR"
    assert strategy_label("another_one") == "another one"
    assert strategy_label("perfect_foresight") == "perfect foresight of all markets (upper bound)"
    known = [one.name for one in (*strategies.STRATEGIES, *market_strategies.STRATEGIES, *market_strategies.BOUNDS)]
    colours = strategy_colours([*known, "x", "y"])
    assert len(set(colours.values()) - set(strategy_colours(["x", "y"]).values())) == len(known)
    assert colours["co_optimised"] == strategy_colours(["co_optimised"])["co_optimised"]


def test_unknown_origin_or_source_is_refused() -> None:
    for origin, source in (("borrowed", "file"), ("live", "rumour")):
        with pytest.raises(ValueError, match="unknown origin"):
            Provenance(origin, source, 2026)


def test_entsoe_is_attributed_where_it_was_used() -> None:
    assert "ENTSO-E" in Provenance("live", "entsoe", 2026).attribution
    assert "ENTSO-E" not in Provenance("live", "neso_n2ex", 2026).attribution
