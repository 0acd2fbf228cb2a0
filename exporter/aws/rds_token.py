"""IAM tokens, which are used as passwords for databases in RDS and Aurora."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError
from botocore.model import ServiceId
from botocore.signers import RequestSigner

from exporter.errors import StartupError

if TYPE_CHECKING:
    from collections.abc import Mapping

_REGION_OF_HOST = re.compile(r"\.([a-z]{2}(?:-[a-z]+)+-[0-9]+)\.rds\.amazonaws\.com(?:\.cn)?$")
_VALID_FOR = 900  # seconds, as AWS documents it
_DEFAULT_PORT = 5432


def request_rds_token(parameters: Mapping[str, Any]) -> str:
    """Return an IAM token for a connection with these libpq parameters; raise StartupError if that is not possible.

    The token is the same as from `generate_db_auth_token`, but the model of the RDS API is not loaded.
    """
    host, user = str(parameters.get("host") or ""), str(parameters.get("user") or "")
    if not host or not user:
        raise StartupError("state.url needs a host and a user for iam_auth: write postgresql://HOST/DATABASE?user=NAME")
    try:
        session = boto3.Session()
        found = _REGION_OF_HOST.search(host)
        region, credentials = found[1] if found else session.region_name, session.get_credentials()
    except BotoCoreError as error:
        raise StartupError(f"credentials for the IAM token of the database are not available: {error}") from error
    if not region or credentials is None:
        missing = "region: set AWS_REGION" if not region else "credentials"
        raise StartupError(f"the IAM token of the database cannot be made without {missing}")
    signer = RequestSigner(ServiceId("rds-db"), region, "rds-db", "v4", credentials, session.events)
    url = f"https://{host}:{parameters.get('port') or _DEFAULT_PORT}/?Action=connect&DBUser={user}"
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
