"""The sample market: a seeded GB-like market, and a server that speaks the three providers' wire formats.

What belongs here: simulating prices and frequency, recorded tables read for replay, and serving
either over HTTP as Elexon, NESO and ENTSO-E would. What does not: reading any of it back
(`sources/`), storing it (`ingestion/`) and deciding anything from it (`trading/`).
"""

from bess_pipeline.sample_market.faults import Fault
from bess_pipeline.sample_market.server import MarketServer
from bess_pipeline.sample_market.simulate import simulate
from bess_pipeline.sample_market.tables import MarketTables, load_tables

__all__ = ["Fault", "MarketServer", "MarketTables", "load_tables", "simulate"]
