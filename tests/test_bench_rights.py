"""The rows of rights: nothing of lawful speech is listed, and what the same rules list of scams beside it is all."""

import importlib
from pathlib import Path

import pytest


def test_the_rules_list_no_speech_and_do_list_scams() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1] / "bench")
        speech, scams = importlib.import_module("_people_rights").rights()
    assert (speech.reached, scams.reached) == (0, 100)
    assert "the control" in scams.how
