"""Mathematics that bounds rest on: tails, intervals, entropies; it knows no protocol."""
