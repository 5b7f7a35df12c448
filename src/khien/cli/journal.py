"""What a process that goes on for long says of its work, on standard error: lines for people, or JSON for programs."""

import logging
import sys
from datetime import UTC, datetime

import msgspec

_OURS = logging.getLogger("khien")
_STANDARD = frozenset(vars(logging.makeLogRecord({})))  # what every record has; the rest is what we say with it


class Plain(logging.Formatter):
    """``khien: what was said``."""

    def format(self, record: logging.LogRecord) -> str:
        """A line, and where a fault of ours happened."""
        return f"khien: {super().format(record)}"


class Json(logging.Formatter):
    """An object in one line: when, how grave, where, what was said, and its parameters by name."""

    def format(self, record: logging.LogRecord) -> str:
        """A line; whatever would break it or move a cursor is escaped."""
        told: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "where": record.name,
            "message": record.getMessage(),
        }
        told |= {name: value for name, value in vars(record).items() if name not in _STANDARD and name not in told}
        if record.exc_info:
            told["fault"] = self.formatException(record.exc_info)
        return msgspec.json.encode(told, enc_hook=str).decode()


def begin(format: str) -> None:
    """Has everything said on standard error, in a format: text or json. Of other people's code only what is grave."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Json() if format == "json" else Plain())
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(logging.WARNING)
    _OURS.setLevel(logging.INFO)
