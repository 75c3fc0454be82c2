"""Sets up the log of a process that serves: all loggers, warnings, and errors that nobody handles, on stderr."""

import logging
import os
import re
import sys
import threading
from collections.abc import Iterator
from typing import Any

from pydantic import SecretStr

from ovasabi.logs.escaping import hiding
from ovasabi.logs.lines import Json, Text
from ovasabi.settings import Settings, password_of

log = logging.getLogger("ovasabi")


class StandardError(logging.Handler):
    """Writes the lines of the log to standard error, as it is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        """Writes the lines of a record at once."""
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:
            self.handleError(record)


def set_up(settings: Settings) -> None:
    """Lets all loggers write in the format of the settings. A second call replaces what the first one set up."""
    root = logging.getLogger()
    for handler in [each for each in root.handlers if isinstance(each, StandardError)]:
        root.removeHandler(handler)
    handler = StandardError()
    handler.setFormatter((Json if settings.log_format == "json" else Text)(hiding(_secrets(settings))))
    root.addHandler(handler)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = lambda failed: _uncaught(failed.exc_type, failed.exc_value, failed.exc_traceback)
    sys.unraisablehook = lambda failed: _uncaught(failed.exc_type, failed.exc_value, failed.exc_traceback)
    _set_levels(settings)


def is_json() -> bool:
    """Returns whether this process has a log, and it is JSON: then nothing else belongs on standard error."""
    handlers = logging.getLogger().handlers
    return any(isinstance(each, StandardError) and isinstance(each.formatter, Json) for each in handlers)


def _set_levels(settings: Settings) -> None:
    log.setLevel(settings.log_level.upper())
    if settings.log_level == "debug":
        logging.getLogger().setLevel(logging.DEBUG)
        return
    # uvicorn's messages repeat our banner, and start-up failures are reported by our own errors.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    # What the core of gRPC writes passes every logger. Its failures are reported by our errors.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")


def _secrets(settings: Settings) -> Iterator[str]:
    """Yields the secrets that the settings have: in whole, and the passwords of URLs."""
    for name in Settings.model_fields:
        if isinstance(value := getattr(settings, name), SecretStr):
            yield value.get_secret_value()
            yield from re.split(r"[\s,]+", value.get_secret_value())  # several keys
    urls = [settings.database_url.get_secret_value()] if settings.database_url is not None else []
    for url in (*urls, *settings.shard_urls.values()):
        yield url
        yield password_of(url) or ""


def _uncaught(kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
    if kind is not None and issubclass(kind, KeyboardInterrupt | SystemExit):
        return
    info = (kind, error, trace) if kind is not None and error is not None else None
    log.critical("an error was not handled", exc_info=info)
