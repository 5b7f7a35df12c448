"""Builds the site: python docs/build.py SITE. A link that leads nowhere fails the build.

A dozen pages need no more than markdown-it-py and pygments, which come with rich: so the site builds wherever the
tests run, and loads nothing from anywhere when it is read.
"""

import posixpath
import re
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping
from html import escape
from pathlib import Path
from string import Template

import picture
import reference
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
_COMMENT = re.compile(r"(?m)^<!--.*?-->\n")  # for who writes, not for who reads
ABOUT = ("GLOSSARY.md", "CONTRIBUTING.md", "CODE_OF_CONDUCT.md", "SECURITY.md", "CHANGELOG.md")
GENERATED = {
    "docs/reference/commands.md": reference.commands,
    "docs/reference/parts.md": reference.parts,
    "docs/reference/contracts.md": reference.contract_page,
    "docs/reference/errors.md": reference.error_tree,
    "docs/reference/roles.md": reference.roles,
}
FOLDERS = {"": "Khiên", "howto": "How to", "reference": "Reference", "adr": "Decisions", "about": "About"}
FIRST = ("docs/index.md", "docs/tutorial.md")  # of their folder; the others follow by name


def main(site: Path) -> None:
    shutil.rmtree(site, ignore_errors=True)
    pages = {name: Page(name, text) for name, text in read().items()}
    pictures = {"docs/architecture.svg": picture.architecture(), "docs/findings.svg": picture.life()}
    shots = {f"docs/pictures/{path.name}": path for path in sorted((DOCS / "pictures").glob("*.png"))}
    broken = [problem for page in pages.values() for problem in page.resolve(pages, {*pictures, *shots})]
    if broken:
        sys.exit("\n".join(broken))
    for page in pages.values():
        write(site / page.address, page.html(pages))
    for name, text in pictures.items():
        write(site / address(name), text)
    for name, path in shots.items():
        (site / address(name)).parent.mkdir(exist_ok=True)
        shutil.copyfile(path, site / address(name))
    write(site / "style.css", (DOCS / "style.css").read_text(encoding="utf-8") + colours())
    print(f"{len(pages)} pages in {site}")


def read() -> dict[str, str]:
    """Every page's Markdown by its path in the repository: what people wrote, and what the code writes."""
    written = [*DOCS.rglob("*.md"), *(ROOT / name for name in ABOUT if (ROOT / name).exists())]
    texts = {path.relative_to(ROOT).as_posix(): _COMMENT.sub("", path.read_text(encoding="utf-8")) for path in written}
    return texts | {name: generate() for name, generate in GENERATED.items()}


def address(name: str) -> str:
    """Where a file of the repository is on the site."""
    inside = name.removeprefix("docs/") if name.startswith("docs/") else f"about/{name.lower()}"
    return re.sub(r"\.md$", ".html", inside)


class Page:
    """One Markdown file on its way to HTML."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.address = address(name)
        self.markdown = MarkdownIt("commonmark", {"html": False, "highlight": coloured}).enable("table")
        self.tokens = self.markdown.parse(text)
        headings = list(self._headings())
        self.anchors = {anchor for anchor, _ in headings}
        self.title = headings[0][1] if headings else name

    def _headings(self) -> Iterator[tuple[str, str]]:
        for opening, inline in zip(self.tokens, self.tokens[1:], strict=False):
            if opening.type == "heading_open":
                text = "".join(child.content for child in inline.children or ())
                anchor = re.sub(r"[^\w\- ]", "", text.lower()).strip().replace(" ", "-")
                opening.attrSet("id", anchor)
                yield anchor, text

    def resolve(self, pages: Mapping[str, "Page"], pictures: Collection[str]) -> Iterator[str]:
        """Turns links between files into links between pages; says which lead nowhere."""
        for token, attribute in self._links():
            target, hash_mark, anchor = str(token.attrs[attribute]).partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            name = posixpath.normpath(posixpath.join(posixpath.dirname(self.name), target)) if target else self.name
            if not (name in pictures or (name in pages and (not anchor or anchor in pages[name].anchors))):
                yield f"{self.name}: the link to {token.attrs[attribute]} leads nowhere"
            token.attrSet(attribute, self.towards(address(name)) + hash_mark + anchor)

    def _links(self) -> Iterator[tuple[Token, str]]:
        for block in self.tokens:
            for token in block.children or ():
                if token.type == "link_open":
                    yield token, "href"
                elif token.type == "image":
                    yield token, "src"

    def towards(self, place: str) -> str:
        return posixpath.relpath(place, posixpath.dirname(self.address) or ".")

    def html(self, pages: Mapping[str, "Page"]) -> str:
        template = Template((DOCS / "page.html").read_text(encoding="utf-8"))
        return template.substitute(
            title=escape(self.title),
            style=self.towards("style.css"),
            navigation=self.navigation(pages),
            body=self.markdown.renderer.render(self.tokens, self.markdown.options, {}),
        )

    def navigation(self, pages: Mapping[str, "Page"]) -> str:
        parts: list[str] = []
        for folder, heading in FOLDERS.items():
            here = [page for page in pages.values() if posixpath.dirname(page.address) == folder]
            here.sort(key=lambda page: (page.name not in FIRST, page.name))
            if here:
                parts.append(f"<h2>{heading}</h2><ul>{''.join(map(self.entry, here))}</ul>")
        return "\n".join(parts)

    def entry(self, page: "Page") -> str:
        current = ' aria-current="page"' if page is self else ""
        return f'<li><a href="{self.towards(page.address)}"{current}>{escape(page.title)}</a></li>'


def coloured(code: str, language: str, _options: str) -> str:
    try:
        lexer = get_lexer_by_name(language.removesuffix("-source"))
    except ClassNotFound:
        return ""  # markdown-it then escapes the code itself
    return highlight(code, lexer, HtmlFormatter(nowrap=True))


def colours() -> str:
    """The style sheet of highlighted code, by day and by night."""
    day = HtmlFormatter(style="friendly").get_style_defs("code")
    night = HtmlFormatter(style="github-dark").get_style_defs("code")
    return f"{day}\n@media (prefers-color-scheme: dark) {{\n{night}\n}}\n"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
