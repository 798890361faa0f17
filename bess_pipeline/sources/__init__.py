"""Clients of the data providers: `fetch_*` returns the bytes as they came, `parse_*` makes a table of them.

What belongs here: HTTP, wire formats and their traps. What does not: keeping answers
(`ingestion/vault.py`), deciding whether a day is complete (`ingestion/datasets.py`) and the
servers that imitate the providers (`sample_market/`).
"""
