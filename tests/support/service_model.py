"""botocore's description of Amazon Q Business, to compare the exporter's vocabulary with."""

from __future__ import annotations

from botocore.loaders import Loader
from botocore.model import ServiceModel

MODEL = ServiceModel(Loader().load_service_model("qbusiness", "service-2"))


def enum_of(shape: str) -> set[str]:
    """Return the values of an enumeration."""
    return set(MODEL.shape_for(shape).enum)  # type: ignore[attr-defined] # a string shape


def members_of(shape: str) -> set[str]:
    """Return the names of a structure's members."""
    return set(MODEL.shape_for(shape).members)  # type: ignore[attr-defined] # a structure shape
