"""What is wrong with a text file, in words."""

from __future__ import annotations

from qkdpost._kernels.sifting import tag_text
from qkdpost.errors import InputError
from qkdpost.sifting.tag_files.text_layout import TextLayout

__all__ = ["fault_in_words", "refuse_binary"]

_SEPARATORS = {b",": "','", b";": "';'", b"\t": r"'\t'", b"|": "'|'"}
_KNOWN_BINARIES = {
    b"PQTTTR": "a PicoQuant file: give file_format='picoquant-t2'",
    b"\x93NUMPY": "a numpy array: give file_format='numpy'",
    b"PK\x03\x04": "a zip archive; if of numpy arrays, give file_format='numpy'",
    b"\x89HDF": "HDF5: write ticks and channels to a text or .npz file first",
    b"\xff\xfe": "UTF-16: save it as ASCII or UTF-8",
    b"\xfe\xff": "UTF-16: save it as ASCII or UTF-8",
}


def refuse_binary(path: str, start: bytes) -> None:
    """Refuse a file that begins as no text does.

    Raises:
        InputError: it is a binary file; the message says which, where it is a known one.
    """
    for mark, words in _KNOWN_BINARIES.items():
        if start.startswith(mark):
            raise InputError(f"{path} is no text but {words}")
    if b"\0" in start:
        raise InputError(
            f"{path} is a binary file: name its file_format, or write its clicks to a text or .npz file first"
        )


def fault_in_words(path: str, fault: int, line: bytes, number: int, layout: TextLayout) -> str:
    """Say what is wrong with a line, and what to do; not what it holds, which is somebody's outcome."""
    in_time, kind = divmod(fault, tag_text.IN_TIME)
    channel, time = (0, 1) if layout.columns is None else layout.columns
    place = f"line {number}, column {(time if in_time else channel) + 1}"
    what = {
        tag_text.FEW_COLUMNS: f"line {number} has no column {max(channel, time) + 1}",
        tag_text.MANY_COLUMNS: f"line {number} has more than two columns: say by columns=(0, 1) which to read",
        tag_text.BAD_NUMBER: f"{place}, must be a number in ASCII digits",
        tag_text.BAD_NAME: f"{place}, must be the name of a detector, up to 8 ASCII letters",
        tag_text.OUT_OF_RANGE: f"{place}, must be less than 2^63; take off a common number",
        tag_text.NOT_WHOLE: f"{place}, must be whole"
        + ("; if times are in seconds, say so by time_unit='s'" if in_time else ""),
        tag_text.ROUNDED: f"{place}, is rounded: its last places were not written",
    }[kind]
    return f"{path}: {what}{_hint(kind, bool(in_time), line, number, layout)}"


def _hint(kind: int, in_time: bool, line: bytes, number: int, layout: TextLayout) -> str:
    if not line.isascii() or any(byte < 32 and byte not in b"\t\r" for byte in line):
        return (
            ". The line holds other bytes than ASCII text: is it a binary file, or a header? header_lines= skips lines"
        )
    own = chr(layout.separator).encode() if layout.separator else b""
    found = [words for sign, words in _SEPARATORS.items() if sign in line and sign != own]
    if kind == tag_text.ROUNDED:
        return ". Write whole numbers, as np.savetxt(..., fmt='%d') does"
    if found and (layout.separator or found != [r"'\t'"]):
        return f". The line holds {' and '.join(found)}: give delimiter={found[0]}" + (
            "; header_lines= skips a header" if number == layout.header_lines + 1 else ""
        )
    letters = any(chr(byte).isalpha() and chr(byte) not in "eE" for byte in line)
    if number == layout.header_lines + 1 and letters and not layout.by_name:
        return ". Letters: header_lines=1 skips a header; name detectors by detectors= or alice=, bob=, as ('H', ...)"
    if (kind == tag_text.NOT_WHOLE and not in_time) or (kind == tag_text.BAD_NUMBER and in_time and layout.by_name):
        seconds = ", and time_unit='s' reads times in seconds" if b"." in line else ""
        return f". Are the columns exchanged? columns=(1, 0) takes the detector from the second{seconds}"
    return ""
