from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qkdpost as qp
from qkdpost.campaigns.plain_values import canonical_json, plain_value

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_plain_values_stay_as_they_are(value: Any) -> None:
    assert plain_value("value", value) == value


@given(JSON, JSON)
def test_values_have_one_text_if_and_only_if_they_are_alike(left: Any, right: Any) -> None:
    alike = repr(_sorted(left)) == repr(_sorted(right))
    assert (canonical_json(left) == canonical_json(right)) == alike


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return [_sorted(entry) for entry in value] if isinstance(value, list) else value


def test_settings_become_their_fields_and_class() -> None:
    link = qp.LinkConfig(protocol=qp.BB84(), correction=qp.Ldpc())
    found: Any = plain_value("link", link)
    assert found["protocol"]["tag"] == "bb84"
    assert found["correction"]["type"] == "qkdpost.reconciliation.settings.Ldpc"
    other: Any = plain_value("link", qp.LinkConfig(protocol=qp.BB84(), correction=qp.Cascade()))
    assert canonical_json(found) != canonical_json(other)


def test_links_of_planning_and_paths() -> None:
    found: Any = plain_value("link", qp.planning.DecoyBB84Link())
    assert found["fibre"]["type"].endswith("Fibre")
    assert plain_value("path", Path("a/b")) == str(Path("a/b"))


@pytest.mark.parametrize(
    "value",
    [np.zeros(2), {1, 2}, object(), float("nan"), float("inf"), b"bytes", {1: 2}, [[np.float32(1)]]],
    ids=["array", "set", "object", "nan", "infinity", "bytes", "number for a key", "scalar of numpy"],
)
def test_others_are_refused(value: Any) -> None:
    with pytest.raises(qp.InputError, match=r"argument"):
        plain_value("argument", value)


def test_what_holds_itself_is_refused() -> None:
    ring: list[Any] = []
    ring.append(ring)
    with pytest.raises(qp.InputError, match="deep"):
        plain_value("argument", ring)
