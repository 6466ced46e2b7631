"""A key and its report in five lines, with records of your own in place of the simulated ones."""

from __future__ import annotations

import numpy as np

import qkdpost as qp

link = qp.LinkConfig(protocol=qp.BB84(), security=qp.Security(epsilon=1e-10))
alice, bob = qp.simulation.bb84(pulses=5_000_000, fibre_km=20, rng=np.random.default_rng(1))
result = qp.distill(alice, bob, link)
print(result.report)
print(result.key)
