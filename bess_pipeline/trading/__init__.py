"""What is known when, the plans made from it, their dispatch and their cash.

Pure functions on frames. What does not belong here: prices' sources (`sources/`), the solver
(`optimisation/`), the battery's physics (`battery/`) and reading or writing tables (`orchestration/`).
"""
