"""Names of streams and gates as readers see them.

What belongs here: words. What does not: the streams themselves (`forecasting/streams.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

from bess_pipeline.figures.provenance import Provenance
from bess_pipeline.forecasting import streams

ENERGY_PRICES = ("day_ahead", "system_price", "market_index")
_KNOWN = {
    one.name: one
    for one in (
        streams.day_ahead(60),
        streams.SYSTEM_PRICE,
        streams.NET_IMBALANCE,
        streams.MARKET_INDEX,
        *streams.RESPONSE.values(),
        *streams.ACTIVATION.values(),
    )
}
_SHORT = {"day_ahead": "day-ahead", "market_index": "market index", "net_imbalance_volume": "NIV"}
_ORDER = {name: place for place, name in enumerate(_KNOWN)}


def short(name: str) -> str:
    """A stream in two words at most: "system price", "DCL price", "DRL energy"."""
    for prefix, word in (("response_", "price"), ("activation_", "energy")):
        if name.startswith(prefix):
            return f"{name.removeprefix(prefix)} {word}"
    return _SHORT.get(name, name.replace("_", " "))


def with_unit(name: str, provenance: Provenance) -> str:
    """A stream with its unit, the day-ahead price by its source."""
    stream = _KNOWN.get(name)
    label = provenance.day_ahead_label if name == "day_ahead" else stream.label if stream else name.replace("_", " ")
    unit = stream.unit.replace("GBP", "£") if stream else ""
    return f"{label[:1].upper()}{label[1:]}, {unit}" if unit else label


def in_order(names: Iterable[str]) -> list[str]:
    """Streams as readers expect them: energy prices, response prices, activation; unknown ones last, by name."""
    return sorted((str(name) for name in names), key=lambda name: (_ORDER.get(name, len(_ORDER)), name))


def gate_label(gate: str) -> str:
    """A gate in words: "day-ahead gate"."""
    return f"{gate.replace('_', '-')} gate"
