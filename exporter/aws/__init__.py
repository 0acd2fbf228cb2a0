"""The one seam to boto3: clients set up on purpose, every HTTP attempt seen, and foreign errors made ours."""

from exporter.aws.client import AwsClient, name_of, region_of
from exporter.aws.errors import is_throttled, was_authorised
from exporter.aws.hooks import AwsClock, RequestObserver

__all__ = ["AwsClient", "AwsClock", "RequestObserver", "is_throttled", "name_of", "region_of", "was_authorised"]
