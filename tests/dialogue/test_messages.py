"""The bounds of every field of every message: what lies outside is refused when it is decoded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from qkdpost.dialogue.messages import AbortReason, Message
from qkdpost.errors import RemoteProtocolError
from qkdpost.session.codec import decode
from reference import messagepack
from vectors.messages import SAMPLES, all_types, packed

BY_TYPE = {type(message): message for message in SAMPLES}


def payload(message: Message) -> list[Any]:
    """The array of a message, as another MessagePack reads it."""
    array: list[Any] = msgspec.msgpack.decode(packed(message)[4:])
    return array


def refused(array: list[Any]) -> bool:
    try:
        decode(messagepack.frame(messagepack.pack(array)))
    except RemoteProtocolError:
        return True
    return False


def outside(kind: Any) -> Iterator[object]:
    """Values beyond each bound that a type states."""
    inspect = msgspec.inspect
    match kind:
        case inspect.IntType():
            yield from () if kind.ge is None else (kind.ge - 1,)
            yield from () if kind.le is None else (kind.le + 1,)
            yield "1"
        case inspect.FloatType():
            yield from () if kind.ge is None else (kind.ge - max(1.0, abs(kind.ge)),)
            yield from () if kind.le is None else (kind.le * 2.0,)
            yield float("nan")
        case inspect.BytesType():
            yield from () if not kind.min_length else (bytes(kind.min_length - 1),)
            yield from () if kind.max_length is None else (bytes(kind.max_length + 1),)
            yield 1
        case inspect.StrType():
            yield from () if kind.max_length is None else ("x" * (kind.max_length + 1),)
        case inspect.BoolType():
            yield 1
        case inspect.EnumType():
            yield max(AbortReason) + 1
            yield 0
        case _:
            yield from outside_of_nested(kind)


def outside_of_nested(kind: Any) -> Iterator[object]:
    inspect = msgspec.inspect
    match kind:
        case inspect.VarTupleType():
            yield [next(inside(kind.item_type))] * (kind.max_length + 1)
            for value in outside(kind.item_type):
                yield [value]
        case inspect.TupleType():
            good = [next(inside(item)) for item in kind.item_types]
            yield good[:-1]
            yield [*good, good[-1]]
            for place, item in enumerate(kind.item_types):
                for value in outside(item):
                    yield [*good[:place], value, *good[place + 1 :]]
        case inspect.DictType():
            yield {f"name {number}": "" for number in range(kind.max_length + 1)}
            yield {"x" * (kind.key_type.max_length + 1): ""}
            yield {"name": "x" * (kind.value_type.max_length + 1)}
        case inspect.UnionType():
            yield from (value for member in kind.types for value in outside(member) if value is not None)
        case inspect.StructType():
            good = [next(inside(item.type)) for item in kind.fields]
            for place, item in enumerate(kind.fields):
                for value in outside(item.type):
                    yield [*good[:place], value, *good[place + 1 :]]


def inside(kind: Any) -> Iterator[object]:
    match kind:
        case msgspec.inspect.IntType():
            yield max(kind.ge or 0, 0)
        case msgspec.inspect.FloatType():
            yield max(kind.ge or 0.0, 0.0)
        case msgspec.inspect.BytesType():
            yield bytes(kind.min_length or 0)
        case msgspec.inspect.StrType():
            yield ""
        case msgspec.inspect.StructType():
            yield [next(inside(item.type)) for item in kind.fields]


FIELDS = [
    pytest.param(kind, place, item.type, id=f"{kind.__name__}.{item.name}")
    for kind in all_types()
    for place, item in enumerate(msgspec.inspect.type_info(kind).fields, start=1)  # type: ignore[union-attr]
]


@pytest.mark.parametrize(("kind", "place", "field"), FIELDS)
def test_what_lies_outside_a_bound_is_refused(kind: type[Message], place: int, field: Any) -> None:
    array = payload(BY_TYPE[kind])
    beyond = list(outside(field))
    assert beyond, "a field without a bound"
    for value in beyond:
        assert refused([*array[:place], value, *array[place + 1 :]]), f"{value!r:.80} was taken"


@pytest.mark.parametrize("kind", all_types(), ids=lambda kind: kind.__name__)
def test_every_field_is_needed(kind: type[Message]) -> None:
    """A greeting alone may lack its last fields, as one of an older release does, so that this can be said."""
    array = payload(BY_TYPE[kind])
    assert not refused(array)
    fields: Any = msgspec.inspect.type_info(kind)
    needed = sum(field.required for field in fields.fields)
    assert needed == len(fields.fields) or kind.__name__ == "Hello"
    if needed:
        assert refused(array[:needed])


def test_a_number_that_stands_for_no_type_is_refused() -> None:
    known = {kind.__struct_config__.tag for kind in all_types()}
    for tag in (max(known) + 1, -1, 2**40):
        assert refused([tag])


@pytest.mark.parametrize("value", [[], {}, None, 1, "text", b"bytes", [[0]], [1.0], [True]])
def test_what_is_no_array_with_a_number_is_refused(value: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(messagepack.frame(messagepack.pack(value)))


def test_messages_are_frozen() -> None:
    for message in SAMPLES:
        for name in message.__struct_fields__:
            with pytest.raises(AttributeError):
                setattr(message, name, 0)
