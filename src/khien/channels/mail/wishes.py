"""Letters to people who wished to be told when their account leaks: nothing in them says what about.

The address is opened here, for as long as the letter takes to hand over. What a server says of it is not passed on: it
may repeat the address, and what is passed on is kept.
"""

from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from typing import ClassVar

import msgspec

from khien import words
from khien.breach import wishes
from khien.channels.mail.post import Post
from khien.errors import InputError, ObservableError, UnavailableError, UncertainError
from khien.model import Delivery, Record, Wish
from khien.packed import secret


@dataclass(frozen=True)
class Wishes:
    """Letters to people whose addresses are sealed.

    post: by which server, in whose name. opens_file: the key by which addresses are opened. site: where our site is;
    contact: whom to ask, as readers see it.
    """

    name: ClassVar[str] = "wishes"
    carries: ClassVar[type[Record]] = Wish
    repeatable: ClassVar[bool] = False

    post: Post
    opens_file: str
    site: str = ""
    contact: str = ""

    def send(self, record: Wish, to: Delivery, commit: Callable[[], None], /) -> str:
        """contracts.Channel"""
        to = msgspec.structs.replace(to, address=wishes.opened(record.sealed, secret(self.opens_file)))
        server = f"mail server {self.post.host}:{self.post.port}"
        try:
            self.post.hand_over(self.written(to), to, commit)
        except ObservableError:
            raise ObservableError(f"{server}: takes no letter to this address, now or ever") from None
        except InputError:
            raise InputError(f"{server}: does not take a letter: the log of that server says why") from None
        except UncertainError:
            raise UncertainError(f"{server}: took all of a letter, and did not say so") from None
        except UnavailableError:
            raise UnavailableError(f"{server}: takes no letter now: the log of that server says why") from None
        return "taken"

    def written(self, to: Delivery) -> EmailMessage:
        """The message."""
        message = self.post.begin(to, words.phrase("wish-subject", to.language), to.due)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834
        text = self.post.below(words.phrase("wish-letter", to.language), self.contact, self.site)
        message.set_content(text, cte="quoted-printable")
        return message
