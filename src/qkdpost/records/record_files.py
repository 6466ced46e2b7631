"""Records in files: `save` and `load`."""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, overload

import numpy as np

from qkdpost.checks import described
from qkdpost.errors import InputError
from qkdpost.records.calibration_summary import CalibrationSummary
from qkdpost.records.coherent_states import CoherentStates
from qkdpost.records.detections import Detections
from qkdpost.records.npz_arrays import read_arrays, write_arrays
from qkdpost.records.prepared import PreparedPulses
from qkdpost.records.quadrature_outcomes import QuadratureOutcomes
from qkdpost.records.record_fields import Fields
from qkdpost.records.record_forms import FORMS
from qkdpost.records.time_tags import TimeTags

__all__ = ["FORMAT", "VERSION", "SavedRecord", "load", "save"]

FORMAT = "qkdpost-record"
VERSION = 1
"""Of the form; raised when a field is added or means something else."""

SavedRecord: TypeAlias = (
    PreparedPulses | Detections | TimeTags | CoherentStates | QuadratureOutcomes | CalibrationSummary
)
_Record = TypeVar("_Record", bound=SavedRecord)
_OTHER_FILES = (
    "Other files are read by qkdpost.sifting: load_time_tags, load_own_time_tags, load_coherent_states, "
    "load_quadrature_outcomes"
)


def save(path: str | PathLike[str], record: SavedRecord) -> None:
    """Write a record to a file, from which `load` makes it again, bit for bit.

    The file is one of numpy (.npz, not compressed), which its owner alone may read: a record is as secret as the key
    that is made of it. It is written whole or not at all, and survives a power cut once this returns.

    Args:
        path: of the file, as "alice.npz"; nothing is appended to it. What stood there is replaced.
        record: of any type: `PreparedPulses`, `Detections`, `TimeTags`, `CoherentStates`, `QuadratureOutcomes`, or the
            sums of a calibration.

    Raises:
        InputError: no path, or something else than a record.
        OSError: the file cannot be written; what stood there still does.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "bob.npz")
    >>> save(path, Detections.from_outcomes([0, -1, 1], bases=[0, 0, 1]))
    >>> load(path)
    Detections(pulses=3, detections=2, double_clicks=0)
    """
    form = FORMS.get(type(record))
    if form is None:
        names = ", ".join(kind.__name__ for kind in FORMS)
        raise InputError(f"record must be one of {names}; found {described(record)}. Write save(path, record)")
    header = {"format": FORMAT, "version": VERSION, "record": type(record).__name__}
    arrays = {name: np.asarray(value) for name, value in (header | form.write(record)).items()}
    write_arrays(_path(path), arrays)


@overload
def load(path: str | PathLike[str]) -> Any: ...
@overload
def load(path: str | PathLike[str], record_type: type[_Record]) -> _Record: ...
def load(path: str | PathLike[str], record_type: type[Any] | None = None) -> Any:
    """Read a record that `save` wrote.

    Nothing in the file is believed: no object is unpickled, no array is larger than the file, checksums are compared,
    and the record checks itself as one that is made anew.

    Args:
        path: of the file.
        record_type: what it must hold, as `TimeTags`, which type checkers then know, too; None: any record.

    Returns:
        The record, of the type that was saved.

    Raises:
        InputError: the file is damaged, was not written by `save`, is of a later form, misses a field, or holds another
            type of record.
        OSError: the file is not there (`FileNotFoundError`), or cannot be read.

    >>> import qkdpost as qp
    >>> import pathlib, tempfile
    >>> alice, _ = qp.simulation.bb84(pulses=1000, rng=1)
    >>> path = pathlib.Path(tempfile.mkdtemp(), "alice.npz")
    >>> _ = qp.save(path, alice)
    >>> qp.load(path) == alice
    True
    """
    if record_type is not None and record_type not in FORMS:
        names = ", ".join(kind.__name__ for kind in FORMS)
        raise InputError(f"record_type must be one of the classes {names}; found {described(record_type)}")
    place = _path(path)
    fields = Fields(str(place), read_arrays(place))
    if "format" not in fields or (found := fields.text("format")) != FORMAT:
        raise InputError(f"{place} must be a file that qp.save wrote. {_OTHER_FILES}")
    if (version := fields.count("version")) != VERSION:
        raise InputError(f"{place} has the form {version} of {found}; this release of qkdpost reads {VERSION}")
    name = fields.text("record")
    form = next((form for kind, form in FORMS.items() if kind.__name__ == name), None)
    if form is None:
        raise InputError(f"{place} must hold a record of a known type; found {described(name)}")
    if record_type is not None and name != record_type.__name__:
        raise InputError(f"{place} must hold {record_type.__name__}; found {name}")
    try:
        record = form.read(fields)
    except InputError as error:
        raise InputError(str(error) if str(place) in str(error) else f"{place}: {error}") from None
    fields.finish()
    return record


def _path(path: str | PathLike[str]) -> Path:
    if not isinstance(path, str | PathLike) or not isinstance(os.fspath(path), str) or "\0" in os.fspath(path):
        raise InputError(f"path must be that of a file; found {described(path)}. Write save(path, record)")
    return Path(path)
