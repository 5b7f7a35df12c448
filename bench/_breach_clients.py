"""Row ``clients``: how many of thirteen clients of Pwned Passwords are served rightly, as the tests ask them."""

import importlib.util
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from _rows import Bar, Row, skipped

ROOT = Path(__file__).parents[1]
ENOUGH = Bar(11, "clients")
NAME = "real clients served"


def clients() -> Iterator[Row]:
    """One row; what each of them came to is said as it is known."""
    if not importlib.util.find_spec("pytest"):
        yield skipped(NAME, ENOUGH, "the tests are not here: python3 dev setup dev")
        return
    with tempfile.TemporaryDirectory(prefix="khien-bench-") as scratch:
        told = Path(scratch) / "told.xml"
        tests = (sys.executable, "-m", "pytest", "--quiet", "tests/clients", f"--junitxml={told}")
        subprocess.run(tests, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)  # what failed is what is told
        cases = list(ElementTree.parse(told).iter("testcase"))
    passed, absent = dict[str, bool](), set[str]()
    for case in cases:
        if found := re.fullmatch(r"test_client\[(.+?)(?:-padded)?\]", case.get("name", "")):
            passed[found[1]] = passed.get(found[1], True) and len(case) == 0
            if case.find("skipped") is not None:
                absent.add(found[1])
    if absent:
        why = f"{len(absent)} of {len(passed)} are not here: .venv/bin/python tests/clients/prepare.py"
        yield skipped(NAME, ENOUGH, why)
        return
    for name, well in sorted(passed.items()):
        print(f"bench: {name}: {'passes' if well else 'FAILS'}", file=sys.stderr, flush=True)
    count, failed = sum(passed.values()), [name for name, well in passed.items() if not well]
    how = "each asked for passwords that leaked, that did not, and one of an empty range; padded, too, where it can"
    if failed:
        how += f"; fail: {', '.join(failed)}"
    yield Row(NAME, ENOUGH, count, f"{count} of {len(passed)}", how)
