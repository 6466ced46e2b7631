"""Extensions of a request for keys (clause 6.2): what an application may demand of how its key came about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qkdpost.checks import choice, real_number, whole_number
from qkdpost.errors import InputError
from qkdpost.network.etsi014.bodies import Extensions
from qkdpost.network.etsi014.exchange import RefusedRequest
from qkdpost.network.etsi014.strict_json import shortened
from qkdpost.network.policy import KeyRequirements

__all__ = ["KNOWN", "UNMET", "UNSUPPORTED", "mandatory_requirements", "with_optional"]

UNSUPPORTED = "not all extension_mandatory parameters are supported"
UNMET = "not all extension_mandatory request options could be met"

ROUTE_TYPES = ("direct", "indirect")
MAX_DISJOINT_PATHS = 8
MAX_AGE_SECONDS = 1e9


def _route_type(name: str, value: object) -> str:
    return choice(name, value, ROUTE_TYPES)


def _epsilon(name: str, value: object) -> float:
    return real_number(name, value, above=0.0, most=1.0)


def _age(name: str, value: object) -> float:
    return real_number(name, value, above=0.0, most=MAX_AGE_SECONDS)


def _paths(name: str, value: object) -> int:
    return whole_number(name, value, least=1, most=MAX_DISJOINT_PATHS)


KNOWN: dict[str, tuple[str, Callable[[str, object], Any]]] = {
    "qkdpost_route_type": ("route_type", _route_type),
    "qkdpost_max_epsilon": ("max_epsilon", _epsilon),
    "qkdpost_max_age_seconds": ("max_age_seconds", _age),
    "qkdpost_disjoint_paths": ("disjoint_paths", _paths),
}
"""Names that are understood, in either list: the requirement that each sets, and how its value is read.

- `qkdpost_route_type`: "direct" for key of one link alone, "indirect" for relayed key alone.
- `qkdpost_max_epsilon`: the farthest that the key may be from an ideal one, as `key_extension` tells it.
- `qkdpost_max_age_seconds`: how long ago its material may have been distilled.
- `qkdpost_disjoint_paths`: over how many paths without a common node it was relayed at least.
"""


def mandatory_requirements(extensions: Extensions) -> KeyRequirements:
    """Return what a list of mandatory extensions demands.

    Raises:
        RefusedRequest: 400 with the prescribed message, if one is not known; 400 too for a value of another type.
    """
    unsupported = [name for extension in extensions for name in extension if name not in KNOWN]
    if unsupported:
        details: list[Mapping[str, Any]] = [
            {"extension_mandatory_unsupported": shortened(f"{name} is not supported")} for name in unsupported
        ]
        raise RefusedRequest(400, UNSUPPORTED, details)
    return KeyRequirements(**_values(extensions))


def with_optional(mandatory: Extensions, optional: Extensions) -> KeyRequirements | None:
    """Return what both lists demand together; None where the optional ones add nothing.

    Raises:
        RefusedRequest: 400, for a value of another type, or a name in both lists.
    """
    known = [{name: value for name, value in extension.items() if name in KNOWN} for extension in optional]
    if not any(known):
        return None
    return KeyRequirements(**_values([*mandatory, *known]))


def _values(extensions: Extensions) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for extension in extensions:
        for name, value in extension.items():
            requirement, reader = KNOWN[name]
            if requirement in values:
                raise RefusedRequest(400, f"{name} is named twice")
            try:
                values[requirement] = reader(name, value)
            except InputError as error:
                raise RefusedRequest(400, shortened(str(error))) from None
    return values
