"""Bodies of requests: JSON as RFC 8259 has it, read in one way alone.

Two readers of one text may understand different things where members repeat, numbers are no numbers, or something
follows the value. Here each such text is refused.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec

from qkdpost.network.etsi014.exchange import RefusedRequest

__all__ = ["check_form", "read"]

MAX_INTEGER_DIGITS = 20
MAX_MESSAGE_CHARACTERS = 200

_Body = TypeVar("_Body", bound=msgspec.Struct)


def check_form(body: bytes) -> None:
    """Refuse what is no JSON text in UTF-8, or one in which an object names a member twice.

    Raises:
        RefusedRequest: 400.
    """
    if body == b"{}":
        return
    try:
        json.loads(
            str(body, "utf-8"),
            object_pairs_hook=_members,
            parse_constant=_refuse_constant,
            parse_int=_integer,
        )
    except RecursionError:
        raise RefusedRequest(400, "the body is nested too deeply") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise RefusedRequest(400, shortened(f"the body shall be JSON (RFC 8259): {error}")) from None


def read(decoder: msgspec.json.Decoder[_Body], body: bytes) -> _Body:
    """Return what a body says whose form was checked; an integer is a JSON integer, and unknown items are refused.

    Raises:
        RefusedRequest: 400, with the item that has another type.
    """
    try:
        return decoder.decode(body)
    except RecursionError:
        raise RefusedRequest(400, "the body is nested too deeply") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise RefusedRequest(400, shortened(f"bad request format: {error}")) from None


def shortened(text: str) -> str:
    """Return a message that quotes a request, cut where the quotation is long."""
    return text if len(text) <= MAX_MESSAGE_CHARACTERS else text[:MAX_MESSAGE_CHARACTERS] + "..."


def _members(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("an object names a member twice")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _integer(digits: str) -> int:
    if len(digits) > MAX_INTEGER_DIGITS:
        raise ValueError(f"an integer has more than {MAX_INTEGER_DIGITS} digits")
    return 0
