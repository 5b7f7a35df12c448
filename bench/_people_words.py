"""The row `words`: every text in both languages, plans for all the harms, short sentences, contacts with their date.

Counted in what is shipped, on this day: nothing here depends on the machine.
"""

import importlib
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from _rows import Bar, Row

from khien import words as said
from khien.app import guides
from khien.formats.guide.reading import MOST_WORDS, sentences
from khien.formats.guide.records import HARMS, Said

ADVICE = ("advice-", "do-")  # how codes of texts begin that tell people what to do; notices tell organisations


def words(quick: bool = False) -> Iterator[Row]:
    """Four rows; quick: the same."""
    del quick
    guide = guides.shipped()
    plans = [each for each in guide.plans.plan if not each.young]
    how = f"{len(guide.plans.plan)} plans, {len(guide.plans.plan) - len(plans)} of them for who is under 18"
    yield Row("harms with a plan", Bar(len(HARMS), "harms"), len(plans), f"{len(plans)} of {len(HARMS)}", how)

    entries = {language: _entries(language) for language in said.LANGUAGES}
    every = set().union(*entries.values())
    both = [key for key in every if all(entries[language].get(key, "").strip() for language in said.LANGUAGES)]
    advice = list(_texts((guide.plans, guide.contacts)))
    share = 100 * (len(both) + sum(bool(vi.strip() and en.strip()) for vi, en in advice)) / (len(every) + len(advice))
    how = f"{len(every)} texts of the catalogues, {len(advice)} of plans and contacts"
    yield Row("texts in both languages", Bar(100, "%"), share, f"{share:.4g} %", how)

    told = [
        text
        for key in both
        if key[0] != "notice" and key[1].startswith(ADVICE)
        for text in (entries["vi"][key], entries["en"][key])
    ]
    lengths = [length for text in (*told, *(text for pair in advice for text in pair)) for length in sentences(text)]
    how = f"{len(lengths)} sentences of advice; of Vietnamese, each syllable counts as a word"
    bar = Bar(MOST_WORDS + 1, "words", under=True)
    yield Row("longest sentence of advice", bar, max(lengths), f"{max(lengths)} words", how)

    today = datetime.now(UTC).date()
    standing = [guide.contacts.standing(each, today) for each in guide.contacts.contact]
    reached = [each for each in standing if each != "known"]
    dated = 100 * sum(each in ("checked", "stale") for each in reached) / len(reached)
    how = f"{reached.count('stale')} stale today; {reached.count('unconfirmed')} are shown as not confirmed"
    yield Row("contacts with a date", None, dated, f"{dated:.0f} % of {len(reached)}", how)


def _entries(language: str) -> dict[tuple[str, str], str]:
    sys.path.append(str(Path(__file__).parents[1] / "generate"))
    catalogues = importlib.import_module("catalogues")
    folder = catalogues.LOCALE / language / "LC_MESSAGES"
    found = [catalogues.read((folder / f"{each}.po").read_text(encoding="utf-8")) for each in ("khien", "site")]
    return {key: text for each in found for key, text in each.items() if key[0]}


def _texts(of: object) -> Iterator[tuple[str, str]]:
    """Every pair of texts within plans and contacts, but for what letters say: those are not read in fear."""
    if isinstance(of, tuple):
        for each in of:
            yield from _texts(each)
    elif isinstance(of, Said):
        yield of.vi, of.en
    for name in getattr(of, "__struct_fields__", ()):
        if name != "text":
            yield from _texts(getattr(of, name))
