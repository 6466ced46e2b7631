"""Keys for applications: assigned at the master's site, held at the slaves', released, fetched, void or expired."""

from __future__ import annotations
