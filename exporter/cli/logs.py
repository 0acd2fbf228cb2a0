"""Logging: one event a line on stderr, as logfmt or JSON, ours and the libraries' alike."""

from __future__ import annotations

import logging
import sys

import structlog

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
FORMATS = ("logfmt", "json")

# What ends a line, moves a cursor or turns text around: names and messages come from outside, and terminals obey.
# A line feed is left to the renderer.
_RANGES = ((0x00, 0x09), (0x0B, 0x1F), (0x7F, 0x9F), (0x200E, 0x200F), (0x2028, 0x202E), (0x2066, 0x2069))
_UNSEEN = {code: ascii(chr(code))[1:-1] for first, last in _RANGES for code in range(first, last + 1)}


def _as_prometheus_spells_it(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    level = event["level"]
    return {**event, "level": {"warning": "warn", "critical": "error"}.get(level, level)}


def _escape(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {key: value.translate(_UNSEEN) if isinstance(value, str) else value for key, value in event.items()}


_SHARED: tuple[structlog.typing.Processor, ...] = (
    structlog.stdlib.add_log_level,
    _as_prometheus_spells_it,
    structlog.processors.TimeStamper(fmt="iso", key="ts"),
    structlog.processors.format_exc_info,
    structlog.processors.EventRenamer("msg"),
)


def configure(level: str, form: str) -> None:
    """Set up logging for the process: `level` as in LEVELS, `form` as in FORMATS."""
    renderers: list[structlog.typing.Processor] = (
        [structlog.processors.JSONRenderer()]
        if form == "json"
        else [_escape, structlog.processors.LogfmtRenderer(key_order=["ts", "level", "msg"], bool_as_flag=False)]
    )
    structlog.configure(
        processors=[*_SHARED, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processors=[_drop_internals, *renderers], foreign_pre_chain=_SHARED)
    )
    # Never more of the libraries: at debug botocore prints headers with session tokens in them.
    logging.basicConfig(handlers=[handler], level=max(LEVELS[level], logging.WARNING), force=True)
    logging.captureWarnings(capture=True)


def _drop_internals(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return structlog.stdlib.ProcessorFormatter.remove_processors_meta(None, "", event)
