"""Notices by mail: one letter to one address, in text and HTML, which the constituent can end with one POST."""

from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from typing import ClassVar

from khien.channels.mail.post import Post
from khien.formats.letter import Beside, letter
from khien.model import Delivery, Notice, Record
from khien.packed import secret
from khien.triage import tokens


@dataclass(frozen=True)
class Mail:
    """Notices as letters, one to one address.

    post: by which server, in whose name. site: where our site is reached, as https://warn.example.vn, which links begin
    with, and key_file: from which links and codes follow; without both letters carry neither. contact: whom to call, as
    readers see it.
    """

    name: ClassVar[str] = "mail"
    carries: ClassVar[type[Record]] = Notice
    repeatable: ClassVar[bool] = False

    post: Post
    site: str = ""
    key_file: str = ""
    contact: str = ""

    def send(self, record: Notice, to: Delivery, commit: Callable[[], None], /) -> str:
        """contracts.Channel"""
        return self.post.hand_over(self.written(record, to), to, commit)

    def written(self, notice: Notice, to: Delivery) -> EmailMessage:
        """The message. A citizen's carries no link, not even where a mail program would only make a button of it."""
        key = secret(self.key_file) if self.site and self.key_file else b""
        to_citizen = notice.sector == tokens.CITIZEN
        site = self.site.rstrip("/")
        link = site + tokens.notice_path(key, to.language, notice.id) if key and not to_citizen else ""
        code = tokens.code(key, notice.id) if key and to_citizen else ""
        told = letter(notice, to.language, self.post.times, Beside(link, code, self.contact, self.post.signed))
        message = self.post.begin(to, told.subject, notice.revised)
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence is answered to us
        if link.startswith("https:"):
            message["List-Unsubscribe"] = f"<{site}{tokens.unsubscribe_path(key, to.language, to.id)}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
        message.set_content(told.text, cte="quoted-printable")
        message.add_alternative(told.html, subtype="html", cte="quoted-printable")
        return message
