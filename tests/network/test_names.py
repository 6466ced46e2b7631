from __future__ import annotations

import uuid

import pytest

from qkdpost.errors import InputError
from qkdpost.network.names import checked_name, key_id_bytes, key_id_text, new_key_id, pool_id


@pytest.mark.parametrize("name", ["SAE-A", "x", "urn:a/b c", "Sorø", "n" * 64])
def test_printable_names_are_kept(name: str) -> None:
    assert checked_name("name", name) == name


@pytest.mark.parametrize("name", ["", " a", "a ", "a\n", "\x00", "n" * 65, "ø" * 33, "\ud800", b"a", None, 3])
def test_what_is_no_name_is_refused(name: object) -> None:
    with pytest.raises(InputError, match="must be a name"):
        checked_name("name", name)


def test_a_pool_has_one_identifier_in_either_order_and_no_other_pair_has_it() -> None:
    assert pool_id("a", "bc") == pool_id("bc", "a") != pool_id("ab", "c")
    with pytest.raises(InputError, match="twice"):
        pool_id("a", "a")


def test_key_ids_are_random_uuids_in_lower_case() -> None:
    key_id = new_key_id()
    assert uuid.UUID(key_id_text(key_id)).version == 4
    assert key_id_bytes("key_id", key_id_text(key_id).upper()) == key_id
    assert new_key_id(lambda count: b"\xff" * count).hex() == "ffffffffffff4fffbfffffffffffffff"


@pytest.mark.parametrize("text", ["", "0" * 32, "{00000000-0000-4000-8000-000000000000}", b"0" * 36, "g" * 36])
def test_other_forms_of_key_ids_are_refused(text: object) -> None:
    with pytest.raises(InputError, match="must be a UUID"):
        key_id_bytes("key_id", text)
