"""Sums of continuous outcomes, and limits on the variances and gains behind them."""
