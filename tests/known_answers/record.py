"""Write the known answers anew, from the slow twins.

    python -m tests.known_answers.record

Wanted where a case is added. Answers of a case that stays never change: they are definitions.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

from known_answers import twins  # noqa: E402

PATH = TESTS.parent / "src" / "qkdpost" / "known_answers" / "answers.json"
ORIGIN = (
    "Made by tests/known_answers/twins.py: slow programs that follow the definitions and share no code with the "
    "kernels. Inputs follow from their names by SHAKE256 (inputs.py). A text is 16 digits of BLAKE2b of the result."
)


def text_of(answers: dict[str, twins.Answers]) -> str:
    """Return what the file must hold."""
    families = (f"    {json.dumps(name)}: {_laid_out(known)}" for name, known in answers.items())
    return f'{{\n  "origin": {json.dumps(ORIGIN)},\n  "answers": {{\n' + ",\n".join(families) + "\n  }\n}\n"


def _laid_out(known: twins.Answers) -> str:
    rows = (f"      {json.dumps(case)}: {json.dumps(_short(answer))}" for case, answer in known.items())
    return "{\n" + ",\n".join(rows) + "\n    }"


def _short(answer: object) -> object:
    return [float(f"{number:.9g}") for number in answer] if isinstance(answer, list) else answer


def main() -> None:
    """Write the file."""
    PATH.write_text(text_of({name: twin() for name, twin in twins.TWINS.items()}), encoding="utf-8")


if __name__ == "__main__":
    main()
