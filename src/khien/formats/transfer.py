"""Zone transfers (AXFR, RFC 5936; IXFR, RFC 1995): the names that come and go with the records in their messages."""

from collections.abc import Iterable
from typing import Any, NamedTuple, cast

import dns.exception
import dns.message
import dns.rdatatype
import dns.rrset

from khien.errors import FormatError
from khien.packed import first_line

_SOA = dns.rdatatype.SOA
_OF_NO_NAME = {  # records of DNSSEC and of the zone itself come and go while the name they are at stays
    dns.rdatatype.from_text(each) for each in "RRSIG NSEC NSEC3 NSEC3PARAM DNSKEY DS CDS CDNSKEY CSYNC ZONEMD".split()
}
_SIGN_WITHIN = 100  # messages of a signed transfer, RFC 8945 section 5.3.1


class Told(NamedTuple):
    """Names that have a record now and had none, and the other way round; of a full transfer all are said to come."""

    came: list[str]
    gone: list[str]


class Transfer:
    """Takes the messages of one transfer in order, whose sequence dns.xfr has checked.

    full: it was asked for whole (AXFR); else it turns out, since a server may answer IXFR with all it has. signed: its
    messages must be.
    """

    def __init__(self, *, full: bool, signed: bool) -> None:
        self.full = full
        self.serial: int | None = None
        self._signed = signed
        self._unsigned = 0
        self._records = 0
        self._deleting = False
        self._deleted = dict[str, None]()
        self._added = dict[str, None]()
        self._last = ""

    def take(self, message: dns.message.Message) -> Told:
        """FormatError: it begins with no SOA, or nobody has signed it."""
        if self._signed:
            self._unsigned = 0 if message.had_tsig else self._unsigned + 1
            if self._unsigned >= _SIGN_WITHIN:
                raise FormatError("is not signed with the key any more")
        told = Told([], [])
        for records in message.answer:
            self._take(records, told)
        return told

    def expect_whole(self) -> None:
        """FormatError: the last message is not signed."""
        if self._unsigned:
            raise FormatError("ends without a signature by the key")

    def _take(self, records: dns.rrset.RRset, told: Told) -> None:
        self._records += 1
        if records.rdtype == _SOA:
            if self.serial is None:
                self.serial = cast("Any", records)[0].serial
            elif not self.full:
                self._deleting = not self._deleting
                if self._deleting:  # a sequence is over
                    self._tell(told)
            return
        if self.serial is None:
            raise FormatError("does not begin with a SOA record")
        if self._records == 2:
            self.full = True
        if records.rdtype in _OF_NO_NAME:
            return
        name = records.name.to_text(omit_final_dot=True).lower()
        if not self.full:
            (self._deleted if self._deleting else self._added)[name] = None
        elif name != self._last:
            told.came.append(name)
            self._last = name

    def _tell(self, told: Told) -> None:
        """What the sequence came to: a name with records taken away and others added was there before, and stays."""
        told.came.extend(each for each in self._added if each not in self._deleted)
        told.gone.extend(each for each in self._deleted if each not in self._added)
        self._added.clear()
        self._deleted.clear()


def names(wires: Iterable[bytes], *, full: bool) -> Told:
    """What the messages of a transfer that nobody signed come to. FormatError: one of them is no DNS message."""
    transfer, all_told = Transfer(full=full, signed=False), Told([], [])
    for wire in wires:
        try:
            told = transfer.take(dns.message.from_wire(wire, xfr=True, one_rr_per_rrset=not full))
        except (dns.exception.DNSException, ValueError) as error:
            raise FormatError(f"is no DNS message: {first_line(error) or type(error).__name__}") from error
        all_told.came.extend(told.came)
        all_told.gone.extend(told.gone)
    return all_told
