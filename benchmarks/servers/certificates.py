"""A certificate for the servers, and a web config that names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trustme

from benchmarks.servers.candidates import CERTIFICATE, KEY, WEB_CONFIG

if TYPE_CHECKING:
    from pathlib import Path


def issue(folder: Path) -> Path:
    """Write a new certificate and key into a folder, and return the folder."""
    issued = trustme.CA().issue_cert("localhost", "127.0.0.1")
    (folder / CERTIFICATE).write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(folder / KEY))
    (folder / WEB_CONFIG).write_text(f"tls_server_config: {{cert_file: {CERTIFICATE}, key_file: {KEY}}}\n")
    return folder
