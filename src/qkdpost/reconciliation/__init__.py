"""Error correction between two hosts: equal strings, at a counted price."""

from __future__ import annotations

from qkdpost.reconciliation.cascade.conversation import CascadeOutcome, run_cascade
from qkdpost.reconciliation.cascade.parameters import PARAMETER_SETS, CascadeParameters, parameters_for
from qkdpost.reconciliation.in_process import Reconciled, reconcile
from qkdpost.reconciliation.method import METHODS, CorrectionMethod

__all__ = [
    "METHODS",
    "PARAMETER_SETS",
    "CascadeOutcome",
    "CascadeParameters",
    "CorrectionMethod",
    "Reconciled",
    "parameters_for",
    "reconcile",
    "run_cascade",
]
