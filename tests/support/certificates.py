"""Authorities and certificates, made on the spot."""

from __future__ import annotations

import datetime
import ipaddress
import threading
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from qkdpost.transport.network import Credentials

DAY = datetime.timedelta(days=1)
USAGES = {"client": ExtendedKeyUsageOID.CLIENT_AUTH, "server": ExtendedKeyUsageOID.SERVER_AUTH}


@dataclass(frozen=True)
class Issued:
    """Paths of one certificate and its key, in PEM."""

    certificate: Path
    private_key: Path


class Authority:
    """Signs certificates into a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.path = folder / f"{name}.pem"
        own = self._builder(self.name, self.key.public_key(), DAY)
        own = own.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.path.write_bytes(own.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(
        self,
        name: str,
        *,
        uris: list[str],
        usages: tuple[str, ...] = ("client",),
        common_name: str = "holder",
        ends: datetime.timedelta = DAY,
    ) -> Issued:
        """Return the paths of a new certificate, for the address 127.0.0.1."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris]
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        builder = self._builder(subject, key.public_key(), ends)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        if usages:
            extension = x509.ExtendedKeyUsage([USAGES[usage] for usage in usages])
            builder = builder.add_extension(extension, critical=False)
        issued = Issued(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        signed = builder.sign(self.key, hashes.SHA256())
        issued.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        issued.private_key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return issued

    def _builder(
        self, subject: x509.Name, public: ec.EllipticCurvePublicKey, ends: datetime.timedelta
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 3 * DAY)
            .not_valid_after(now + ends)
        )


class Certificates:
    """What a network needs: authorities of applications and of key managers, and certificates of both."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.applications = Authority(folder, "applications")
        self.key_managers = Authority(folder, "key-managers")
        self._issued: dict[str, Issued] = {}
        self._lock = threading.Lock()

    def application(self, name: str) -> Issued:
        with self._lock:
            if name not in self._issued:
                self._issued[name] = self.applications.issue(name, uris=[f"urn:qkdpost:sae:{name}"])
            return self._issued[name]

    def key_manager(self, name: str) -> Issued:
        with self._lock:
            if name not in self._issued:
                usages = ("client", "server")
                self._issued[name] = self.key_managers.issue(name, uris=[f"urn:qkdpost:kme:{name}"], usages=usages)
            return self._issued[name]

    def to_applications(self, name: str) -> Credentials:
        """Return what a key manager shows to applications."""
        return self._credentials(name, self.applications)

    def to_peers(self, name: str) -> Credentials:
        """Return what a key manager shows to others."""
        return self._credentials(name, self.key_managers)

    def _credentials(self, name: str, authority: Authority) -> Credentials:
        issued = self.key_manager(name)
        return Credentials(certificate=issued.certificate, private_key=issued.private_key, authority=authority.path)
