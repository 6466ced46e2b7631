"""Key for two sites that no link joins: routes over trusted nodes, transfers along them, and who is served next."""

from __future__ import annotations
