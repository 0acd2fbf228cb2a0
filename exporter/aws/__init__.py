"""The one seam to boto3: clients set up on purpose, every HTTP attempt seen, and foreign errors made ours."""

from exporter.aws.connection import Connection, name_of
from exporter.aws.faults import is_throttled, was_authorised
from exporter.aws.wire import Attempts, AwsClock

__all__ = ["Attempts", "AwsClock", "Connection", "is_throttled", "name_of", "was_authorised"]
