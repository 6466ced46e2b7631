"""Names of what was added from outside the package."""

from __future__ import annotations

from typing import NewType

__all__ = ["RegisteredName"]

RegisteredName = NewType("RegisteredName", str)
"""The name of a decoder, a method of correction or a bound that was registered by its user.

Arguments that choose among what the package has take no other string, as far as a type checker can tell, so that it
finds a slip of the pen. A name that it cannot know is marked: ``Ldpc(decoder=RegisteredName("mine"))``. At run time it
is the string itself.
"""
