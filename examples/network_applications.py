"""Applications of the network example: they fetch keys as ETSI GS QKD 014 has it, and speak TLS 1.3 with them.

Only the standard library and the `openssl` command are used, as an application would that knows nothing of qkdpost.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import ssl
import subprocess
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

TIMEOUT_SECONDS = 20


@dataclass(frozen=True)
class Delivered:
    """A key as an application gets it. The key is secret; its digest names it in what is printed."""

    key_id: str
    key: bytes
    extension: dict[str, object]

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.key).hexdigest()[:16]

    def __repr__(self) -> str:
        return f"Delivered({self.key_id}, {len(self.key)} bytes, digest {self.digest})"


class Refused(Exception):
    """The key manager answered with an error of the interface."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Application:
    """One SAE: its certificate, and a connection to the key manager at its own site, kept open.

    Args:
        name: of the SAE, which its certificate says, too.
        folder: with `sae.crt`, `sae.key` and the authority of key managers, `kme-authority.crt`.
        port: where the key manager listens on this machine.
        key_manager: its name. The application checks it in the certificate.
    """

    def __init__(self, name: str, folder: Path, port: int, key_manager: str) -> None:
        self.name = name
        self.key_manager = key_manager
        context = ssl.create_default_context(cafile=str(folder / "kme-authority.crt"))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(folder / "sae.crt", folder / "sae.key")
        self._connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=TIMEOUT_SECONDS)

    def status(self, slave: str) -> dict[str, object]:
        return self._ask("GET", f"/api/v1/keys/{quote(slave, safe='')}/status")

    def new_keys(self, slave: str, *others: str, **request: object) -> list[Delivered]:
        """Ask for keys of which this application is the master: `number`, `size` and what else the request may say."""
        if others:
            request["additional_slave_SAE_IDs"] = list(others)
        return _keys(self._ask("POST", f"/api/v1/keys/{quote(slave, safe='')}/enc_keys", request))

    def keys_by_id(self, master: str, key_ids: Iterable[str]) -> list[Delivered]:
        """Fetch keys of which this application is a slave."""
        wanted = {"key_IDs": [{"key_ID": key_id} for key_id in key_ids]}
        return _keys(self._ask("POST", f"/api/v1/keys/{quote(master, safe='')}/dec_keys", wanted))

    def close(self) -> None:
        self._connection.close()

    def _ask(self, method: str, path: str, body: dict[str, object] | None = None) -> dict[str, object]:
        """Ask once. A request that failed may have spent key, so that it is for the caller to ask again."""
        content = None if body is None else json.dumps(body)
        try:
            self._check_key_manager()
            self._connection.request(method, path, content, {"Content-Type": "application/json"})
            response = self._connection.getresponse()
            answer = json.loads(response.read() or b"{}")
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise
        if response.status != 200:
            raise Refused(response.status, str(answer.get("message")))
        return answer

    def _check_key_manager(self) -> None:
        """Check the name in the certificate, as the interface asks of applications."""
        if self._connection.sock is None:
            self._connection.connect()
        names = self._connection.sock.getpeercert()["subjectAltName"]
        if ("URI", f"urn:qkdpost:kme:{self.key_manager}") not in names:
            self._connection.close()
            raise ConnectionError(f"{self.key_manager} was expected at this port; the certificate says {names}")


def _keys(answer: dict[str, object]) -> list[Delivered]:
    return [
        Delivered(item["key_ID"], base64.b64decode(item["key"], validate=True), item.get("key_extension", {}))
        for item in answer["keys"]
    ]


def talk_tls(server_key: Delivered, client_key: Delivered) -> str:
    """Let two ends speak TLS 1.3 with a delivered key as external PSK; return what the client heard.

    The key's ID is the identity of the PSK. `openssl` takes the key on its command line, which others on the same
    machine can read: good for a demonstration, and for nothing else.
    """
    psk = ["-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256", "-psk_identity", client_key.key_id]
    listen = ["openssl", "s_server", "-nocert", "-accept", "127.0.0.1:0", "-naccept", "1", "-rev", *psk]
    with subprocess.Popen(
        [*listen, "-psk", server_key.key.hex()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as server:
        try:
            return _client(["-connect", _address(server), *psk, "-psk", client_key.key.hex()])
        finally:
            server.terminate()


def _address(server: subprocess.Popen[str]) -> str:
    """Read where a server listens, which it says after the word ACCEPT."""
    for line in server.stdout:
        if line.startswith("ACCEPT"):
            return line.split()[-1]
    raise OSError("openssl s_server ended before it listened")


def _client(arguments: list[str]) -> str:
    command = ["openssl", "s_client", "-brief", "-no_ign_eof", *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as client:
        client.stdin.write("equal keys\n")
        client.stdin.flush()
        patience = threading.Timer(TIMEOUT_SECONDS, client.kill)
        patience.start()
        heard = []
        for line in client.stdout:
            heard.append(line.strip())
            if line.strip() == "syek lauqe":
                break
        patience.cancel()
        client.terminate()
    return "\n".join(heard)
