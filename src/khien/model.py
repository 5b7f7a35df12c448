"""The nouns people read and sign: frozen, strict records.

Construction does no input or output. Times are UTC and timezone-aware. Collections are tuples.
"""

from datetime import date, datetime, timedelta
from typing import Annotated, ClassVar, Literal, NamedTuple, get_args

import msgspec

Language = Literal["vi", "en"]
Severity = Literal["low", "medium", "high", "critical"]


class Personal(NamedTuple):
    """Marks a field about a person, Annotated: what it is kept for, and until when."""

    purpose: str
    until: str


By = Annotated[str, Personal("so that acts are under a person's name", "what they did is kept no more")]


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every record has in common: its fields are all it is.

    A kind that a store keeps has a field ``id``. indexed: the fields or properties by which it is found and ordered;
    counted: those of them by whose combinations it is counted often, so that a store keeps the counts ready.
    """

    indexed: ClassVar[tuple[str, ...]] = ()
    counted: ClassVar[tuple[str, ...]] = ()


class Domain(Record, frozen=True, kw_only=True):
    """One domain of a protected name's estate, or a pattern over domains, and who says so.

    domain: ``example.vn`` covers itself and every name below it; ``example.{vn,com}`` and ``example-*.vn`` are
    patterns (``*`` within one label). verified: a source confirmed it, and source names it; only then does it suppress.
    """

    domain: str
    verified: bool
    source: str = ""
    note: str = ""


class ProtectedName(Record, frozen=True, kw_only=True):
    """A brand or service whose imitation we look for. A person enters only by their own wish.

    words match anywhere and at one edit; short words need a boundary and a supporting sign beside them.
    Words and lures are written as people write them; diacritics, case, blanks and hyphens do not matter.
    """

    indexed: ClassVar[tuple[str, ...]] = ("sector",)

    id: str
    label: str
    sector: str
    words: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    lures: tuple[str, ...] = ()
    official: tuple[Domain, ...] = ()
    suppliers: tuple[Domain, ...] = ()
    contacts: tuple[str, ...] = ()


class Register(Record, frozen=True, kw_only=True):
    """The protected names of one country or house, and the suffixes only the state can register under."""

    names: tuple[ProtectedName, ...]
    reserved_suffixes: tuple[Domain, ...] = ()


State = Literal["new", "confirmed", "dismissed", "acted-on", "gone", "back"]


class Reason(Record, frozen=True, kw_only=True):
    """Why, as a code with parameters; words.reason says it in both languages."""

    code: str
    params: dict[str, str] = {}


class Step(Record, frozen=True, kw_only=True):
    """One step in the life of a finding: what was done, when, by whom, and why. life.MOVES has the acts."""

    at: datetime
    act: str
    by: By
    why: str = ""


class Finding(Record, frozen=True, kw_only=True):
    """What a detector asserts about an observable, and what became of it.

    id: schema.finding_id in hex. span: first and behind the last character of subject that matched. start, end: when
    sources saw it first and last, null where they do not say; raised: when Khiên first said so. source: where it was
    first met. suppressed: known good, kept and shown on request, never warned about. steps: its life so far.
    """

    indexed: ClassVar[tuple[str, ...]] = ("score", "day", "subject", "claim", "state", "suppressed")
    counted: ClassVar[tuple[str, ...]] = ("detector", "day", "state", "suppressed")

    id: str
    detector: str
    kind: str
    subject: str
    claim: str
    episode: datetime | None = None
    score: float
    start: datetime | None = None
    end: datetime | None = None
    techniques: tuple[str, ...] = ()
    span: tuple[int, int] | None = None
    suppressed: bool = False
    reasons: tuple[Reason, ...] = ()
    measures: dict[str, float] = {}
    source: str = ""
    raised: datetime
    state: State = "new"
    steps: tuple[Step, ...] = ()

    @property
    def day(self) -> date:
        """The day (UTC) it was first seen, as far as is known."""
        return (self.start or self.raised).date()


class SourceState(Record, frozen=True, kw_only=True):
    """How far a source was read: rows read, set aside and findings so far; trouble: why it stands still.

    table: where its rows land, or what comes of them; empty where it never brought any. newest: the latest time that
    its rows tell of; behind: how many rows it knows of and has not read, null where it cannot say.
    """

    id: str
    table: str = ""
    rows: int = 0
    skipped: int = 0
    findings: int = 0
    newest: datetime | None = None
    behind: int | None = None
    read_at: datetime | None = None
    ended: bool = False
    trouble: str = ""


class Expiry(Record, frozen=True, kw_only=True):
    """Proof of an expiry: rows of a table older than before, gone with the files (name and SHA-256) that held them."""

    indexed: ClassVar[tuple[str, ...]] = ("table",)

    id: str
    table: str
    before: datetime
    rows: int
    removed: tuple[tuple[str, str], ...] = ()


class Evidence(Record, frozen=True, kw_only=True):
    """A fact somebody stated about a subject, that lifts a finding or lowers it. triage.evidence has topics and codes.

    id: schema.evidence_id. Of a topic and source the newest stands: since: from when on its code held unbroken, at:
    when it was last stated; both by who stated it.
    """

    indexed: ClassVar[tuple[str, ...]] = ("subject", "at")

    id: str
    subject: str
    topic: str
    code: str
    source: str
    since: datetime
    at: datetime
    params: dict[str, str] = {}


class Inquiry(Record, frozen=True, kw_only=True):
    """What findings ask of a source of evidence: to look into a subject, from due on; asked: when it last did.

    queue: what was never asked does not wait behind what is asked again.
    """

    indexed: ClassVar[tuple[str, ...]] = ("source", "queue", "due")

    id: str
    source: str
    subject: str
    due: datetime
    asked: datetime | None = None

    @property
    def queue(self) -> str:
        """Its source, and whether it was asked before."""
        never, again = self.queues(self.source)
        return never if self.asked is None else again

    @staticmethod
    def queues(source: str) -> tuple[str, str]:
        """The queues of a source, in the order in which it answers them."""
        return f"{source}/new", f"{source}/again"


AssetKind = Literal["domain", "brand", "prefix", "mail-domain"]


class Proof(Record, frozen=True, kw_only=True):
    """That an asset is a constituent's: how it was shown, when, and by which officer where one gave their word.

    estate: of a protected name, by a proven domain of theirs that is among its official ones.
    """

    how: Literal["dns", "mail", "estate", "officer"]
    at: datetime
    by: By = ""
    why: str = ""


class Asset(Record, frozen=True, kw_only=True):
    """What is a constituent's: a domain with what is below it, a protected name by its id, a prefix, a mail domain.

    id: of kind, value and constituent. Only what is proven decides who is told. left: since when it is theirs no more.
    """

    indexed: ClassVar[tuple[str, ...]] = ("kind", "value", "constituent")

    id: str
    kind: AssetKind
    value: str
    constituent: str
    proof: Proof | None = None
    left: datetime | None = None


class Quiet(Record, frozen=True, kw_only=True):
    """Hours in which nothing but the worst is told: begin and end as HH:MM in a time zone of the IANA database."""

    begin: str
    end: str
    zone: str = "Asia/Ho_Chi_Minh"


class Hearing(Record, frozen=True, kw_only=True):
    """One way in which a constituent wishes to hear: from which severity on, at once or gathered.

    secret_file: of a webhook, a file that holds the secret it is signed with. after: told here only when nobody has
    acknowledged for so long; zero: at once with the rest.
    """

    channel: str
    address: Annotated[str, Personal("to tell the constituent what concerns it", "the constituent leaves")] = ""
    language: Language = "vi"
    least: Severity = "medium"
    digest: Literal["at-once", "hourly", "daily"] = "at-once"
    quiet: Quiet | None = None
    secret_file: str = ""
    after: timedelta = timedelta(0)


class Constituent(Record, frozen=True, kw_only=True):
    """Someone we protect: who they are, and how they agreed to hear from us. Assets say what is theirs.

    patience: how long a notice may stay unacknowledged before it is told again, and then at the hearings that wait.
    left: since when they are none any more: nothing is proven then; who they were and where they heard is forgotten.
    """

    indexed: ClassVar[tuple[str, ...]] = ("sector",)

    id: str
    label: Annotated[str, Personal("to know whom we protect", "the constituent leaves")]
    sector: str = ""
    hears: tuple[Hearing, ...] = ()
    patience: timedelta = timedelta(hours=4)
    note: str = ""
    left: datetime | None = None


Unit = Literal["url", "host", "domain"]
SiteClass = Literal["registered-for-harm", "hacked", "shared-hosting", "unclear"]
UNBLOCKED = frozenset[SiteClass]({"hacked", "shared-hosting"})  # its owner is warned instead


class Subject(Record, frozen=True, kw_only=True):
    """What a notice tells of: a finding, the narrowest unit that is meant, and whose fault that unit is."""

    finding: str
    value: str
    claim: str
    unit: Unit = "domain"
    site: SiteClass = "unclear"


NoticeState = Literal["open", "acknowledged", "ours", "closed"]


class Notice(Record, frozen=True, kw_only=True):
    """Findings turned into advice for one constituent: one for a finding or campaign, revised as more is known.

    id: schema.notice_id. subjects: in the order they came, those of a campaign behind the first. reasons: why it is
    said, evidence among them. first_sign: when a source first saw what it tells of. ours: they say that it is theirs.
    label, sector: the constituent's, so that who tells it can address them; own: the site that does harm is theirs, and
    was taken from them.
    """

    indexed: ClassVar[tuple[str, ...]] = ("constituent", "sector", "state", "raised", "severity")
    counted: ClassVar[tuple[str, ...]] = ("state", "severity")

    id: str
    revision: int = 1
    constituent: str
    label: Annotated[str, Personal("to address the constituent", "the notice is over a year old")] = ""
    sector: str = ""
    own: bool = False
    campaign: str = ""
    detector: str
    severity: Severity
    score: float
    subjects: tuple[Subject, ...]
    reasons: tuple[Reason, ...] = ()
    measures: dict[str, float] = {}
    first_sign: datetime | None = None
    raised: datetime
    revised: datetime
    state: NoticeState = "open"
    steps: tuple[Step, ...] = ()


DeliveryState = Literal["due", "sending", "sent", "uncertain", "refused", "withdrawn"]


class Delivery(Record, frozen=True, kw_only=True):
    """One notice, or report of a takedown, on its way through one channel to one address: the outbox.

    id: schema.delivery_id, of about, revision, channel and address: what is asked for twice goes once. sending: handed
    to the other side, whose word is not kept yet; found so after a crash it is uncertain. answer: what the other side
    said; why: what keeps it.
    """

    indexed: ClassVar[tuple[str, ...]] = ("state", "due", "about")
    counted: ClassVar[tuple[str, ...]] = ("state", "channel")

    id: str
    about: str
    revision: int
    channel: str
    address: Annotated[str, Personal("to tell the constituent what concerns it", "the notice is over a year old")]
    language: Language = "vi"
    secret_file: str = ""
    due: datetime
    state: DeliveryState = "due"
    tries: int = 0
    sent: datetime | None = None
    answer: str = ""
    why: str = ""


TakedownState = Literal["asked", "reported", "gone", "back", "closed"]


class Report(Record, frozen=True, kw_only=True):
    """A report of abuse: to whose contact it went, as what (registrar, host, CDN), and when."""

    role: Literal["registrar", "host", "cdn", "owner"]
    address: Annotated[str, Personal("to ask for the end of the abuse", "the takedown is closed for a year")]
    at: datetime


class Takedown(Record, frozen=True, kw_only=True):
    """A harmful site on its way to be gone. id: its finding's. up: when it was first seen up; spells: when it was.

    facts: what a report says of it beside, by name; triage.takedown has the names.
    """

    indexed: ClassVar[tuple[str, ...]] = ("state", "due", "subject")
    counted: ClassVar[tuple[str, ...]] = ("state",)

    id: str
    revision: int = 1
    subject: str
    url: str = ""
    unit: Unit = "domain"
    site: SiteClass = "unclear"
    claim: str
    state: TakedownState = "asked"
    due: datetime
    up: datetime
    spells: tuple[tuple[datetime, datetime | None], ...] = ()
    facts: dict[str, str] = {}
    reports: tuple[Report, ...] = ()
    steps: tuple[Step, ...] = ()

    def hours_up(self, now: datetime) -> float:
        """For how many hours it was up, as far as was seen."""
        spells = ((end or now) - begin for begin, end in self.spells)
        return sum(spells, timedelta(0)) / timedelta(hours=1)


Role = Literal["viewer", "officer", "approver", "administrator"]
ROLES: tuple[Role, ...] = get_args(Role)  # each may do what those before it may


class Passkey(Record, frozen=True, kw_only=True):
    """A WebAuthn credential: its public half, a COSE key in base64url; used: how often, as its authenticator counts."""

    id: str
    key: str
    label: str = ""
    used: int = 0
    made: datetime


class Officer(Record, frozen=True, kw_only=True):
    """Someone who works here under their own name. invited: SHA-256 of a code that lets them bring a passkey."""

    id: str
    label: Annotated[str, Personal("so that acts are under a person's name", "a year after they leave")]
    role: Role
    language: Language = "vi"
    passkeys: tuple[Passkey, ...] = ()
    invited: str = ""
    invited_until: datetime | None = None
    left: datetime | None = None


class Pass(Record, frozen=True, kw_only=True):
    """What lets an officer in: a session of a browser, or a token of a program. id: SHA-256 of what they show."""

    indexed: ClassVar[tuple[str, ...]] = ("officer",)

    id: str
    officer: By
    kind: Literal["session", "token"]
    role: Role
    label: str = ""
    made: datetime
    until: datetime


class Entry(Record, frozen=True, kw_only=True):
    """A leaf of a ledger, in the order it came. id: the ledger's name and the leaf's index in 16 digits.

    salt: what its leaf commits to its text with, in hex. checkpoint: of the ledger as it stood with it.
    """

    indexed: ClassVar[tuple[str, ...]] = ("at",)

    id: str
    at: datetime
    by: By
    act: str
    what: str
    params: dict[str, str] = {}
    salt: str = ""
    checkpoint: str = ""


class Node(Record, frozen=True, kw_only=True):
    """A full subtree of a ledger above its leaves. id: the ledger's name, level and index; hash: in hex."""

    id: str
    hash: str


class Tree(Record, frozen=True, kw_only=True):
    """A ledger as it stands. id: its name; size: its leaves; frontier: hashes in hex of its full subtrees, left to
    right; checkpoint: its signed note (C2SP tlog-checkpoint)."""

    id: str
    size: int = 0
    frontier: tuple[str, ...] = ()
    checkpoint: str = ""


Leaked = Literal[
    "password",
    "password-hash",
    "address",
    "phone",
    "name",
    "birth-date",
    "home",
    "identity-document",
    "face",
    "card",
    "bank-account",
    "session",
    "messages",
    "health",
]  # kinds of what leaks: each has advice of its own
Sensitive = Literal["", "health", "dating", "faith", "politics", "adult"]


class Text(Record, frozen=True, kw_only=True):
    """What people read, in both languages."""

    vi: str
    en: str

    @classmethod
    def of(cls, text: "str | Text") -> "Text":
        """What was written once, for both."""
        return cls(vi=text, en=text) if isinstance(text, str) else text

    def said(self, language: str) -> str:
        """It in one of them."""
        return self.vi if language == "vi" else self.en


class Collection(Record, frozen=True, kw_only=True):
    """What leaked together, and on what ground we hold what we keep of it.

    number: by which files of accounts name it, never given twice. leaked: the day as far as is known. given_by, at,
    basis, purpose: who handed it over, when, on what legal ground and what for. until: the day on which its accounts
    are deleted. sensitive: named only to the proven holder of an address. gone: since when it is deleted.
    """

    indexed: ClassVar[tuple[str, ...]] = ("number", "at")

    id: str
    number: int
    label: str | Text
    about: str | Text = ""
    leaked: date | None = None
    kinds: tuple[Leaked, ...] = ()
    sensitive: Sensitive = ""
    given_by: By
    at: datetime
    basis: str
    purpose: str
    until: date
    gone: datetime | None = None


class Intake(Record, frozen=True, kw_only=True):
    """How far a file of a collection was taken in. id: collection and the digest of what was given.

    rows: read; skipped: set aside, by reason; accounts: distinct and keyed in this intake, fresh: those of them that
    no look-up knew; passwords: distinct pairs are counted when it is merged. done: since when lookups know of it. how:
    it was read, by what that is called at the command line.
    """

    indexed: ClassVar[tuple[str, ...]] = ("collection", "at")

    id: str
    collection: str
    at: datetime
    rows: int = 0
    skipped: dict[str, int] = {}
    accounts: int = 0
    fresh: int = 0
    done: datetime | None = None
    how: dict[str, str] = {}


class Holding(Record, frozen=True, kw_only=True):
    """The file that lookups read: passwords by SHA-1 or NTLM, accounts of an epoch, or accounts met before.

    id: what it is (``sha1``, ``ntlm``, ``public-sha1``, ``accounts-1``, ``known-1``); file: its name, which has its
    content's digest; met: of a file of accounts, how many of its entries are of each collection, by number.
    """

    id: str
    file: str
    entries: int
    met: dict[str, int] = {}
    at: datetime


class Wish(Record, frozen=True, kw_only=True):
    """Somebody wants to be told when their account leaks. id: the first octets of its VOPRF output, in hex.

    epoch, carried: as Removed has them. sealed: their address for whoever delivers, who alone has the key (X25519
    sealed box, base64).
    """

    indexed: ClassVar[tuple[str, ...]] = ("until", "epoch", "carried")

    id: Annotated[str, Personal("to find them among what leaked", "the wish ends or is taken back")]
    epoch: int
    carried: bool = False
    sealed: Annotated[str, Personal("to tell them", "the wish ends or is taken back")]
    language: Language = "vi"
    at: datetime
    until: date


class Removed(Record, frozen=True, kw_only=True):
    """An account that was taken out on its holder's wish: no look-up knows it, and no import brings it back.

    id: the first octets of its VOPRF output, in hex. epoch: of the key that it takes to know the account again;
    carried: a record under a later key stands for it, too, so that this one's need not be kept for it. by: who did it,
    khien where its holder proved the address by mail.
    """

    indexed: ClassVar[tuple[str, ...]] = ("at", "epoch", "carried")

    id: Annotated[str, Personal("so that it stays out", "its epoch's key is given up")]
    epoch: int
    carried: bool = False
    at: datetime
    by: By


Harm = Literal["fraud", "theft", "malware", "attack"]  # a closed list: nothing else is listed
Conduct = Literal["form", "payload", "imitation"]  # asks for secrets; hands out malware; is proven to pass for another
ListingState = Literal["proposed", "listed", "contested", "removed", "expired"]


class Appeal(Record, frozen=True, kw_only=True):
    """The owner of what is listed objects: they proved control, and say why. due: by when it is decided; decided: when
    it was; outcome: empty until then."""

    at: datetime
    how: Literal["dns", "file"]
    why: Annotated[str, Personal("to decide on the objection", "a year after it is decided")]
    due: datetime
    decided: datetime | None = None
    outcome: Literal["", "kept", "removed", "expired"] = ""


class Listing(Record, frozen=True, kw_only=True):
    """A site that does harm, publicly so, and who answers for that: listing.judge says what may be one.

    id: listing.listing_id, of unit and value: a place has one. value: a URL without query and fragment, a host or a
    registrable domain, as canon writes them; host: of it. evidence: SHA-256 of what shows the conduct. note: in
    officers' words, beside the reasons. by: who decided, two where the name is popular or official. until: never null.
    leaves: its entries in the log of listings, by index, the first first.
    """

    indexed: ClassVar[tuple[str, ...]] = ("since", "until", "state", "host", "value", "outcome")
    counted: ClassVar[tuple[str, ...]] = ("state", "harm", "outcome")

    id: str
    unit: Unit
    value: str
    host: str
    site: SiteClass = "unclear"
    harm: Harm
    conduct: tuple[Conduct, ...]
    reasons: tuple[Reason, ...] = ()
    note: Text
    evidence: str
    finding: str = ""
    state: ListingState = "listed"
    since: datetime
    until: datetime
    by: Annotated[tuple[str, ...], Personal("so that acts are under a person's name", "it is kept no more")] = ()
    appeal: Appeal | None = None
    leaves: tuple[int, ...] = ()

    @property
    def outcome(self) -> str:
        """What came of its owner's objection; empty where nobody objected, or it is not decided."""
        return self.appeal.outcome if self.appeal else ""

    @property
    def blocks(self) -> bool:
        """Whether outputs name it: what was hacked or is shared by many never is."""
        return self.state in ("listed", "contested") and self.site not in UNBLOCKED


class Leaf(Record, frozen=True, kw_only=True):
    """An entry of the log of listings. id: the log's name and the index in 16 digits. commitment: SHA-256 in hex of
    salt and text, the leaf of the log; both are empty once they are redacted, and it stays."""

    id: str
    at: datetime
    listing: str
    text: str
    salt: str
    commitment: str


class Tile(Record, frozen=True, kw_only=True):
    """Up to 256 hashes beside each other in a log (C2SP tlog-tiles). id: the log's name, level and index; hashes: one
    behind the other, in base64."""

    id: str
    hashes: str
