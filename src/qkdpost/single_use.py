"""What is used once, and so must not be there twice: pads, hash keys, records, and whatever holds them."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

from qkdpost.errors import LocalProtocolError

__all__ = ["SingleUse"]


class SingleUse:
    """An object that refuses `copy.copy`, `copy.deepcopy` and `pickle`, and so `multiprocessing` with "spawn".

    A copy would use a pad, a key or a record a second time: two messages under one pad disclose the hash key, and with
    it the authentication of all that follows. `instead` says what to do in place of a copy.
    """

    __slots__ = ()

    instead: ClassVar[str] = "make it anew where it is wanted"

    def __copy__(self) -> NoReturn:
        raise self._refusal()

    def __deepcopy__(self, memo: dict[int, Any]) -> NoReturn:
        raise self._refusal()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise self._refusal()

    def __reduce__(self) -> NoReturn:
        raise self._refusal()

    def _refusal(self) -> LocalProtocolError:
        return LocalProtocolError(
            f"a {type(self).__name__} cannot be copied, pickled or sent to another process: the copy would use its "
            f"keys, pads or records a second time; {self.instead}"
        )
