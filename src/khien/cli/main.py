"""``khien``: runs a command, and says in one line what kept it from its work. Imports little: a shell waits for it."""

import gc
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from khien.cli.commands.root import khien
from khien.errors import Error
from khien.words import printable

FOUND, CANNOT, INTERRUPTED = 1, 2, 128 + signal.SIGINT
_GARBAGE = 50_000  # objects until cycles are looked for: imports alone make a hundred times Python's 700, all to stay


def main() -> NoReturn:
    """Runs the program's own arguments and exits: 0 nothing found, 1 found, 2 cannot, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # closed by the caller
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # what is half written is taken away
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy would start threads that wait busily for matrices
    gc.set_threshold(_GARBAGE)
    status = run(sys.argv[1:])
    gc.freeze()  # all that is left goes with the process: nobody needs to look through it
    sys.exit(status)


def run(arguments: Sequence[str]) -> int:
    """Runs a command and answers its exit status; what is wrong goes to standard error, as one line."""
    try:
        return khien.main(list(arguments), "khien", "_KHIEN_COMPLETE", standalone_mode=False) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return CANNOT
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "khien"
        return _cannot(f"{error.format_message().rstrip('.')}: see {path} --help")
    except click.Abort:
        click.echo("khien: interrupted", err=True)
        return INTERRUPTED
    except Error as error:
        return _cannot(str(error))
    except OSError as error:  # the screen or the disk itself; a closed pipe click has seen to
        from khien.packed import refusal  # imports Arrow: a shell waits

        return _cannot(f"{error.filename or 'output'}: {refusal(error)}")
    except Exception as error:  # a fault of ours: status 1 would say "found", and a traceback may hold what was read
        if os.environ.get("KHIEN_DEBUG"):
            raise
        return _cannot(f"{type(error).__name__}, a fault of Khiên's: please report it; KHIEN_DEBUG=1 shows more")
    finally:
        _let_go()


def _let_go() -> None:
    """What standard output refuses now it would refuse again when Python ends, with a traceback."""
    stream = sys.stdout
    if stream is None:
        return
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _cannot(message: str) -> int:
    first, *more = message.splitlines() or [""]
    also = f" (and {len(more)} more)" if more else ""
    click.echo(f"khien: {printable(first)}{also}", err=True)
    return CANNOT


if __name__ == "__main__":
    main()
