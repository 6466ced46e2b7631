"""What both hosts of a link must agree on: composed of the rooms' settings, compared field by field in the greeting."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache

import msgspec

from qkdpost.blocks import Blocks
from qkdpost.checks import Settings, described, instance, keep
from qkdpost.config_files import decoded, plain, read_json, read_toml, write_json, write_toml
from qkdpost.errors import ConfigurationError
from qkdpost.health.limits import RecordLimits
from qkdpost.protocols.protocol import ProtocolSettings
from qkdpost.protocols.table import protocol_of
from qkdpost.reconciliation.method import METHODS
from qkdpost.reconciliation.settings import CorrectionSettings, KindsOwn
from qkdpost.security.settings import VARIABLE_LENGTH, Security

__all__ = ["LinkConfig"]

MAX_FIELDS = 63
"""Fields that the greeting can carry, besides the installed codes."""
MAX_NAME_CHARACTERS = 64
MAX_VALUE_CHARACTERS = 256


class LinkConfig(Settings, frozen=True, kw_only=True):
    """The configuration of a link; both hosts must hold the same.

    Args:
        protocol: the kind of QKD and its settings, as `qkdpost.BB84()`; the others are `BBM92`,
            `BBM92TimeTags`, `DecoyBB84`, `SinglePhotonBB84`, or a kind of your own in `qkdpost.protocols.PROTOCOLS`.
        correction: how errors are corrected: `Cascade` (least disclosed, many rounds), `Ldpc` (few rounds) or `Auto`
            (chosen for each block). A kind whose stages correct otherwise has methods of its own. Left out: the kind's
            default, which for bits is `Cascade`.
        security: the security parameter and the proof.
        blocks: the sizes of blocks and frames.
        record_limits: what a host tolerates in its own records before it gives their block up: a dead detector, bits or
            bases that repeat, shares that change.

    Raises:
        ConfigurationError: a part is of another type, or parts contradict each other; each part checks itself before.

    >>> import qkdpost as qp
    >>> link = qp.LinkConfig(protocol=qp.BB84(), correction=qp.Ldpc(blind_rounds=1))
    >>> qp.LinkConfig.from_toml(link.to_toml()) == link
    True
    """

    protocol: ProtocolSettings
    correction: CorrectionSettings = KindsOwn()
    security: Security = Security()
    blocks: Blocks = Blocks()
    record_limits: RecordLimits = RecordLimits()

    def __post_init__(self) -> None:
        self._check_types()
        self._check_bound()
        self.protocol.check_link(self.correction, self.security)
        if self.security.needs_one_way and not self.correction.corrects_one_way:
            raise ConfigurationError(
                "acceptance with a vacuum term needs one-way correction, Ldpc(blind_rounds=0, fallback=None): two-way "
                "correction discloses the bits of empty pulses to whoever caused the clicks"
            )
        smallest = sum(self.security.exact_sizes or ())
        if smallest > self.blocks.max_detections:
            raise ConfigurationError(
                f"acceptance asks for {smallest} sifted bits; max_detections of blocks is {self.blocks.max_detections}"
            )
        self._check_greeting()

    def _check_types(self) -> None:
        for name, part, kind in (
            ("security", self.security, Security),
            ("blocks", self.blocks, Blocks),
            ("record_limits", self.record_limits, RecordLimits),
        ):
            hint = f"Write {name}={kind.__name__}(...)"
            instance(name, part, kind, hint=hint, error=ConfigurationError)
        hint = "Write the settings of a kind of QKD, as protocol=BB84()"
        instance("protocol", self.protocol, ProtocolSettings, hint=hint, error=ConfigurationError)
        protocol_of(self.protocol)  # which refuses the settings of no kind
        if type(self.correction) is KindsOwn:
            keep(self, "correction", self.protocol.default_correction)
        offered = self._offered_methods()
        method = METHODS.get(_tag_of(self.correction))
        if type(self.correction) not in offered or method is None or method.settings is not type(self.correction):
            raise ConfigurationError(
                f"correction must be one of {', '.join(kind.__name__ for kind in offered)} for kind "
                f"{self.protocol.kind!r}, each in METHODS under its own tag; found {described(self.correction)}"
            )

    def _offered_methods(self) -> list[type[CorrectionSettings]]:
        """Return the methods that the kind's own stages correct by, or else all that correct bits."""
        own = [type(settings) for settings in self.protocol.corrections]
        return own or [method.settings for method in METHODS.values() if method.plan is not None]

    def _check_bound(self) -> None:
        """Check that the kind has the bound, with these settings, and a fixed-length bound its thresholds."""
        protocol, security = protocol_of(self.protocol), self.security
        offered = protocol.fixed_length
        if security.bound not in (VARIABLE_LENGTH, *offered):
            names = ", ".join(map(repr, (VARIABLE_LENGTH, *offered)))
            raise ConfigurationError(
                f"bound must be one of {names} for kind {self.protocol.kind!r}; found {described(security.bound)}"
            )
        wanted = offered.get(security.bound)
        if wanted is not None and not isinstance(security.acceptance, wanted):
            raise ConfigurationError(
                f"bound {security.bound!r} is fixed-length: acceptance must be a {wanted.__name__} that was set before "
                f"the data are seen; found {described(security.acceptance)}"
            )
        protocol.bound_settings(self.protocol, security)  # which refuses what the bound does not take

    def _check_greeting(self) -> None:
        fields = self.to_fields()
        if len(fields) > MAX_FIELDS:
            raise ConfigurationError(
                f"a link must have at most {MAX_FIELDS} fields in the greeting; found {len(fields)}"
            )
        for name, text in fields.items():
            if len(name) > MAX_NAME_CHARACTERS or len(text) > MAX_VALUE_CHARACTERS:
                raise ConfigurationError(
                    f"{name} takes {len(name)} + {len(text)} characters in the greeting; at most "
                    f"{MAX_NAME_CHARACTERS} + {MAX_VALUE_CHARACTERS} are allowed"
                )

    @property
    def needs_one_way(self) -> bool:
        """Whether the bound holds for one-way correction only."""
        return self.protocol.needs_one_way or self.security.needs_one_way

    @property
    def max_message_bytes(self) -> int:
        """The longest message that a peer may send: room for a bit for each bit of the largest block's key."""
        key_bits = self.blocks.max_detections * self.correction.key_bits_of_a_detection
        return max(2**20, key_bits // 8 + 2**16)

    def to_fields(self) -> dict[str, str]:
        """Return every field by its dotted path, as text that is the same on every platform."""
        return dict(_fields("", self))

    def altered_fields(self) -> frozenset[str]:
        """Return the dotted paths of the fields that are not at their default.

        A peer of an older release that does not know a field goes on if it is not among these.
        """
        return frozenset(_altered("", self, None))

    def digest(self) -> bytes:
        """Return 32 bytes that name this configuration."""
        listing = "\n".join(f"{name}={value}" for name, value in sorted(self.to_fields().items()))
        return hashlib.blake2b(listing.encode(), digest_size=32, person=b"qkdpost-link").digest()

    @classmethod
    def from_dict(cls, content: Mapping[str, object]) -> LinkConfig:
        """Return the link of a nested mapping of plain values, as `to_dict` gives it.

        Args:
            content: for each part that is not left at its default a mapping of its fields; `protocol` names its `kind`,
                `correction` its `method`.

        Raises:
            ConfigurationError: a field is unknown, missing or of another type (its path is named); or fields
                contradict each other.
        """
        return cls(**decoded(content))

    def to_dict(self) -> dict[str, object]:
        """Return a nested dict of plain values, of which `from_dict` makes an equal link."""
        return {name: plain(getattr(self, name)) for name in self.__struct_fields__}

    @classmethod
    def from_json(cls, text: str | bytes) -> LinkConfig:
        """Return the link of a JSON text; raises as `from_dict`, or ConfigurationError where the text is no JSON."""
        return cls.from_dict(read_json(text))

    def to_json(self) -> str:
        """Return this link as JSON text."""
        return write_json(self.to_dict())

    @classmethod
    def from_toml(cls, text: str) -> LinkConfig:
        """Return the link of a TOML text, as that of a file: a table for each part, "none" for None.

        Raises as `from_dict`, or ConfigurationError where the text is no TOML.
        """
        return cls.from_dict(read_toml(text))

    def to_toml(self) -> str:
        """Return this link as TOML text.

        Raises:
            ConfigurationError: a field of a kind from outside is the text "none".
        """
        return write_toml(self.to_dict())


def _tag_of(settings: object) -> str:
    return str(settings.__struct_config__.tag) if isinstance(settings, CorrectionSettings) else ""


def _fields(path: str, value: object) -> Iterator[tuple[str, str]]:
    if not isinstance(value, msgspec.Struct):
        yield path, repr(value)
        return
    before = f"{path}." if path else ""
    layout = value.__struct_config__
    if layout.tag_field is not None:
        yield f"{before}{layout.tag_field}", repr(layout.tag)
    for name in value.__struct_fields__:
        yield from _fields(f"{before}{name}", getattr(value, name))


def _altered(path: str, value: object, default: object) -> Iterator[str]:
    """Give the paths of `_fields` whose value differs from the default, or that have none."""
    if not isinstance(value, msgspec.Struct):
        if value != default:
            yield path
        return
    before = f"{path}." if path else ""
    layout = value.__struct_config__
    same = type(value) is type(default)
    if layout.tag_field is not None and not same:
        yield f"{before}{layout.tag_field}"
    for info in _layout(type(value)):
        default_of_field = getattr(default, info.name) if same else _default_of(info)
        yield from _altered(f"{before}{info.name}", getattr(value, info.name), default_of_field)


@lru_cache(maxsize=64)
def _layout(kind: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(kind)


def _default_of(info: msgspec.structs.FieldInfo) -> object:
    """Return a field's default; what equals nothing if it has none."""
    return info.default if info.default_factory is msgspec.NODEFAULT else info.default_factory()
