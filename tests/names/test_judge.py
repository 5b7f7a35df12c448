"""The terms of a match: each name is its constant's, each weight its term's."""

import numpy as np

from khien.names import judge, weights


def test_a_term_is_called_what_its_constant_is() -> None:
    for place, term in enumerate(judge.TERMS):
        name = term.upper().replace("-", "_")
        found = [each for each in (name, f"IS_{name}") if getattr(judge, each, None) == place]
        assert found, f"no constant of term {place}, {term}"


def test_each_term_has_its_weight() -> None:
    assert tuple(weights.BY_TERM) == judge.TERMS
    assert weights.WEIGHTS.shape == (judge.N_TERMS,)
    assert np.isfinite(weights.WEIGHTS).all()


def test_a_short_word_needs_a_sign() -> None:
    terms = [0.0] * judge.N_TERMS
    assert not judge.unsupported(terms)
    terms[judge.IS_SHORT] = 1.0
    assert judge.unsupported(terms)
    terms[judge.LURE] = 0.2
    assert not judge.unsupported(terms)


def test_what_is_inside_an_ordinary_word_needs_a_lure() -> None:
    terms = [0.0] * judge.N_TERMS
    terms[judge.INSIDE] = terms[judge.CHEAP_SUFFIX] = 1.0
    assert judge.unsupported(terms)
    terms[judge.OWN_LURE] = 1.0
    assert not judge.unsupported(terms)
