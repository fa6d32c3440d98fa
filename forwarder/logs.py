"""Logs: a sentence and its facts, as text for a person or JSON for a machine, never a secret."""

from __future__ import annotations

import logging
import sys
from typing import Final, Literal

import structlog
from structlog.typing import Processor

Format = Literal["text", "json"]

# These write keys, tokens or whole frames at their debug level, whatever ours is.
_CHATTY: Final = ("gql", "websockets", "aiosqlite", "sqlalchemy", "alembic", "asyncio", "filelock")

_SHARED: Final[tuple[Processor, ...]] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def configure(level: str, form: Format | None) -> None:
    """Set up logging for the process, on stderr: stdout belongs to the commands' answers."""
    form = form or ("text" if sys.stderr.isatty() else "json")
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(_formatter(form))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def _formatter(form: Format) -> logging.Formatter:
    renderers: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if form == "json":
        # Local variables of a traceback can hold secrets; the dictionary form leaves them out.
        trace = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        renderers += [
            structlog.processors.ExceptionRenderer(trace),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    else:
        plain = structlog.dev.plain_traceback
        renderers += [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
        ]
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=[*_SHARED], processors=renderers)
