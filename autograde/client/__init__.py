"""The checks' side of the border: proxies of a submission, and the remote procedure calls behind them."""
