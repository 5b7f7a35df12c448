"""Early warning, end to end: from a certificate in a log to the notice that a mail server took.

    python3 dev bench early [--only latency kills] [--quick] [--json FILE]

``khien run`` reads two logs on loopback into which certificates come at a steady rate; names are resolved, their
registration and their page are asked for, all answered on this machine; mail goes to a real server. latency: how long
from the signed head that holds an imitation of a brand to its notice. kills: the same process killed at random moments
and started again; at the end every imitation is a finding, and no notice arrived twice. Exit status 1: a bar is missed.
"""

import argparse
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles

import _surroundings as around
from _children import environment, khien
from _lists import LISTS, names
from _rows import HEADER, Bar, Row, skipped, table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from khien import schema
from khien.app import machine, registers
from khien.contracts import R, Store
from khien.model import Asset, Constituent, Delivery, Finding, Hearing, Notice, Proof, ProtectedName
from tests.ctlogs import Authority, Log, log_list

ROWS = ("latency", "kills")
MEDIAN, LATE = Bar(2, "s", under=True), Bar(5, "s", under=True)
LOST, TWICE = Bar(1, "lost", under=True), Bar(1, "doubled", under=True)
BRANDS, RATE = 250, 300  # certificates a second
BEAT = 0.1  # seconds between two heads of a log
KILLS = 50
SUFFIXES = ("top", "xyz", "click", "shop", "online")
_IN_MAIL = re.compile(r"([a-z0-9-]+)\[\.\](top|xyz|click|shop|online)")


@dataclass
class World:
    """Logs and all around them, Khiên's configuration for it, and which imitation was published when."""

    folder: Path
    logs: Sequence[Log]
    post: around.Post
    titles: dict[str, str]
    brands: Sequence[ProtectedName]
    chance: random.Random
    authority: Authority = field(default_factory=Authority)
    published: dict[str, float] = field(default_factory=dict[str, float])
    ordinary: list[str] = field(default_factory=list[str])
    count: int = 0

    def beat(self, certificates: int, imitations: int) -> None:
        """Certificates into the logs, imitations among them, and a new head over them."""
        made = [self._imitation() for _ in range(imitations)]
        for _ in range(certificates - imitations):
            self.count += 1
            self.logs[self.count % len(self.logs)].add(self.authority.issue(self._benign(), days=90))
        for each in made:
            self.count += 1
            self.logs[self.count % len(self.logs)].add(self.authority.issue(each, f"www.{each}"))
        at = time.time()
        for log in self.logs:
            log.publish()
        self.published |= dict.fromkeys(made, at)

    def _imitation(self) -> str:
        """A name that imitates a brand whose turn it is, and has a page that bears the brand's name."""
        brand = self.brands[len(self.published) % len(self.brands)]
        suffix = SUFFIXES[len(self.published) // len(self.brands) % len(SUFFIXES)]
        word = brand.words[0].replace(" ", "")
        name = f"{word}-login{len(self.published)}.{suffix}"
        self.titles[name] = self.titles[f"www.{name}"] = f"{brand.label} {brand.words[0]} - sign in"
        self.published[name] = 0.0
        return name

    def _benign(self) -> str:
        label = "".join(self.chance.choices("abcdefghijklmnopqrstuvwxyz", k=6))
        return f"{label}.{self.chance.choice(self.ordinary)}" if self.ordinary else f"{label}.example"

    def start(self) -> "subprocess.Popen[bytes]":
        """``khien run`` over all of it, its words in a file."""
        with (self.folder / "said").open("ab") as said:
            command = [*khien(), "run", "--no-site", str(self.folder / "khien.toml")]
            return subprocess.Popen(command, env=environment(), stdout=said, stderr=said)

    def told(self) -> dict[str, float]:
        """When each imitation first came in a mail."""
        met: dict[str, float] = {}
        with self.post.lock:
            for at, _, text in self.post.taken:
                for label, suffix in _IN_MAIL.findall(text.replace("=\r\n", "")):
                    met.setdefault(f"{label}.{suffix}".removeprefix("www."), at)
        return met


def world(stack: ExitStack, seed: int) -> World:
    """Everything but Khiên itself, up and answering."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="khien-early-")))
    titles: dict[str, str] = {}
    resolver = stack.enter_context(around.names(folder / "names"))
    web = stack.enter_context(around.sites(titles))
    port, post = stack.enter_context(around.mail())
    logs = [stack.enter_context(Log("One")), stack.enter_context(Log("Two", kind="static"))]
    brands = [each for each in registers.load().names if each.words][:BRANDS]
    made = World(folder, logs, post, titles, brands, random.Random(seed))
    if LISTS.is_dir():
        made.ordinary = [each for each in names(LISTS / "nrd_newest.txt.zst")[:20_000] if len(each) < 100]
    for log in logs:
        log.publish()
    rdap = folder / "rdap"
    rdap.mkdir()
    services = [[list(SUFFIXES), [f"http://{around.HERE}:{web}/rdap/"]]]
    for each in ("dns", "ipv4", "ipv6"):
        said = {"version": "1.0", "publication": "2026-11-22T00:00:00Z", "services": services if each == "dns" else []}
        (rdap / f"{each}.json").write_text(json.dumps(said))
    closed = around.free_port()
    (folder / "khien.toml").write_text(
        f"""
        data = "data"
        [[source]]
        name = "ct"
        kind = "ctlog"
        list = "{log_list(folder / "logs.json", *logs)}"
        poll = 0.2
        allow = ["127.0.0.0/8"]
        [[source]]
        name = "resolver"
        kind = "resolver"
        servers = ["{around.HERE}:{resolver}"]
        [[source]]
        name = "site"
        kind = "site"
        servers = ["{around.HERE}:{resolver}"]
        ports = [{closed}, {web}]
        allow = ["127.0.0.0/8"]
        rate = 200.0
        [[source]]
        name = "rdap"
        kind = "rdap"
        bootstrap_folder = "rdap"
        servers = ["{around.HERE}:{resolver}"]
        ports = [{web}]
        allow = ["127.0.0.0/8"]
        rate = 200.0
        [[channel]]
        kind = "mail"
        post = {{ host = "{around.HERE}", port = {port}, security = "none", sender = "warn@khien.example" }}
        [site]
        public = "https://khien.example"
        """
    )
    with machine.store(folder / "data") as store:
        store.save(*constituents(brands))
    return made


def constituents(brands: Sequence[ProtectedName]) -> Iterator[Constituent | Asset]:
    """One for each brand, who wants to hear of everything at once."""
    proof = Proof(how="officer", at=datetime.now(UTC), by="bench", why="made for it")
    for each in brands:
        hearing = Hearing(channel="mail", address=f"soc@{each.id}.example", language="en", least="low")
        yield Constituent(id=each.id, label=each.label, hears=(hearing,))
        yield Asset(
            id=schema.asset_id("brand", each.id, each.id), kind="brand", value=each.id, constituent=each.id, proof=proof
        )


def latency(quick: bool) -> Iterator[Row]:
    """From the head of a log to the mail server's word, at a steady rate."""
    seconds = 20 if quick else 120
    with ExitStack() as stack:
        made = world(stack, 1)
        process = made.start()
        stack.callback(process.kill)
        _warm(made)
        begun = time.monotonic()
        beats = round(seconds / BEAT)
        for beat in range(beats):
            made.beat(round(RATE * BEAT), 1 if beat % 5 == 0 else 0)
            _until(begun + (beat + 1) * BEAT)
        took = time.monotonic() - begun
        missing = _wait(made, 30)
        process.terminate()
        process.wait(30)
        waits = sorted(made.told()[each] - at for each, at in made.published.items() if each not in missing)
    certificates = beats * round(RATE * BEAT)
    how = f"{len(waits)} imitations among {certificates:,} certificates, {certificates / took:.0f}/s from two logs, "
    how += f"{len(made.brands)} brands; resolution, page and registration answered here; {len(missing)} not told"
    if missing:
        how += f", as their titles do not name the brand in a form that is known: {', '.join(sorted(missing)[:3])}"
    if len(waits) < max(2, 0.95 * len(made.published)):
        yield Row("certificate to notice", LATE, float("inf"), f"{len(missing)} never came", how)
        return
    late = quantiles(waits, n=100)[98]
    yield Row("certificate to notice, median", MEDIAN, median(waits), f"{median(waits):.2f} s", how)
    yield Row("certificate to notice, 99 %", LATE, late, f"{late:.2f} s, most {waits[-1]:.2f} s", how)


def _warm(made: World) -> None:
    """Until a first imitation is told: kernels are loaded, logs are at their head."""
    time.sleep(4)
    made.beat(20, 1)
    if missing := _wait(made, 90):
        said = (made.folder / "said").read_text(errors="replace")[-3000:]
        raise RuntimeError(f"nothing was told of {missing}:\n{said}")
    made.published.clear()


def _until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.monotonic()))


def _wait(made: World, seconds: float) -> set[str]:
    """Until all that was published is told, or so long; answers what is not."""
    end = time.monotonic() + seconds
    while (missing := set(made.published) - set(made.told())) and time.monotonic() < end:
        time.sleep(0.2)
    return missing


def kills(quick: bool) -> Iterator[Row]:
    """SIGKILL at random moments while certificates come; then what is there is held against what was published."""
    times = 5 if quick else KILLS
    with ExitStack() as stack:
        made = world(stack, 2)
        process = made.start()
        _warm(made)
        for done in range(times):
            end = time.monotonic() + made.chance.uniform(0.3, 4.5)
            while time.monotonic() < end:
                made.beat(10, 1 if made.chance.random() < 0.3 else 0)
                time.sleep(BEAT)
            process.kill()
            process.wait()
            process = made.start()
            print(f"bench: kill {done + 1} of {times}", file=sys.stderr, flush=True)
        _wait(made, 60)
        time.sleep(2)
        process.terminate()
        process.wait(60)
        with machine.store(made.folder / "data") as store:
            found = {subject for name in made.published for subject in (name, f"www.{name}")}
            there = {each.subject for each in _all(store, Finding, subject=tuple(found))}
            notices = _all(store, Notice)
            states = Counter(each.state for each in _all(store, Delivery))
        noticed = {each.value.removeprefix("www.") for notice in notices for each in notice.subjects}
        with made.post.lock:
            ids = Counter(each for _, each, _ in made.post.taken)
            mails = len(made.post.taken)
    lost = found - there
    unnoticed = set(made.published) - noticed
    doubled = [each for each, count in ids.items() if count > 1]
    said = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    how = f"{times} SIGKILLs of khien run, {len(made.published)} imitations published; deliveries: {said}"
    yield Row("findings lost", LOST, len(lost), f"{len(lost)} {sorted(lost)[:3]}", how)
    yield Row("imitations without a notice", LOST, len(unnoticed), f"{len(unnoticed)} {sorted(unnoticed)[:3]}", how)
    yield Row("notices doubled", TWICE, len(doubled), f"{len(doubled)} of {mails} mails", "Message-IDs at the server")


def _all(store: Store, kind: type[R], **equal: tuple[str, ...]) -> list[R]:
    """Every record of a kind, or those with one of these values."""
    some = [{name: values[n : n + 90]} for name, values in equal.items() for n in range(0, len(values), 90)]
    return [each for asked in some or [{}] for each in store.find(kind, limit=1_000_000, **asked)]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 dev bench early", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=ROWS, default=ROWS)
    parser.add_argument("--quick", action="store_true", help="a short run, to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows as JSON")
    asked = parser.parse_args()
    rows: list[Row] = []
    for name in asked.only:
        if shutil.which(around.NAMED) is None:
            rows.append(skipped(name, None, "there is no named: install BIND (Debian: bind9)"))
        else:
            rows += {"latency": latency, "kills": kills}[name](asked.quick)
    print(table(HEADER, [each.cells() for each in rows]))
    if asked.json:
        asked.json.write_text(json.dumps([each.record() for each in rows], indent=1))
    return 1 if any(each.holds is False for each in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
