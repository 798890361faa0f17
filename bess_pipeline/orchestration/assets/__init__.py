"""The assets, one module per layer: raw, market, trading, risk, publish."""
