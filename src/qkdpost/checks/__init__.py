"""What a caller hands in, made into plain Python or refused: the one place where arguments are checked.

Whoever calls one of these functions keeps what it returns and forgets what it was given: fixed-width numbers of numpy
wrap when they are added, floats are not whole, and an array may change later. No message shows the content of an
array, which may be key.
"""

from qkdpost.checks.names import RegisteredName
from qkdpost.checks.orders import increasing
from qkdpost.checks.reals import real_array
from qkdpost.checks.scalars import (
    MAX_COUNT,
    byte_string,
    choice,
    described,
    flag,
    instance,
    listed,
    numbers,
    real_number,
    whole_number,
    whole_numbers,
    whole_real,
)
from qkdpost.checks.settings import Settings
from qkdpost.checks.structs import keep
from qkdpost.checks.vectors import bit_vector, entries_and_gaps, integer_vector, small_integers, small_vector

__all__ = [
    "MAX_COUNT",
    "RegisteredName",
    "Settings",
    "bit_vector",
    "byte_string",
    "choice",
    "described",
    "entries_and_gaps",
    "flag",
    "increasing",
    "instance",
    "integer_vector",
    "keep",
    "listed",
    "numbers",
    "real_array",
    "real_number",
    "small_integers",
    "small_vector",
    "whole_number",
    "whole_numbers",
    "whole_real",
]
