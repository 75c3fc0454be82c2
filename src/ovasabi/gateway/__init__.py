"""The doors: HTTP today. They know status codes and headers; the rules are behind them."""
