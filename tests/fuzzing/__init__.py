"""Targets for coverage-guided fuzzing, which also run on any bytes without a fuzzer.

A target takes bytes and raises only where something is wrong. `python -m tests.fuzzing.run TARGET --seconds N` feeds it
by atheris (`pip install -e '.[fuzz]'`), or by plain mutations where that is not installed; what atheris keeps goes to
`corpus/TARGET` with `--keep`. The tests in this folder run the stored corpus.
"""
