"""What the results leave out or assume, and what others report, wherever they could be compared with public indices.

What belongs here: these sentences, and peers' figures with their periods and rules. What does not: our own numbers.
"""

from __future__ import annotations

from collections.abc import Iterable

from bess_pipeline.battery_settings import BatterySettings
from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.figures.style import is_optimistic, strategy_label
from bess_pipeline.report.sections import Section, TextTable
from bess_pipeline.settings import Settings
from bess_pipeline.trading import market_strategies

# Domain reference 9. Definitions differ: indices are net revenue over rated MW of real units, studies are simulations.
PEERS = (
    ("index of GB batteries, realised", "2023", "about 65", "", "from 2023 on capacity active on the day"),
    ("index of GB batteries, realised", "first quarter of 2024", "39", "", "Capacity Market may be included"),
    ("index of GB batteries, realised", "2025, by month", "59 to 77", "", "Capacity Market may be included"),
    ("index of GB batteries of 2 h", "12 months to April 2026", "about 73", "", "Capacity Market may be included"),
    ("study, 50 MW and 2 h, all markets", "2021 to 2026", "95.9", "80.9%", "forecasts; perfect foresight 118.5"),
    ("the same, naive forecasts", "2021 to 2026", "92.7", "78.2%", "the same, without a model"),
    ("the same, energy alone", "2021 to 2026", "", "37.9% to 50.1%", "naive to best forecasts"),
    ("another GB study, energy alone", "not stated", "", "60% to 63%", "mixed-integer plan on forecasts"),
)
NO_ACTIVATION = "none"  # of plans without services, beside which others may assume some
PEER_COLUMNS = ("whose", "period", "£k/MW/year", "capture", "rules")


def optimistic(strategies: Iterable[str], provenance: Provenance) -> list[str]:
    """Those of the strategies that profit from a within-day index standing in for the day-ahead price."""
    return [name for name in strategies if is_optimistic(name, provenance)]


def not_included(
    settings: Settings, provenance: Provenance, strategies: Iterable[str], activation: Iterable[str]
) -> list[str]:
    """Sentences, the weightiest first.

    strategies: those of the results; activation: the words of their plans on where the energy of services comes from.
    """
    traded = set(strategies)
    found = []
    if provenance.stands_in:
        marked = ", ".join(strategy_label(name) for name in optimistic(sorted(traded), provenance))
        found.append(
            "The market index stands in for the day-ahead price. It is known only after trading, so trading at it is "
            "optimistic, most of all for strategies that use within-day information"
            + (f": {marked}, marked optimistic." if marked else ".")
        )
    found.append(_acceptances(settings))
    found += _costs(settings)
    if not traded & set(market_strategies.NAMES):
        found.append("Response, reserve and intraday trades: no strategy that makes them was run in this window.")
    elif provenance.stands_in or not settings.intraday.enabled:
        found.append("Intraday trades are off.")
    told = set(activation)
    found += [f"Energy that services move: {words}." for words in sorted(told - {NO_ACTIVATION} or told)]
    return [*found, _wear(settings.battery)]


def comparison(sentences: list[str]) -> Section:
    """What is left out, with peers' figures beside it as context."""
    return Section(
        title="Not included, and what others report",
        lead="What these results leave out or assume; public battery indices include some of it, so they are not "
        "comparable with the figures above.",
        items=sentences,
        tables=[
            TextTable(PEER_COLUMNS, PEERS, title="Context only: other units, other periods, other rules", words=True)
        ],
        note="Indices: net revenue of real units over their rated MW, published by Modo Energy. Studies: simulations "
        "of others on GB prices. None of these numbers is of the days, prices or rules of this report.",
    )


def _acceptances(settings: Settings) -> str:
    own = settings.balancing_mechanism
    if not own.enabled:
        return "Acceptances in the Balancing Mechanism are not included."
    return (
        f"Acceptances in the Balancing Mechanism are replayed under assumptions (offer at £"
        f"{own.offer_price_gbp_mwh:g}, bid at £{own.bid_price_gbp_mwh:g} per MWh, {own.skip_rate:.0%} passed over): "
        "results with them compare with no bound and no index."
    )


def _costs(settings: Settings) -> list[str]:
    costs = settings.costs
    zero = {
        "exchange fees": costs.day_ahead_fee_gbp_per_mwh == costs.intraday_fee_gbp_per_mwh == 0.0,
        "clearing fees": costs.clearing_fee_gbp_per_mwh == 0.0,
        "network charges": costs.network_import_gbp_per_mwh == costs.network_export_gbp_per_mwh == 0.0,
        "supplier's charges": costs.supplier_import_gbp_per_mwh == costs.supplier_gbp_per_day == 0.0,
        "the optimiser's share": costs.optimiser_share == 0.0,
    }
    names = [name for name, is_zero in zero.items() if is_zero]
    found = [f"At zero, because no level of them is public: {', '.join(names)}."] if names else []
    if costs.capacity_market_gbp_per_mw_year == 0.0:
        found.insert(0, "Capacity Market payments are not included.")
    return found


def _wear(battery: BatterySettings) -> str:
    return (
        f"Wear of £{battery.degradation_cost_gbp_per_mwh:g} per MWh charged and discharged is a choice of the "
        "settings, and no cash."
    )
