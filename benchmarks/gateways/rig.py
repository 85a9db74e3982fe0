"""The other side of every gateway: a vendor's mock, the same behind TLS, and which core serves what."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from benchmarks.gateways.rows import EVENTS, GAP_MS
from benchmarks.native import Upstream
from benchmarks.nginx import Nginx, terminating
from tests.servers.process import private_folder

SERVED_CORE, LOAD_CORE = 0, 1
CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")


def pinned(*cores: int) -> tuple[str, ...]:
    """What a command begins with that may use these cores only."""
    return ("taskset", "-c", ",".join(map(str, cores)))


class Certificates:
    """An authority that nobody knows, and what it vouches for: a server on 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        self.authority, authority_key = folder / "authority.pem", folder / "authority.key"
        self.server, self.key = folder / "server.pem", folder / "server.key"
        made = ("openssl", "req", "-x509", *CURVE, "-subj")
        _quietly(*made, "/CN=benchmark authority", "-keyout", authority_key, "-out", self.authority)
        signed = (
            "-CA",
            self.authority,
            "-CAkey",
            authority_key,
            "-addext",
            "subjectAltName=IP:127.0.0.1,DNS:localhost",
        )
        plain = ("-addext", "basicConstraints=critical,CA:FALSE")
        _quietly(*made, "/CN=mock", *signed, *plain, "-keyout", self.key, "-out", self.server)
        # nginx does not run as we do; the folder keeps all others out.
        self.key.chmod(0o644)


class Rig:
    """Everything that is not the gateway, on the load's core; `url` and `tls_url` end before `/v1`."""

    def __init__(self, *, core: int = LOAD_CORE, awake: bool = True) -> None:
        """Without `awake` who sends to the mock pays for waking its core."""
        self.mock = Upstream(events=EVENTS, gap_ms=GAP_MS, awake=awake, runner=pinned(core))
        self.folder = private_folder("certificates")
        self.certificates = Certificates(self.folder)
        self.terminator: Nginx = terminating(self.mock, self.certificates.server, self.certificates.key, core=core)

    def __enter__(self) -> Self:
        self.mock.start()
        self.terminator.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.terminator.remove()
        self.mock.remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def url(self) -> str:
        """The vendor in clear."""
        return self.mock.url

    @property
    def tls_url(self) -> str:
        """The vendor behind TLS."""
        return f"https://127.0.0.1:{self.terminator.port}"

    def environment(self, home: Path) -> Mapping[str, str]:
        """What a peer is started with: nothing of this machine's own settings, but trust in the mock's authority."""
        authority = str(self.certificates.authority)
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(home),
            "SSL_CERT_FILE": authority,
            "NODE_EXTRA_CA_CERTS": authority,
        }


def _quietly(*command: str | Path) -> None:
    subprocess.run([*map(str, command)], check=True, capture_output=True)
