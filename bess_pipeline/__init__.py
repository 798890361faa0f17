"""A quantitative, risk-aware digital twin of a battery trading in Great Britain.

Importing this package has no side effect. The asset graph is in `bess_pipeline.definitions`,
the command line in `bess_pipeline.cli`; everything else is domain code without Dagster.
"""

__version__ = "0.1.0"
