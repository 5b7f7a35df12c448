"""What a person types so that nobody sees it: addresses, numbers and passwords, never as an argument of a command."""

import warnings
from getpass import GetPassWarning

import click

from khien import words
from khien.errors import InputError


def typed(prompt: str, language: str) -> bytes:
    """Asks for it. prompt: its phrase. InputError: there is no terminal on which it would not be seen."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", GetPassWarning)
        try:
            said = click.prompt(words.phrase(prompt, language), hide_input=True, err=True)
        except GetPassWarning:
            raise InputError("there is no terminal to type on unseen: run it on one") from None
    return said.encode("utf-8", "replace")
