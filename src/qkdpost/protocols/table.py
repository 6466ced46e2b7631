"""The table of the kinds of QKD; a kind from outside the package is one more row."""

from __future__ import annotations

from typing import Any

from qkdpost.checks import described
from qkdpost.errors import ConfigurationError
from qkdpost.protocols import bb84, bbm92, bbm92_time_tags, decoy_bb84, gaussian_cv, single_photon_bb84
from qkdpost.protocols.protocol import Protocol, ProtocolSettings

__all__ = ["PROTOCOLS", "protocol_of"]

PROTOCOLS: dict[str, Protocol[Any, Any, Any]] = {
    "bb84": bb84.PROTOCOL,
    "bbm92": bbm92.PROTOCOL,
    "bbm92-time-tags": bbm92_time_tags.PROTOCOL,
    "decoy-bb84": decoy_bb84.PROTOCOL,
    "single-photon-bb84": single_photon_bb84.PROTOCOL,
    "gaussian-cv": gaussian_cv.PROTOCOL,
}
"""Each kind by the name that its settings have as their tag; register a kind of your own before you build its link."""


def protocol_of(settings: ProtocolSettings) -> Protocol[Any, Any, Any]:
    """Return the row of the kind that these are the settings of.

    Raises:
        ConfigurationError: no kind is registered under the name, or one with other settings.
    """
    known = PROTOCOLS.get(settings.kind)
    if known is None or type(settings) is not known.settings:
        raise ConfigurationError(
            f"protocol must be the settings of a kind in PROTOCOLS, {', '.join(PROTOCOLS)}; "
            f"found {described(settings)} of kind {settings.kind!r}"
        )
    return known
