"""Compares the API models of the installed botocore with those that the exporter was built against.

AWS adds members, values and errors to its APIs without notice. The exporter shows a new status or error code under
its own name, but cannot interpret it. This comparison shows such additions before a user does.
"""

from __future__ import annotations

import json
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, StringShape, StructureShape

from exporter.providers.registry import SERVICES

if TYPE_CHECKING:
    from botocore.model import Shape

    from exporter.domain.service import Service

MODELS = Path(__file__).parent / "models"


def describe(service: Service) -> dict[str, Any]:
    """Return the parts of a service's model that the exporter depends on, by operation."""
    model = ServiceModel(Loader().load_service_model(service.client, "service-2"))
    return {permission.action: _operation(model, permission.action) for permission in service.permissions}


def render(service: Service) -> str:
    """Return the text of the file that is compared."""
    return json.dumps(describe(service), indent=2, sort_keys=True) + "\n"


def path_of(service: Service) -> Path:
    """Return the file with the model that the exporter was built against."""
    return MODELS / f"{service.name}.json"


def differences(service: Service) -> list[str]:
    """Return the changed lines of a service's model in the format of diff; none if it has not changed."""
    before, now = path_of(service).read_text(), render(service)
    return list(unified_diff(before.splitlines(), now.splitlines(), "built against", "installed", lineterm="", n=2))


def services() -> list[Service]:
    """Return the services that the exporter watches."""
    return list(SERVICES.values())


def _operation(model: ServiceModel, name: str) -> dict[str, Any]:
    operation = model.operation_model(name)
    return {
        "errors": sorted(shape.name for shape in operation.error_shapes),
        "input": _shape(operation.input_shape, ()),
        "output": _shape(operation.output_shape, ()),
    }


def _shape(shape: Shape | None, outer: tuple[str, ...]) -> object:
    """Return a shape as JSON: the members of structures, the values of enumerations, else the type."""
    if shape is None or shape.name in outer:
        return f"{shape.name} (recursive)" if shape else {}
    inner = (*outer, shape.name)
    if isinstance(shape, StructureShape):
        return {_member(shape, name): _shape(member, inner) for name, member in shape.members.items()}
    if isinstance(shape, ListShape):
        return [_shape(shape.member, inner)]
    if isinstance(shape, MapShape):
        return {"*": _shape(shape.value, inner)}
    return _scalar(shape)


def _member(shape: StructureShape, name: str) -> str:
    return f"{name} (required)" if name in shape.required_members else name


def _scalar(shape: Shape) -> object:
    if isinstance(shape, StringShape) and shape.enum:
        return sorted(shape.enum)
    limits: dict[str, object] = {
        name: shape.metadata[name] for name in ("min", "max", "pattern") if name in shape.metadata
    }
    return {**limits, "type": shape.type_name} if limits else shape.type_name
