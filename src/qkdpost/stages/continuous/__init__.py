"""Stages of kinds whose outcomes are continuous: symbols are sent, quadratures measured, and Bob's string is kept.

In order: `disclosure` (what both need to set correction up), `correction` (frame by frame, in batches), `estimation`
(sums over all symbols, when the corrector knows all outcomes), `verification` (one hash over all, then the bound).
"""
