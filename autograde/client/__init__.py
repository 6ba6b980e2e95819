"""The checks' side of the border: proxies of a submission, and the conversation behind them."""
