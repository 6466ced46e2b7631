"""Who is at the other end: names from certificates, and the contexts of TLS at both ends.

A name is in exactly one URI of the certificate's subject alternative names, `urn:qkdpost:sae:NAME` for applications and
`urn:qkdpost:kme:NAME` for key managers, percent-encoded where it needs to be. It counts only in a certificate that the
authority in charge has signed, which TLS has seen to before. Applications and key managers should have an authority
each.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from hashlib import sha256
from os import PathLike, fspath
from typing import Literal
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from qkdpost.checks import Settings, byte_string, flag, keep
from qkdpost.errors import ConfigurationError, InputError, NotAuthorised
from qkdpost.network.names import checked_name

__all__ = ["APPLICATION", "KEY_MANAGER", "Credentials", "Identification", "Usage", "context_of"]

APPLICATION = "urn:qkdpost:sae:"
KEY_MANAGER = "urn:qkdpost:kme:"
PIN_BYTES = 32
Usage = Literal["client", "server"]

_USAGES = {"client": ExtendedKeyUsageOID.CLIENT_AUTH, "server": ExtendedKeyUsageOID.SERVER_AUTH}
_TLS_1_2_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"


class Credentials(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The files that one end of TLS needs, in PEM.

    Args:
        certificate: path of this end's certificate, with those between it and its authority.
        private_key: path of its private key.
        authority: path of the certificates whose signature is believed at the other end.

    Raises:
        ConfigurationError: no paths.

    >>> from qkdpost import transport
    >>> transport.network.Credentials(certificate="me.pem", private_key="me.key", authority="ca.pem").certificate
    'me.pem'
    """

    certificate: str | PathLike[str]
    private_key: str | PathLike[str]
    authority: str | PathLike[str]

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if not isinstance(value, str | PathLike):
                raise ConfigurationError(f"{name} must be a path; found a {type(value).__name__}")
            keep(self, name, fspath(value))


class Identification(Settings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the other end is told by its certificate.

    Args:
        common_name: whether the subject's common name counts where a certificate has no URI, as many authorities for
            key managers have it.
        pins: SHA-256 of the public key (SubjectPublicKeyInfo in DER) for each name; others are then refused, even if
            the authority has signed them. None: the authority alone decides.

    Raises:
        ConfigurationError: no such values.

    >>> from qkdpost import transport
    >>> transport.network.Identification(common_name=True).common_name
    True
    """

    common_name: bool = False
    pins: Mapping[str, bytes] | None = None

    def __post_init__(self) -> None:
        keep(self, "common_name", flag("common_name", self.common_name, error=ConfigurationError))
        if self.pins is not None:
            checked = {
                checked_name("pins", name, error=ConfigurationError): byte_string(
                    "pins", pin, count=PIN_BYTES, error=ConfigurationError
                )
                for name, pin in dict(self.pins).items()
            }
            keep(self, "pins", checked)

    def name_in(self, certificate: bytes, prefix: str, usage: Usage) -> str:
        """Return the name in a certificate.

        Args:
            certificate: in DER, of which TLS has checked the signatures and dates.
            prefix: of the URI, `APPLICATION` or `KEY_MANAGER`.
            usage: that the certificate must be for.

        Raises:
            NotAuthorised: it has no such name, more than one URI, another usage, or another key than is pinned.
        """
        try:
            parsed = x509.load_der_x509_certificate(certificate)
            extensions = parsed.extensions
            _check_usage(extensions, usage)
            uris = _uris(extensions)
            name = self._from_common_name(parsed) if not uris else _from_uris(uris, prefix)
        except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
            raise NotAuthorised(f"a certificate that cannot be read: {error}") from None
        self._check_pin(name, parsed)
        return name

    def _from_common_name(self, certificate: x509.Certificate) -> str:
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        if not self.common_name or len(names) != 1:
            raise NotAuthorised("a certificate has no URI that names its owner")
        return checked_name("the common name", names[0].value, error=NotAuthorised)

    def _check_pin(self, name: str, certificate: x509.Certificate) -> None:
        if self.pins is None:
            return
        public = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if self.pins.get(name) != sha256(public).digest():
            raise NotAuthorised(f"the certificate of {name!r} has another public key than the one that is pinned")


def context_of(credentials: Credentials, *, server_side: bool, oldest: Literal["1.2", "1.3"]) -> ssl.SSLContext:
    """Return a context that believes no end without a certificate, and resumes no session.

    A resumed session would go on with a certificate that has ended or was taken back since: what the ticket holds is
    not checked again. It would save two checks of signatures and a signature, a sixth of a server's handshake (1.4 in
    place of 1.7 ms of processor time with OpenSSL 3.0 and P-256). Keep connections instead.

    Args:
        credentials: of this end.
        server_side: whether it is called.
        oldest: version of TLS that is spoken.

    Raises:
        ConfigurationError: a file that cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if oldest == "1.3" else ssl.TLSVersion.TLSv1_2
    context.check_hostname = False  # names are in the URI, and looked at there
    context.verify_mode = ssl.CERT_REQUIRED
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(_TLS_1_2_CIPHERS)
    if server_side:
        context.num_tickets = 0
    try:
        context.load_cert_chain(credentials.certificate, credentials.private_key)
        context.load_verify_locations(credentials.authority)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"a file of {credentials!r} cannot be used: {error}") from None
    return context


def _check_usage(extensions: x509.Extensions, usage: Usage) -> None:
    try:
        usages = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        raise NotAuthorised("a certificate does not say what it is for (extended key usage)") from None
    if _USAGES[usage] not in usages:
        raise NotAuthorised(f"a certificate is not for a TLS {usage} (extended key usage)")


def _uris(extensions: x509.Extensions) -> list[str]:
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return names.get_values_for_type(x509.UniformResourceIdentifier)


def _from_uris(uris: list[str], prefix: str) -> str:
    if len(uris) != 1 or not uris[0].startswith(prefix):
        raise NotAuthorised(f"a certificate must have exactly one URI, {prefix}NAME; found {len(uris)} URIs")
    try:
        text = unquote_to_bytes(uris[0].removeprefix(prefix)).decode()
        return checked_name("the name in the URI", text)
    except (UnicodeDecodeError, InputError):
        raise NotAuthorised("the URI of a certificate has no name") from None
