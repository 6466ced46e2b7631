"""Loaded once, by the process from which all others of the network example are forked.

To import numpy, scipy and numba takes longer than to distil a small block, and to load the compiled kernels takes as
long again. With fifteen processes on two cores that would be most of the time that the example takes.
"""

from __future__ import annotations

import network_key_manager
import network_links
import network_records
import qkdpost as qp

LOADED = (network_key_manager, network_links, network_records, qp.Session, qp.transport.asyncio)
qp.warmup()
