"""Logging: one event per line on stderr, as logfmt or JSON, for the exporter and its libraries."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import structlog

import exporter
from exporter.redaction import redact

if TYPE_CHECKING:
    from structlog.typing import EventDict, ExcInfo, Processor

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
LOGFMT, JSON = FORMATS = ("logfmt", "json")

# Characters that end a line, control a terminal or reverse the direction of text. Names and messages from AWS may
# contain any of them. The renderer escapes line feeds itself.
_UNSAFE_RANGES = ((0x00, 0x09), (0x0B, 0x1F), (0x7F, 0x9F), (0x200E, 0x200F), (0x2028, 0x202E), (0x2066, 0x2069))
_ESCAPES = {code: ascii(chr(code))[1:-1] for first, last in _UNSAFE_RANGES for code in range(first, last + 1)}

# The SDK logs every failed attempt to obtain credentials. The exporter itself logs the failure once.
_CREDENTIAL_LOGGERS = ("botocore.credentials", "botocore.tokens")

_PACKAGE = str(Path(exporter.__file__).parent)

logger = structlog.get_logger()


def configure(stream: TextIO, level: str = "info", log_format: str = LOGFMT) -> None:
    """Set up logging for the process: `level` is a key of LEVELS, `log_format` is one of FORMATS."""
    is_debug = LEVELS[level] == logging.DEBUG
    own = structlog.processors.format_exc_info if is_debug else structlog.processors.ExceptionRenderer(_own_frames)
    structlog.configure(
        processors=[*_event_processors(own), *_renderers(log_format)],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_: _StreamLogger(stream),
        cache_logger_on_first_use=False,
    )
    foreign = structlog.processors.format_exc_info if is_debug else _exception_as_error
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_event_processors(foreign)],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(log_format)],
        )
    )
    # Libraries log warnings and errors only, because at debug level, botocore logs headers with session tokens.
    logging.basicConfig(handlers=[handler], level=max(LEVELS[level], logging.WARNING), force=True)
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False  # otherwise Python prints a traceback for a record that cannot be formatted
    for name in _CREDENTIAL_LOGGERS:
        logging.getLogger(name).setLevel(logging.NOTSET if is_debug else logging.CRITICAL)


def log_uncaught_exceptions() -> None:
    """Log the exceptions that end a thread or occur in a destructor, which Python would print as plain text."""

    def in_thread(arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_type is not SystemExit:
            name = arguments.thread.name if arguments.thread else None
            logger.error("thread failed with an unexpected exception", thread=name, exc_info=arguments.exc_value)

    def in_destructor(arguments: sys.UnraisableHookArgs) -> None:
        logger.error("exception ignored", object=repr(arguments.object), exc_info=arguments.exc_value)

    threading.excepthook = in_thread
    sys.unraisablehook = in_destructor


class _StreamLogger:
    """Writes the lines of structlog to a stream.

    The loggers of structlog hold a lock while they write. A destructor that logs, called during a write, would wait for
    it forever.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        """Write a whole line at once, so that lines of several threads do not mix."""
        self._stream.write(line + "\n")

    debug = info = warning = error = critical = msg


def _event_processors(exceptions: Processor) -> tuple[Processor, ...]:
    return (
        structlog.stdlib.add_log_level,
        _use_prometheus_levels,
        structlog.processors.TimeStamper(fmt="iso", key="ts"),
        exceptions,
        structlog.processors.EventRenamer("msg"),
    )


def _renderers(log_format: str) -> tuple[Processor, ...]:
    if log_format == JSON:
        return _redact, structlog.processors.JSONRenderer()
    return (
        _redact,
        _escape,
        structlog.processors.LogfmtRenderer(key_order=["ts", "level", "msg"], bool_as_flag=False),
    )


def _use_prometheus_levels(_: object, __: str, event: EventDict) -> EventDict:
    level = event["level"]
    return {**event, "level": {"warning": "warn", "critical": "error"}.get(level, level)}


def _own_frames(exc_info: ExcInfo) -> str:
    """Format an exception with the frames of this program. Frames of libraries appear at debug level only."""
    described = traceback.TracebackException(*exc_info)
    own = [frame for frame in described.stack if frame.filename.startswith(_PACKAGE)]
    return "".join([*traceback.format_list(own), *described.format_exception_only()]).rstrip()


def _exception_as_error(_: object, __: str, event: EventDict) -> EventDict:
    """Replace the exception of a library by its message, without the traceback."""
    event = dict(event)
    if isinstance(exc_info := event.pop("exc_info", None), tuple) and exc_info[1]:
        event["error"] = f"{type(exc_info[1]).__name__}: {exc_info[1]}"
    return event


def _redact(_: object, __: str, event: EventDict) -> EventDict:
    return {key: _redacted(value) for key, value in event.items()}


def _redacted(value: object) -> object:
    """Return a value of an event without secrets. Values other than numbers and collections become text."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_redacted(each) for each in value]
    return redact(str(value))


def _escape(_: object, __: str, event: EventDict) -> EventDict:
    return {key: value.translate(_ESCAPES) if isinstance(value, str) else value for key, value in event.items()}
