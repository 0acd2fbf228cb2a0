"""IAM tokens, which are used as passwords for databases in RDS and Aurora."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from botocore.config import Config as BotoConfig
from botocore.model import ServiceId
from botocore.session import Session as BotoSession
from botocore.signers import RequestSigner

from exporter.aws.errors import translated_errors
from exporter.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Mapping

_REGION_OF_HOST = re.compile(r"\.([a-z]{2}(?:-[a-z]+)+-[0-9]+)\.rds\.amazonaws\.com(?:\.cn)?$")
_VALID_FOR = 900  # seconds, as AWS documents it
_DEFAULT_PORT = 5432
# The thread that renews the lease waits for the credentials. With the timeouts and retries of the SDK, that could take
# minutes.
_STS_CONFIG = BotoConfig(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1, "mode": "standard"})


def request_rds_token(parameters: Mapping[str, Any]) -> str:
    """Return an IAM token for a connection with these libpq parameters.

    Raise StartupError if the settings of the SDK do not suffice, and ProviderError if AWS returns no credentials.
    The token is the same as from `generate_db_auth_token`, but the model of the RDS API is not loaded.
    """
    host, user = str(parameters.get("host") or ""), str(parameters.get("user") or "")
    if not host or not user:
        raise StartupError("state.url needs a host and a user for iam_auth: write postgresql://HOST/DATABASE?user=NAME")
    try:
        with translated_errors("rds-db:connect"):
            return _sign(host, user, str(parameters.get("port") or _DEFAULT_PORT))
    except OSError as error:
        raise StartupError(f"credentials for the IAM token of the database cannot be read: {error}") from error


def _sign(host: str, user: str, port: str) -> str:
    session = BotoSession()
    session.set_default_client_config(_STS_CONFIG)
    found = _REGION_OF_HOST.search(host)
    region = found[1] if found else os.environ.get("AWS_REGION") or session.get_config_variable("region")
    credentials = session.get_credentials()
    if not region or credentials is None:
        missing = "region: set AWS_REGION" if not region else "credentials"
        raise StartupError(f"the IAM token of the database cannot be made without {missing}")
    events = session.get_component("event_emitter")
    signer = RequestSigner(ServiceId("rds-db"), region, "rds-db", "v4", credentials, events)
    url = f"https://{host}:{port}/?Action=connect&DBUser={user}"
    request = {
        "method": "GET",
        "url_path": "/",
        "query_string": "",
        "headers": {},
        "body": {},
        "url": url,
        "context": {},
    }
    token: str = signer.generate_presigned_url(
        request, operation_name="connect", expires_in=_VALID_FOR, region_name=region, signing_name="rds-db"
    )
    return token.removeprefix("https://")
