"""One plan for many scenarios: day-ahead volume and response first, dispatch in each scenario after.

What belongs here: the two-stage programme, its risk measure in the objective, its solvers and what its optimum says
(docs/stochastic.md). What does not: where scenarios come from (`scenarios/`), service rules (`ancillary/`), orders,
and the evaluation of a plan by the policy that knows no future (`trading/`).
"""
