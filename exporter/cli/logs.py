"""Logging: one event per line on stderr, as logfmt or JSON, for the exporter and its libraries."""

from __future__ import annotations

import logging
import sys

import structlog

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
FORMATS = ("logfmt", "json")

# Characters that end a line, control a terminal or reverse the direction of text. Names and messages come from AWS, so
# they may contain any of them. The renderer escapes line feeds itself.
_UNSAFE_RANGES = ((0x00, 0x09), (0x0B, 0x1F), (0x7F, 0x9F), (0x200E, 0x200F), (0x2028, 0x202E), (0x2066, 0x2069))
_ESCAPES = {code: ascii(chr(code))[1:-1] for first, last in _UNSAFE_RANGES for code in range(first, last + 1)}


def _use_prometheus_levels(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    level = event["level"]
    return {**event, "level": {"warning": "warn", "critical": "error"}.get(level, level)}


def _escape(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {key: value.translate(_ESCAPES) if isinstance(value, str) else value for key, value in event.items()}


_COMMON_PROCESSORS: tuple[structlog.typing.Processor, ...] = (
    structlog.stdlib.add_log_level,
    _use_prometheus_levels,
    structlog.processors.TimeStamper(fmt="iso", key="ts"),
    structlog.processors.format_exc_info,
    structlog.processors.EventRenamer("msg"),
)


def configure(level: str, log_format: str) -> None:
    """Set up logging for the process: `level` is a key of LEVELS, `log_format` is one of FORMATS."""
    renderers: list[structlog.typing.Processor] = (
        [structlog.processors.JSONRenderer()]
        if log_format == "json"
        else [_escape, structlog.processors.LogfmtRenderer(key_order=["ts", "level", "msg"], bool_as_flag=False)]
    )
    structlog.configure(
        processors=[*_COMMON_PROCESSORS, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[_drop_internals, *renderers], foreign_pre_chain=_COMMON_PROCESSORS
        )
    )
    # Libraries log warnings and errors only: at debug level, botocore logs headers with session tokens.
    logging.basicConfig(handlers=[handler], level=max(LEVELS[level], logging.WARNING), force=True)
    logging.captureWarnings(capture=True)


def _drop_internals(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return structlog.stdlib.ProcessorFormatter.remove_processors_meta(None, "", event)
