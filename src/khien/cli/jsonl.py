"""Findings as lines of JSON, in both languages: for programs, so names are as they are.

Lines are put together column by column in Arrow, and Python sees each brand and each reason of a batch once: a scan
whose findings are a hundredth of its names would else spend more on writing than on finding.
"""

import json
from functools import lru_cache

import msgspec
import pyarrow as pa
from pyarrow.compute import MatchSubstringOptions, call_function

from khien import words
from khien.cli.columns import PLACES, Why, distinct_reasons, scalar

_KEPT = 1 << 15  # sentences kept: most findings of a batch repeat those of the last
_UNPLAIN = MatchSubstringOptions(r"[^ -!#-\[\]-~]")  # what JSON or a terminal may not get as it is


class Jsonl:
    """Encodes findings as JSON lines."""

    def encode(self, batch: pa.RecordBatch, /) -> bytes:
        """A line for each of schema.FINDINGS. What could move a cursor is escaped: a terminal may read it."""
        reasons, whys = distinct_reasons(batch["reasons"])
        said = [_sentences(why) for why in whys]
        english, vietnamese = (_listed(reasons, [each[n] for each in said]) for n in (0, 1))
        lines = _concatenated(
            '{"domain":',
            _quoted(batch["subject"]),
            ',"brand":',
            _repeated(batch["claim"]),
            ',"techniques":[',
            _joined(pa.ListArray.from_arrays(batch["techniques"].offsets, _repeated(batch["techniques"].values))),
            '],"score":',
            pa.array(batch["score"].to_numpy().round(PLACES).tolist(), pa.float64()).cast(pa.string()),
            ',"span":',
            _places(batch["span"]),
            ',"reasons":{"en":[',
            english,
            '],"vi":[',
            vietnamese,
            "]}",
            call_function("if_else", [batch["suppressed"], scalar(',"suppressed":true'), scalar("")]),
            "}\n",
        )
        return _text_of(lines)


@lru_cache(_KEPT)
def _sentences(why: Why) -> tuple[str, str]:
    """A reason in English and Vietnamese, as JSON."""
    code, params = why
    return _string(words.reason(code, dict(params), "en")), _string(words.reason(code, dict(params), "vi"))


def _string(text: str) -> str:
    """Text as a JSON string."""
    if text.isprintable():
        return msgspec.json.encode(text).decode()
    return json.dumps(text).replace("\x7f", "\\u007f")


def _quoted(texts: pa.StringArray) -> pa.StringArray:
    """Texts, hardly any of them twice, as JSON strings."""
    if call_function("any", [call_function("match_substring_regex", [texts], _UNPLAIN)]).as_py():
        return pa.array(map(_string, texts.to_pylist()), pa.string())
    return _concatenated('"', texts, '"')


def _repeated(texts: pa.StringArray) -> pa.StringArray:
    """Texts, most of them many times, as JSON strings."""
    encoded = texts.dictionary_encode()
    return pa.array(map(_string, encoded.dictionary.to_pylist()), pa.string()).take(encoded.indices)


def _listed(numbers: pa.ListArray, strings: list[str]) -> pa.StringArray:
    """Lists of indices into strings as the strings, commas between them."""
    return _joined(pa.ListArray.from_arrays(numbers.offsets, pa.array(strings, pa.string()).take(numbers.values)))


def _places(spans: pa.FixedSizeListArray) -> pa.StringArray:
    places = spans.values.slice(2 * spans.offset, 2 * len(spans)).fill_null(0).to_pylist()
    begin, end = (pa.array(places[n::2], pa.int32()).cast(pa.string()) for n in (0, 1))
    return call_function("if_else", [spans.is_valid(), _concatenated("[", begin, ",", end, "]"), scalar("null")])


def _joined(lists: pa.ListArray) -> pa.StringArray:
    return call_function("binary_join", [lists, scalar(",")])


def _concatenated(*texts: pa.StringArray | str) -> pa.StringArray:
    return call_function(
        "binary_join_element_wise", [*(scalar(text) if isinstance(text, str) else text for text in texts), scalar("")]
    )


def _text_of(lines: pa.StringArray) -> bytes:
    """All lines, one behind the other, as they lie in memory anyway."""
    begin, end = lines.offset, lines.offset + len(lines)
    offsets = memoryview(lines.buffers()[1]).cast("i")
    return lines.buffers()[2].slice(offsets[begin], offsets[end] - offsets[begin]).to_pybytes()
