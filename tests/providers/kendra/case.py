"""Amazon Kendra in the tests of all providers."""

from exporter.providers.kendra.service import KENDRA
from exporter.simulator.kendra import SECRET_MARKER
from tests.support.service_case import ApiShapes, ServiceCase

CASE = ServiceCase(
    KENDRA,
    ("TEMPLATE:CONFLUENCEV2", "CONFLUENCEV2"),
    SECRET_MARKER,
    healthy_source=("helpdesk", "zendesk"),
    extreme_id="a_b-" * 25,
    absent_faults=("error_text",),
    has_arns=False,
    shapes=ApiShapes(container_type="IndexEdition"),
)
