"""Names of columns and bases: those that the library writes, and those that are taken for them."""

from __future__ import annotations

from qkdpost.errors import InputError

__all__ = ["NAMES", "known_columns", "plain_name"]

NAMES: dict[str, tuple[str, ...]] = {
    "intensity": ("mu", "mean_photon_number", "mean_photons"),
    "probability": ("intensity_probability",),
    "basis": (),
    "sent": ("pulses", "pulses_sent"),
    "detected": ("detections", "counts", "sifted", "sifted_bits"),
    "errors": ("error_counts",),
    "key_detected": ("key_counts", "key_detections", "key_bits", "sifted_key_bits"),
    "key_errors": ("key_error_counts",),
    "test_detected": ("test_counts", "test_detections", "test_bits", "sifted_test_bits"),
    "test_errors": ("test_error_counts",),
}
"""Each column, and what else it may be called; spaces, dashes and capitals do not matter. Z and X are not among them:
which of the two makes key differs from paper to paper."""
_KNOWN = {other: name for name, others in NAMES.items() for other in (name, *others)}


def plain_name(text: object) -> str:
    """Return a name in small letters, with underscores."""
    return "_".join(str(text).strip().casefold().replace("-", " ").replace("_", " ").split())


def known_columns(source: str, header: list[str]) -> dict[str, int]:
    """Return the place of each column that is known; others are left alone.

    Raises:
        InputError: two columns have one meaning.
    """
    places: dict[str, int] = {}
    for place, text in enumerate(header):
        name = _KNOWN.get(plain_name(text))
        if name is None:
            continue
        if name in places:
            raise InputError(
                f"{source}: columns {header[places[name]]!r:.40} and {text!r:.40} both mean {name}; keep one of them"
            )
        places[name] = place
    return places
