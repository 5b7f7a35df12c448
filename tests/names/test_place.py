"""Where a name stands: public suffixes as the library has them, estates, popular names, dynamic DNS."""

import re
from collections.abc import Sequence
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from publicsuffixlist import PublicSuffixList

from khien.names import place
from khien.names.program import Program
from khien.names.text import ALIKE, PLAIN

LIST = PublicSuffixList()
CASES = files("publicsuffixlist").joinpath("test_psl.txt").read_text(encoding="utf-8")
RULES = [
    line.split()[0].lstrip("!").replace("*", "any").encode("idna").decode()  # what a star is below is no suffix itself
    for line in files("publicsuffixlist").joinpath("public_suffix_list.dat").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("//")
]


def look(name: str, small: Program, kinds: Sequence[int] = ()) -> list[int]:
    at = [0] * 16
    text = name.encode()
    places = (range(len(text)), range(1, len(text) + 1))
    place.look(text, kinds, *places, bool(kinds), len(text), *small.domains.arguments, *small.estate.arguments, at)
    return at


def expect_as_listed(name: str, small: Program) -> None:
    at = look(name, small)
    assert name[at[place.SUFFIX] :] == LIST.publicsuffix(name)
    registrable = LIST.privatesuffix(name)
    assert name[at[place.REGISTRABLE] :] == (registrable or name)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"^checkPublicSuffix\('([^.'][^']*)'", CASES, re.M))))
def test_agrees_on_the_rules_own_cases(small: Program, name: str) -> None:
    expect_as_listed(name.lower().encode("idna").decode(), small)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "www", "city", "example"]), max_size=3), st.sampled_from(RULES))
def test_agrees_on_every_rule(small: Program, labels: list[str], rule: str) -> None:
    expect_as_listed(".".join([*labels, rule]), small)


def test_a_dynamic_name_is_a_suffix_where_anybody_opens_names(small: Program) -> None:
    name = "login.maubank.mybank.example"
    at = look(name, small)
    assert name[at[place.SUFFIX] :] == "mybank.example"
    assert name[at[place.REGISTRABLE] :] == "maubank.mybank.example"
    assert at[place.HOSTING] == 1
    assert look("login.maubank.example", small)[place.HOSTING] == 0


def test_a_private_suffix_is_hosting(small: Program) -> None:
    assert look("maubank.github.io", small)[place.HOSTING] == 1
    assert look("maubank.com.vn", small)[place.HOSTING] == 0


def test_popular_names_hold_what_is_below_them(small: Program) -> None:
    at = look("www.khachhang.example", small)
    assert (at[place.POPULAR_AT], at[place.POPULAR_LIST]) == (4, 2)
    assert look("akhachhang.example", small)[place.POPULAR_AT] == -1


@pytest.mark.parametrize(
    ("name", "domain", "verified"),
    [
        ("maubank.example", "maubank.example", True),
        ("a.b.maubank.example", "maubank.example", True),
        ("dichvu.khac.com.vn", "khac.com.vn", False),
        ("notmaubank.example", None, False),
        ("maubank.example.vn", None, False),
    ],
)
def test_an_estate_is_a_domain_and_what_is_below(small: Program, name: str, domain: str | None, verified: bool) -> None:
    at = look(name, small)
    if domain is None:
        assert (at[place.ESTATE], at[place.ESTATE_AT]) == (-1, -1)
        return
    assert name[at[place.ESTATE_AT] :] == domain
    assert small.estate_rows[at[place.ESTATE] >> place.ROW_SHIFT][1].domain == domain
    assert bool(at[place.ESTATE] & place.VERIFIED) == verified


def test_a_look_alike_of_a_domain_is_not_that_domain(small: Program) -> None:
    name = "www.maubank.example"
    kinds = [PLAIN] * len(name)
    assert look(name, small, kinds)[place.ESTATE] >= 0
    kinds[name.index("bank")] = ALIKE
    assert look(name, small, kinds)[place.ESTATE] == -1
    kinds = [PLAIN] * len(name)
    kinds[0] = ALIKE  # somebody's own label below the domain
    assert look(name, small, kinds)[place.ESTATE] >= 0
