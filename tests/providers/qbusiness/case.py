"""Amazon Q Business in the tests of all providers."""

from exporter.providers.qbusiness.service import QBUSINESS
from exporter.simulator.qbusiness import SECRET_MARKER
from tests.support.service_case import ServiceCase

CASE = ServiceCase(QBUSINESS, ("SHAREPOINTV2", "SHAREPOINTV2"), SECRET_MARKER, healthy_source=("support", "servicenow"))
