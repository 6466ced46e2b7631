"""Who may share keys, how many, how long they live, and what a request may demand of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal, get_args

from qkdpost.checks import Settings, choice, instance, keep, listed, real_number, whole_number
from qkdpost.errors import ConfigurationError, InputError
from qkdpost.network.names import checked_name

__all__ = ["AccessPolicy", "DeliveryPolicy", "KeyRequirements", "Lifetimes", "Quota"]

RouteType = Literal["direct", "indirect"]
LocalKeys = Literal["refuse", "operating-system"]
Claim = Literal["joint", "request"]

_CENTURY_SECONDS = 3.2e9


class AccessPolicy(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which applications may share keys.

    Args:
        groups: lists of names; two applications may share keys, in either role, if one list has both. None: all that
            the topology knows.

    Raises:
        ConfigurationError: no names, or more than 10^5 of them.

    >>> policy = AccessPolicy(groups=[["SAE-A", "SAE-B"], ["SAE-B", "SAE-C"]])
    >>> policy.allows("SAE-A", "SAE-B"), policy.allows("SAE-C", "SAE-A")
    (True, False)
    """

    groups: Collection[Collection[str]] | None = None

    def __post_init__(self) -> None:
        if self.groups is None:
            return
        groups = [
            listed("groups", group, "names", error=ConfigurationError)
            for group in listed("groups", self.groups, "groups of names", error=ConfigurationError)
        ]
        whole_number("names in groups", sum(map(len, groups)), most=10**5, error=ConfigurationError)
        checked = (
            frozenset(checked_name("groups", name, error=ConfigurationError) for name in group) for group in groups
        )
        keep(self, "groups", tuple(checked))

    def allows(self, first: str, second: str) -> bool:
        """Tell whether two applications may share keys; an application never shares with itself."""
        return first != second and (
            self.groups is None or any(first in group and second in group for group in self.groups)
        )


class Quota(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much one pair of applications may take, so that none starves the others.

    Args:
        held_keys: the most keys of one master and one slave that wait at the slave's key manager to be fetched.
        keys_per_second: how fast the bucket of tokens fills for each application, and for each pair; one key costs one.
        burst_keys: how many tokens a bucket holds, at least the most keys of one request.

    Raises:
        ConfigurationError: a number out of range.

    >>> from qkdpost import network
    >>> network.DeliveryPolicy(quota=network.Quota(held_keys=1000)).quota.held_keys
    1000
    """

    held_keys: int = 100_000
    keys_per_second: float = 1e6
    burst_keys: int = 1_000_000

    def __post_init__(self) -> None:
        error = ConfigurationError
        keep(self, "held_keys", whole_number("held_keys", self.held_keys, least=1, most=10**7, error=error))
        keep(self, "keys_per_second", real_number("keys_per_second", self.keys_per_second, above=0.0, error=error))
        keep(self, "burst_keys", whole_number("burst_keys", self.burst_keys, least=1, most=10**9, error=error))


class Lifetimes(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long things live, in seconds of the `now_seconds` that a key manager is given.

    Args:
        answer_seconds: until when the key managers of all slaves must hold the keys of a request; then it is refused.
        key_seconds: until when a slave must have fetched a key. Each site counts with its own clock, and the slave's a
            tenth longer.
        record_seconds: how long both sides remember a key that was delivered, without its bytes, so that `revoke` can
            name it; not longer than `key_seconds`. A record costs some hundred bytes of the store.
        redelivery_seconds: 0: a slave gets each key once, as the standard says. Else it gets the same key again for so
            long, for clients that repeat requests; its bytes are kept as long.

    Raises:
        ConfigurationError: a number out of range.

    >>> from qkdpost import network
    >>> network.DeliveryPolicy(lifetimes=network.Lifetimes(key_seconds=3600.0)).lifetimes.key_seconds
    3600.0
    """

    answer_seconds: float = 2.0
    key_seconds: float = 86_400.0
    record_seconds: float = 600.0
    redelivery_seconds: float = 0.0

    def __post_init__(self) -> None:
        error = ConfigurationError
        for name in ("answer_seconds", "key_seconds"):
            value = real_number(name, getattr(self, name), above=0.0, most=_CENTURY_SECONDS, error=error)
            keep(self, name, value)
        for name in ("record_seconds", "redelivery_seconds"):
            value = real_number(name, getattr(self, name), least=0.0, most=_CENTURY_SECONDS, error=error)
            keep(self, name, value)


class DeliveryPolicy(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules of delivery at one key manager.

    Args:
        access: which applications may share keys.
        quota: how much each may take.
        lifetimes: of requests, keys and records.
        local_keys: what to do for two applications at the same site, between which there is no QKD: "refuse", or take
            random numbers of the "operating-system", which the key's kinds then name as "local".
        claim: what `qkdpost_epsilon` is about: "joint" over all keys, or the key of each "request" as well
            (`qkdpost.network.epsilon`).
        low_water_bits: below so many deliverable bits to a peer, `PoolLow` is reported.

    Raises:
        ConfigurationError: a value out of range, or of another class.

    >>> from qkdpost import network
    >>> policy = network.DeliveryPolicy(
    ...     access=network.AccessPolicy(groups=[["SAE-A", "SAE-B"]]), quota=network.Quota(keys_per_second=100.0)
    ... )
    >>> policy.quota.keys_per_second
    100.0
    """

    access: AccessPolicy = AccessPolicy()
    quota: Quota = Quota()
    lifetimes: Lifetimes = Lifetimes()
    local_keys: LocalKeys = "refuse"
    claim: Claim = "joint"
    low_water_bits: int = 16_384

    def __post_init__(self) -> None:
        error = ConfigurationError
        instance("access", self.access, AccessPolicy, error=error)
        instance("quota", self.quota, Quota, error=error)
        instance("lifetimes", self.lifetimes, Lifetimes, error=error)
        keep(self, "local_keys", choice("local_keys", self.local_keys, get_args(LocalKeys), error=error))
        keep(self, "claim", choice("claim", self.claim, get_args(Claim), error=error))
        keep(self, "low_water_bits", whole_number("low_water_bits", self.low_water_bits, most=2**40, error=error))


class KeyRequirements(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a request demands of its keys; what cannot be met is refused, before anything is spent.

    Args:
        route_type: "direct": over links between the two sites alone; "indirect": over trusted nodes; None: either.
        max_epsilon: the most that `qkdpost_epsilon` may be; None: any.
        max_age_seconds: how long ago this key manager got the key's material, at most; None: any.
        disjoint_paths: over so many disjoint paths at least, where it comes over trusted nodes at all; None: any.

    Raises:
        InputError: a value out of range.

    >>> from qkdpost import network
    >>> network.KeyRequirements(route_type="direct", max_epsilon=1e-6).route_type
    'direct'
    """

    route_type: RouteType | None = None
    max_epsilon: float | None = None
    max_age_seconds: float | None = None
    disjoint_paths: int | None = None

    def __post_init__(self) -> None:
        if self.route_type is not None:
            keep(self, "route_type", choice("route_type", self.route_type, get_args(RouteType)))
        for name in ("max_epsilon", "max_age_seconds"):
            value: Any = getattr(self, name)
            if value is not None:
                keep(self, name, real_number(name, value, above=0.0))
        if self.disjoint_paths is not None:
            keep(self, "disjoint_paths", whole_number("disjoint_paths", self.disjoint_paths, least=1, most=8))

    @property
    def is_empty(self) -> bool:
        """Whether nothing is demanded."""
        return self == _NO_DEMANDS


_NO_DEMANDS = KeyRequirements()


def checked_slaves(master: str, slaves: object) -> tuple[str, ...]:
    """Return the slaves of a request, each once and none the master.

    Raises:
        InputError: none, a name that is none, one twice, or the master among them.
    """
    names = tuple(checked_name("slaves", name) for name in listed("slaves", slaves, "names"))
    if not names or len(set(names)) != len(names) or master in names:
        raise InputError("slaves must name at least one other application, each once, and not the master")
    return names
