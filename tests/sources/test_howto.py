"""The configuration on the page about sources, as far as its parts are made from it."""

import re
import tomllib
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from khien import registry

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "sources.md"
BLOCKS = [
    block
    for text in re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for block in tomllib.loads(text)["source"]
]


@pytest.mark.parametrize("given", BLOCKS, ids=lambda given: given["name"])
def test_what_the_page_says_makes_a_source(given: dict[str, Any]) -> None:
    settings = {name: value for name, value in given.items() if name not in ("name", "kind")}
    made = registry.load("sources", given["kind"])
    known = {field.name for field in fields(made)}
    assert set(settings) <= known - {"clock"}
    clock = {"clock": datetime.now} if "clock" in known else {}  # it is handed to whatever asks for it
    assert msgspec.convert({**settings, **clock}, made).name == given["kind"]
