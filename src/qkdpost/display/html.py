"""Tables in HTML, every word of them escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

__all__ = ["html_table"]

_STYLE = "text-align:left;white-space:nowrap"


def html_table(title: str, rows: Iterable[tuple[str, str]], *, more: str = "", summary: str = "all of it") -> str:
    """Return a table of two columns with a caption; nothing of what it is given is taken for HTML.

    Args:
        title: the caption.
        rows: name and value of each line, as text.
        more: text that is shown below when it is asked for; none if empty.
        summary: what it is called there.

    >>> html_table("x < y", [])
    '<table><caption>x &lt; y</caption></table>'
    """
    lines = "".join(
        f'<tr><th style="{_STYLE}">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in rows
    )
    details = f"<details><summary>{escape(summary)}</summary><pre>{escape(more)}</pre></details>" if more else ""
    return f"<table><caption>{escape(title)}</caption>{lines}</table>{details}"
