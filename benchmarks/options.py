"""How the benchmarks' options are shown: the text at the top as it is written, and each option with its default."""

from __future__ import annotations

import argparse

__all__ = ["parser_of"]


class _Formatter(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """Both of argparse's own."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in (None, False, "") or "default" in (action.help or ""):
            return action.help
        return super()._get_help_string(action)


def parser_of(text: str | None) -> argparse.ArgumentParser:
    """Return a parser that shows a module's own text."""
    return argparse.ArgumentParser(description=text, formatter_class=_Formatter)
