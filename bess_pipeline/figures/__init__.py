"""Figures of the pipeline, each a function from frames to a matplotlib `Figure`.

No pyplot and no global state. What does not belong here: the numbers shown (`risk/`, `trading/`) and
where files go (`orchestration/`).
"""
