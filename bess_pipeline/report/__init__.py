"""The report of a window: one self-contained HTML page, and its P&L table as plain text.

Pure functions. What does not belong here: the numbers (`risk/`), the pictures (`figures/`) and
where the page is written (`orchestration/`).
"""
