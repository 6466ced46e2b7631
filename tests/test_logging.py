"""Logging: silent until a host sets it up."""

from __future__ import annotations

import subprocess
import sys


def test_a_host_that_has_not_set_up_logging_hears_nothing() -> None:
    code = "import logging, qkdpost; logging.getLogger('qkdpost.session').warning('nobody listens')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == done.stderr == ""
