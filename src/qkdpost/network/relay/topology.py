"""Which sites there are, which links join them, and which applications belong to which site."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from qkdpost.checks import Settings, described, flag, instance, keep, listed, real_number
from qkdpost.config_files import read_toml
from qkdpost.errors import ConfigurationError
from qkdpost.network.names import checked_name

__all__ = ["Link", "LinkName", "Site", "Topology", "link_name"]

LinkName = tuple[str, str]
"""The names of the two sites that a link joins, in order."""
MAX_SITES = 4096
MAX_APPLICATIONS = 65_536


class Site(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A site with its key manager.

    Args:
        name: of the key manager (KME), as in its certificate.
        applications: names of the applications (SAE) that ask this key manager.
        relays: whether it passes on shares of others. Every site on a path without a second, disjoint one sees the
            key.

    Raises:
        ConfigurationError: a name that is none, or an application named twice.

    >>> from qkdpost import network
    >>> homes = {"north": "SAE-A", "south": "SAE-B"}
    >>> sites = [network.Site(name=name, applications=(homes[name],)) for name in homes]
    >>> link = network.Link(between=("north", "south"), kind="decoy-bb84", length_km=50.0)
    >>> network.Topology(sites=sites, links=[link]).site_of("SAE-B")
    'south'
    """

    name: str
    applications: tuple[str, ...] = ()
    relays: bool = True

    def __post_init__(self) -> None:
        keep(self, "name", checked_name("the name of a site", self.name, error=ConfigurationError))
        keep(self, "relays", flag("relays", self.relays, error=ConfigurationError))
        names = tuple(
            checked_name(f"applications[{place}] of {self.name}", name, error=ConfigurationError)
            for place, name in enumerate(listed("applications", self.applications, "names", error=ConfigurationError))
        )
        _each_once(f"applications of {self.name}", names)
        keep(self, "applications", names)


class Link(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A link: two sites that make key with each other.

    Devices of several kinds between the same two sites are one link here, for they fill one pool; the kind of each key
    is said where it is added.

    Args:
        between: the names of the two sites.
        kind: of QKD, as "decoy-bb84", or a name of the maker's.
        length_km: length of the fibre, 0 ... 10^6.

    Raises:
        ConfigurationError: no two different names, or a length that is none.

    >>> from qkdpost import network
    >>> network.Link(between=("north", "south"), kind="decoy-bb84", length_km=50.0).between
    ('north', 'south')
    """

    between: tuple[str, str]
    kind: str
    length_km: float

    def __post_init__(self) -> None:
        names = listed("between", self.between, "two names", error=ConfigurationError)
        if len(names) != 2:
            raise ConfigurationError(f"a link joins two sites; found {len(names)} names in between")
        keep(self, "between", link_name(names[0], names[1]))
        keep(self, "kind", checked_name("the kind of a link", self.kind, error=ConfigurationError))
        length = real_number("length_km", self.length_km, least=0, most=1e6, unit="km", error=ConfigurationError)
        keep(self, "length_km", length)


def link_name(first: object, second: object) -> LinkName:
    """Return the names of two sites in order, which is how the link or the pool between them is called.

    Raises:
        ConfigurationError: one is no name, or both are the same.
    """
    names = sorted(checked_name("a site of a link", name, error=ConfigurationError) for name in (first, second))
    if names[0] == names[1]:
        raise ConfigurationError(f"a link joins two different sites; found {described(names[0])} twice")
    return names[0], names[1]


class Topology:
    """The sites and links of a network, the same at all of its key managers.

    Args:
        sites: at most 4096, each with a name of its own. An application belongs to one site.
        links: at most one between two sites.

    Raises:
        ConfigurationError: a site, an application or a link is there twice, or a link names no site.

    >>> topology = Topology.from_toml('''
    ... [sites.north]
    ... applications = ["SAE-A"]
    ... [sites.hut]
    ... [sites.south]
    ... applications = ["SAE-B"]
    ... [[links]]
    ... between = ["north", "hut"]
    ... kind = "decoy-bb84"
    ... length_km = 50.0
    ... [[links]]
    ... between = ["hut", "south"]
    ... kind = "decoy-bb84"
    ... length_km = 50.0
    ... ''')
    >>> topology.site_of("SAE-B"), topology.neighbours("hut")
    ('south', ('north', 'south'))
    """

    __slots__ = ("_links", "_neighbours", "_site_of", "_sites")

    def __init__(self, *, sites: Iterable[Site], links: Iterable[Link]) -> None:
        held = [
            instance("a site", site, Site, error=ConfigurationError)
            for site in listed("sites", sites, "Site", error=ConfigurationError)
        ]
        joined = [
            instance("a link", link, Link, error=ConfigurationError)
            for link in listed("links", links, "Link", error=ConfigurationError)
        ]
        if not 1 <= len(held) <= MAX_SITES:
            raise ConfigurationError(f"a network has 1 ... {MAX_SITES} sites; found {len(held)}")
        _each_once("sites", [site.name for site in held])
        _each_once("links", [" - ".join(link.between) for link in joined])
        self._sites = {site.name: site for site in sorted(held, key=lambda site: site.name)}
        self._site_of = self._homes(held)
        self._links = {link.between: link for link in sorted(joined, key=lambda link: link.between)}
        self._neighbours = self._joined_sites()

    @staticmethod
    def _homes(sites: list[Site]) -> dict[str, str]:
        pairs = [(application, site.name) for site in sites for application in site.applications]
        if len(pairs) > MAX_APPLICATIONS:
            raise ConfigurationError(f"a network has at most {MAX_APPLICATIONS} applications; found {len(pairs)}")
        _each_once("applications of all sites", [application for application, _ in pairs])
        return dict(pairs)

    def _joined_sites(self) -> dict[str, tuple[str, ...]]:
        joined: dict[str, list[str]] = {name: [] for name in self._sites}
        for first, second in self._links:
            for name, other in ((first, second), (second, first)):
                if name not in joined:
                    raise ConfigurationError(
                        f"the link {first} - {second} joins no two sites of the network: {described(name)} is none. "
                        f"Sites are {', '.join(self._sites)}"
                    )
                joined[name].append(other)
        return {name: tuple(sorted(others)) for name, others in joined.items()}

    @classmethod
    def from_mapping(cls, content: Mapping[str, Any]) -> Topology:
        """Return the network that nested plain values describe: `sites`, each under its name, and a list of `links`.

        Raises:
            ConfigurationError: a field is unknown, missing or of another type, or the network contradicts itself.
        """
        try:
            plain = msgspec.convert(_mapping("a network", content), _PlainTopology)
        except msgspec.ValidationError as error:
            raise ConfigurationError(f"a network cannot be read: {error}") from None
        sites = [
            Site(name=name, applications=site.applications, relays=site.relays) for name, site in plain.sites.items()
        ]
        return cls(sites=sites, links=plain.links)

    @classmethod
    def from_toml(cls, text: str) -> Topology:
        """Return the network that a TOML text describes: a table `[sites.NAME]` each, and `[[links]]`.

        Raises:
            ConfigurationError: it is no TOML, or as for `from_mapping`.
        """
        return cls.from_mapping(read_toml(text))

    @property
    def sites(self) -> tuple[Site, ...]:
        """All sites, in the order of their names."""
        return tuple(self._sites.values())

    @property
    def links(self) -> tuple[Link, ...]:
        """All links, in the order of their names."""
        return tuple(self._links.values())

    def __contains__(self, name: object) -> bool:
        return name in self._sites

    def site(self, name: str) -> Site:
        """Return the site of this name.

        Raises:
            ConfigurationError: there is none.
        """
        if name not in self._sites:
            raise ConfigurationError(f"{described(name)} is no site of the network. Sites are {', '.join(self._sites)}")
        return self._sites[name]

    def neighbours(self, name: str) -> tuple[str, ...]:
        """Return the sites that a link joins to this one, in order.

        Raises:
            ConfigurationError: there is no such site.
        """
        return self._neighbours[self.site(name).name]

    def link(self, first: str, second: str) -> Link | None:
        """Return the link between two sites, in either order; None where there is none."""
        return self._links.get((first, second) if first < second else (second, first))

    def site_of(self, application: str) -> str | None:
        """Return the site to which an application belongs; None if the network does not know it."""
        return self._site_of.get(application)

    def __repr__(self) -> str:
        return f"Topology(sites={len(self._sites)}, links={len(self._links)}, applications={len(self._site_of)})"


class _PlainSite(msgspec.Struct, forbid_unknown_fields=True):
    """A site as a file has it, under its name."""

    applications: tuple[str, ...] = ()
    relays: bool = True


class _PlainTopology(msgspec.Struct, forbid_unknown_fields=True):
    """A network as a file has it."""

    sites: dict[str, _PlainSite]
    links: tuple[Link, ...] = ()


def _mapping(what: str, content: object) -> dict[str, object]:
    if not isinstance(content, Mapping):
        raise ConfigurationError(f"{what} must be a mapping with sites and links; found {described(content)}")
    return dict(content)


def _each_once(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ConfigurationError(f"{what} must each be there once; found {described(name)} twice")
        seen.add(name)
