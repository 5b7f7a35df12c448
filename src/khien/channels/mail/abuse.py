"""Reports of abuse by mail, to who can take a site down: a letter for people, with XARF for programs attached."""

from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from typing import ClassVar

from khien.channels.mail.post import Post
from khien.errors import InputError
from khien.formats import xarf
from khien.model import Delivery, Record, Takedown


@dataclass(frozen=True)
class Abuse:
    """Reports of abuse by mail, a letter with XARF attached.

    post: by which server, in whose name; answers come to its reply_to. contact: how who reads it reaches a person.
    """

    name: ClassVar[str] = "abuse"
    carries: ClassVar[type[Record]] = Takedown
    repeatable: ClassVar[bool] = False

    post: Post
    contact: str = ""

    def send(self, record: Takedown, to: Delivery, commit: Callable[[], None], /) -> str:
        """contracts.Channel"""
        return self.post.hand_over(self.written(record, to), to, commit)

    def written(self, takedown: Takedown, to: Delivery) -> EmailMessage:
        """The message. InputError: nothing was decided to be reported to this address."""
        told = xarf.complaint(takedown, to.address)
        if told is None:
            raise InputError(f"takedown {takedown.id[:12]}: nothing is to be reported to {to.address}")
        post = self.post
        signed = "\n".join(each for each in (post.signed, self.contact) if each)
        by = xarf.Reporter(post.signed, post.reply_to or post.sender, post.domain)
        message = post.begin(to, xarf.subject(told, to.language), told.now.at)
        message.set_content(xarf.text(told, to.language, post.times, signed), cte="quoted-printable")
        report = xarf.xarf(told, by, to.id)
        message.add_attachment(report, maintype="application", subtype="json", filename="xarf.json")
        return message
