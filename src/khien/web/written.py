"""What is asked of the modules of the site that write files into a folder, and how they end where they cannot."""

import sys
from collections.abc import Generator
from contextlib import contextmanager

from khien.app.configuration import Serving
from khien.errors import Error
from khien.web.site import told


@contextmanager
def asked_for() -> Generator[Serving]:
    """The settings that the process was started with; what fails in the block ends it with a line that says why."""
    try:
        yield told()
    except OSError as error:
        sys.exit(f"khien: {error.filename}: {error.strerror or error}: give a folder that can be written")
    except Error as error:
        sys.exit(f"khien: {error}")
