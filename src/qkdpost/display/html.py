"""Tables in HTML, every word of them escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

__all__ = ["html_table"]


def html_table(title: str, rows: Iterable[tuple[str, str]], *, more: str = "") -> str:
    """Return a table of two columns with a caption; nothing of what it is given is taken for HTML.

    Args:
        title: the caption.
        rows: name and value of each line, as text.
        more: text that is shown below when it is asked for; none if empty.

    >>> html_table("x < y", [("bits", "1,000")])
    '<table><caption>x &lt; y</caption><tr><th style="text-align:left">bits</th><td>1,000</td></tr></table>'
    """
    lines = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in rows
    )
    details = f"<details><summary>all of it</summary><pre>{escape(more)}</pre></details>" if more else ""
    return f"<table><caption>{escape(title)}</caption>{lines}</table>{details}"
