"""The pages that the code writes itself, as Markdown: what is there once is never typed twice."""

import inspect
import os
import re
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path

from khien import contracts, errors, registry
from khien.cli.acting import COMMANDS
from khien.errors import UnavailableError
from khien.model import ROLES
from khien.officers import may
from khien.web.doors import ACCESS, Least


def parts() -> str:
    """Every registered part, shelf by shelf."""
    lines = ["# Parts", "", "What the registry knows, by the name that commands and configuration use.", ""]
    for shelf in registry.SHELVES:
        rows = [f"| `{name}` | {summary(shelf, name)} |" for name in registry.names(shelf)]
        if rows:
            lines += [f"## {shelf}", "", "| name | what it does |", "| --- | --- |", *rows, ""]
    return "\n".join(lines)


def summary(shelf: str, name: str) -> str:
    try:
        return first_line(registry.load(shelf, name))
    except UnavailableError as error:
        return str(error)


def error_tree() -> str:
    """Every error, under the one it is a kind of."""

    def branch(kind: type[errors.Error], depth: int) -> Iterator[str]:
        yield f"{'  ' * depth}- `{kind.__name__}`: {first_line(kind)}"
        for below in kind.__subclasses__():
            yield from branch(below, depth + 1)

    introduction = "One branch per reaction: catch the branch, not the leaf."
    return "\n".join(["# Errors", "", introduction, "", *branch(errors.Error, 0), ""])


def contract_page() -> str:
    """contracts.py as it stands."""
    introduction = "Every part keeps one of these. `khien.testing` holds it to it."
    return f"# Contracts\n\n{introduction}\n\n```python-source\n{inspect.getsource(contracts).strip()}\n```\n"


def roles() -> str:
    """What each role may do: every page, call and command."""
    pages: dict[str, Least] = {
        route: least for route, least in ACCESS.items() if not route.split(" ")[1].startswith("/api")
    }
    calls: dict[str, Least] = {route: least for route, least in ACCESS.items() if route not in pages}
    tables: dict[str, Mapping[str, Least]] = {"Pages": pages, "Calls": calls, "Commands": COMMANDS}
    lines = ["# Who may do what", "", "`{lang}` is `vi` or `en`. [Roles](../roles.md) says what they are."]
    for title, table in tables.items():
        lines += ["", f"## {title}", "", f"| | anyone | {' | '.join(ROLES)} |", "| --- |" + " --- |" * (len(ROLES) + 1)]
        for what, least in table.items():
            let = [least == "anyone", *(least == "anyone" or may(role, least) for role in ROLES)]
            lines.append(f"| `{what}` | {' | '.join('yes' if each else '' for each in let)} |")
    return "\n".join([*lines, ""])


def commands() -> str:
    """The help of khien and of each of its commands."""
    sections = [f"## `{' '.join(words)}`\n\n```text\n{said}\n```\n" for words, said in helps(("khien",))]
    return "# Commands\n\n" + "\n".join(sections)


def helps(words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    khien = Path(sysconfig.get_path("scripts")) / "khien"
    environment = os.environ | {"COLUMNS": "88", "NO_COLOR": "1"}
    command = [khien, *words[1:], "--help"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()
    yield words, said
    _, _, listed = said.partition("\nCommands:\n")
    for name in re.findall(r"^  ([a-z][\w-]*)", listed, re.MULTILINE):
        yield from helps((*words, name))


def first_line(thing: type) -> str:
    return (inspect.getdoc(thing) or "").partition("\n")[0].replace("|", "\\|")
