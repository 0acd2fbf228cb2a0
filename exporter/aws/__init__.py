"""Access to AWS through boto3: clients, hooks on every HTTP attempt, and the translation of errors."""

from exporter.aws.client import AwsClient, target_name, target_region
from exporter.aws.errors import is_throttled, was_authorized
from exporter.aws.hooks import AwsClock, RequestObserver

__all__ = [
    "AwsClient",
    "AwsClock",
    "RequestObserver",
    "is_throttled",
    "target_name",
    "target_region",
    "was_authorized",
]
