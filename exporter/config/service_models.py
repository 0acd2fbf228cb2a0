"""The schema in the words of each service: the keys of its data sources, filters and objectives.

The models are created from the services as data, so that a service of the registry needs no line here. pydantic adds
the name of the service to the path of an error in a target, after the number of the target.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import Discriminator, Field, Tag, create_model

from exporter.config.messages import Expected
from exporter.config.objective_match import ObjectiveMatch
from exporter.config.section import Section
from exporter.config.targets import DataSourceConfig, DiscoveryConfig, Matcher, TargetConfig
from exporter.config.types import Glob, Name, identifier
from exporter.providers.registry import DEFAULT_SERVICE, SERVICES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from exporter.domain.service import Level, Service


def _with_fields(name: str, base: type[Section], **fields: Any) -> Any:  # noqa: ANN401 (mypy cannot know the model)
    """Return a model that has further fields before the fields of its base."""
    keys = create_model(f"{name}Keys", __base__=Section, **fields)
    return create_model(name, __base__=(base, keys), __doc__=base.__doc__)


def _with_types(name: str, base: type[Section], **types: Any) -> Any:  # noqa: ANN401 (mypy cannot know the model)
    """Return a model in which some fields of the base have other types, or other types and declarations."""
    fields: dict[str, Any] = {
        key: type_ if isinstance(type_, tuple) else (type_, base.model_fields[key]) for key, type_ in types.items()
    }
    return create_model(name, __base__=base, __doc__=base.__doc__, **fields)


def _data_source(service: Service) -> type[DataSourceConfig]:
    ids: dict[str, Any] = {
        level.key: (identifier(level), Field(description=f"Id of the {level.text}; {level.id_rule}."))
        for level in service.levels
    }
    root = service.root
    name = Field(None, description=f"Display name of the {root.text}; default: its name in AWS.")
    model: type[DataSourceConfig] = _with_fields(
        f"{_prefix(service)}DataSourceConfig", DataSourceConfig, **ids, **{root.word: (Name | None, name)}
    )
    model.service = service
    model.foreign_keys = _foreign_keys(service, model.model_fields)
    return model


def _matcher(service: Service) -> type[Matcher]:
    model: type[Matcher] = _with_fields(f"{_prefix(service)}Matcher", Matcher, **_globs(service.containers))
    model.foreign_keys = _foreign_keys(service, model.model_fields)
    return model


def _globs(levels: Iterable[Level]) -> dict[str, Any]:
    """Return fields for the display names of containers."""
    return {
        level.word: (Glob | None, Field(None, description=f"Glob for the display name of the {level.text}."))
        for level in levels
    }


def _foreign_keys(service: Service, keys: Collection[str]) -> Mapping[str, str]:
    """Return advice about the words of other services, by key: which services have it, and the keys of this one."""
    advice: dict[str, str] = {}
    forms: tuple[Callable[[Level], str], ...] = (lambda level: level.key, lambda level: level.word)
    for form in forms:
        owners: dict[str, list[str]] = defaultdict(list)
        for each in SERVICES.values():
            for level in each.levels:
                owners[form(level)].append(each.name)
        right = ", ".join(key for key in map(form, service.levels) if key in keys)
        advice |= {
            key: f"a key of {' and '.join(names)}, and this target has the service {service.name}: use {right}"
            for key, names in owners.items()
            if service.name not in names
        }
    return advice


def _target(service: Service) -> type[TargetConfig]:
    matchers, prefix = _tuple_of(_matcher(service)), _prefix(service)
    model: type[TargetConfig] = _with_types(
        f"{prefix}TargetConfig",
        TargetConfig,
        service_name=_service_name(service),
        data_sources=_tuple_of(_data_source(service)),
        discovery=_with_types(f"{prefix}DiscoveryConfig", DiscoveryConfig, include=matchers, exclude=matchers) | None,
    )
    return model


def _service_name(service: Service) -> tuple[Any, Any]:
    """Return the type and the declaration of a service's name. Only targets of the default service may omit it."""
    declared = TargetConfig.model_fields["service_name"]
    default = declared.default if service is DEFAULT_SERVICE else ...
    only: Any = Literal[service.name]
    return Annotated[only, Expected("a service", " or ".join(SERVICES))], Field(
        default, alias=declared.alias, description=declared.description
    )


def _tuple_of(model: Any) -> Any:  # noqa: ANN401 (types made at run time)
    return tuple[model, ...]


def _prefix(service: Service) -> str:
    return service.name.capitalize()


def service_in_file(target: Mapping[str, object]) -> Service:
    """Return the service of a target in a file; the default one if the name is missing or unknown."""
    name = target.get("service")
    return SERVICES.get(name, DEFAULT_SERVICE) if isinstance(name, str) else DEFAULT_SERVICE


def parse_target(target: Mapping[str, object]) -> TargetConfig:
    """Return a target from plain data; raise ValidationError if it is invalid."""
    return TARGETS[service_in_file(target).name].model_validate(target)


def _variant(target: object) -> str:
    """Return the service whose model validates a target. The model of the default service rejects unknown services."""
    if isinstance(target, TargetConfig):
        return target.service_name
    return service_in_file(target).name if isinstance(target, dict) else DEFAULT_SERVICE.name


TARGETS: Mapping[str, type[TargetConfig]] = {name: _target(service) for name, service in SERVICES.items()}
"""The model of a target of each service."""

if TYPE_CHECKING:
    AnyTarget = TargetConfig
    AnyMatch = ObjectiveMatch
else:
    AnyTarget = Annotated[
        Union[tuple(Annotated[model, Tag(name)] for name, model in TARGETS.items())],  # noqa: UP007 (made at run time)
        Discriminator(_variant),
    ]
    AnyMatch = _with_fields(
        "ObjectiveMatch",
        ObjectiveMatch,
        service=(Glob | None, ObjectiveMatch.model_fields["service"]),
        **_globs(level for service in SERVICES.values() for level in service.containers),
    )
