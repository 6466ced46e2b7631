"""From a link's key to an application's key: stores, relaying over trusted nodes, delivery."""

from __future__ import annotations
