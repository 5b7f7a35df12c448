"""Makes screenshots of every page, docs/pictures, in a Chromium that is installed, and the page that shows them.

python3 generate/screenshots.py [NAME ...]

Of the bundled samples, in both languages, as a telephone and as a desk shows them: docs/pages.md; beside them those of
the README. With names of pages, only theirs are made.
"""

import shutil
import sys
from pathlib import Path

from _pages import PAGES, Place, Shown, served
from _png import small
from playwright.sync_api import Browser, Page, sync_playwright

from khien import words

DOCS = Path(__file__).parent.parent / "docs"
PICTURES = DOCS / "pictures"
SIZES = {"phone": (390, 844), "desk": (1280, 900)}  # pixels
README = {"picture": (1000, 2480)}  # name of a page to the width and height at which the README shows it
HEAD = """\
# Every page, as people see it

Made from the bundled samples by `python3 generate/screenshots.py`; never by hand. Each page on a telephone (390 × 844)
and at a desk (1280 × 900), in Vietnamese and in English. What is below the fold is not shown.
"""


def main() -> None:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("there is no Chromium: install chromium")
    unknown = set(sys.argv[1:]) - {each.name for each in PAGES}
    if unknown:
        sys.exit(f"no page {', '.join(sorted(unknown))}: there are {', '.join(each.name for each in PAGES)}")
    asked = [each for each in PAGES if not sys.argv[1:] or each.name in sys.argv[1:]]
    PICTURES.mkdir(exist_ok=True)
    with served() as place, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        blank = browser.new_page()
        for shown in asked:
            shoot(browser, blank, place, shown)
            print(shown.name)
        browser.close()
    (DOCS / "pages.md").write_text(page(), encoding="utf-8")


def shoot(browser: Browser, blank: Page, place: Place, shown: Shown) -> None:
    """A page in all languages and sizes, from browsers of their own."""
    sizes = {f"-{name}": size for name, size in SIZES.items()} | (
        {"": README[shown.name]} if shown.name in README else {}
    )
    for suffix, (width, height) in sizes.items():
        for language in words.LANGUAGES:
            context = place.visit(browser, shown.officer, viewport={"width": width, "height": height})
            opened = context.new_page()
            place.show(opened, shown, language)
            if shown.typed:
                opened.locator("#answer, #leaks").first.scroll_into_view_if_needed()
            picture = small(blank, opened.screenshot())
            (PICTURES / f"{shown.name}-{language}{suffix}.png").write_bytes(picture)
            context.close()


def page() -> str:
    """docs/pages.md."""
    parts = [HEAD]
    for shown in PAGES:
        parts.append(f"## {shown.name}\n\n`{shown.route or '/'}`{', signed in' if shown.officer else ''}\n")
        for name in SIZES:
            row = (
                f"![{shown.name}, {language}, {name}](pictures/{shown.name}-{language}-{name}.png)"
                for language in words.LANGUAGES
            )
            parts.append(" ".join(row) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    main()
