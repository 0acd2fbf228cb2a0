"""Access to AWS through boto3: clients, hooks on every HTTP attempt, and the translation of errors."""

from exporter.aws.client import AwsClient
from exporter.aws.credentials import CredentialObserver
from exporter.aws.errors import has_no_response, is_denied, is_from_proxy, is_throttled, was_authorized
from exporter.aws.hooks import RequestObserver
from exporter.aws.target_name import (
    require_different_names,
    require_profile,
    role_account,
    target_name,
    target_region,
)

__all__ = [
    "AwsClient",
    "CredentialObserver",
    "RequestObserver",
    "has_no_response",
    "is_denied",
    "is_from_proxy",
    "is_throttled",
    "require_different_names",
    "require_profile",
    "role_account",
    "target_name",
    "target_region",
    "was_authorized",
]
