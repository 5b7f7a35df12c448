"""Everything Khiên raises, one branch per reaction of the caller.

A message names the thing, the place (file, line, field) and what would be right.
"""


class Error(Exception):
    """The root: catch it only where a person is told."""


class InputError(Error):
    """Fix what you gave us."""


class ObservableError(InputError):
    """A name, URL, address or number that is none."""


class FormatError(InputError):
    """A document that does not keep its format."""


class ConfigError(InputError):
    """A setting that is missing, unknown or of the wrong kind."""


class UnavailableError(Error):
    """Try again later."""


class UncertainError(Error):
    """It may have happened: look before you do it again."""


class ConflictError(Error):
    """Somebody moved it meanwhile: read again, decide again."""


class RefusedError(Error):
    """Ask someone who may decide."""


class SharingError(RefusedError):
    """This may not leave, or not to this partner."""


class ListingError(RefusedError):
    """This may not be listed; rule: the code of the rule that says so."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


class TransitionError(RefusedError):
    """This step does not follow from the state it is in."""


class CustodyError(Error):
    """Stop, and call the evidence officer."""


class ContractError(Error):
    """A part broke its contract: report a bug."""
