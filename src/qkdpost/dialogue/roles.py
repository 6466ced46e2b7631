"""The two hosts of a link."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["ROLES", "Role"]

Role: TypeAlias = Literal["alice", "bob"]
ROLES: tuple[Role, Role] = ("alice", "bob")
