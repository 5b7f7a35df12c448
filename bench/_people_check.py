"""How soon a question is answered while 200 come every second: links, messages and numbers, by page and by API.

The load is open: questions leave when they are due, however long those before them take, and each is timed from when it
was due. They leave from a process of its own, on the same two cores.
"""

import asyncio
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from urllib.parse import quote_plus

import _made
import msgspec
import numpy as np
from _rows import Bar, Row

from khien.app.configuration import Site
from khien.app.machine import clock
from khien.cli import serve
from khien.listing import propose
from khien.model import Listing, Text
from khien.stores.embedded.store import Embedded

RATE = 200  # questions a second
SECONDS, FEW_SECONDS = 30, 5
FINDINGS, LISTINGS = 100_000, 10_000
BATCH = 20_000  # records saved at a time
ANSWERED = Bar(300, "ms", under=True)
PATIENCE = 30  # seconds for one answer

MESSAGES = (
    "VCB thong bao: tai khoan cua quy khach bi tam khoa, dang nhap https://{}.example.top/otp de xac thuc, OTP 123456",
    "Chào chị, em bên kho hàng, đơn của chị thiếu phí 15.000đ, chị vào {}.example.com giúp em nhé, gọi 0912345678",
    "Mẹ ơi điện thoại con hỏng, mẹ chuyển con 5 triệu vào stk 0123456789012 nhé, con cần gấp lắm {}",
    "Your parcel {} is held at customs. Pay the fee today at https://{}.example.net or it is returned.",
    "Cuối tuần họp lớp ở quán cũ nhé cả nhà, ai đi nhắn mình trước thứ sáu, nhớ mang {} theo",
)
OTHERS = ("https://vneid-{}.example.top/login?x=1", "{}.example.org", "www.vietcombank.com.vn/{}", "lan.{}@example.net")


def speed(quick: bool) -> Iterator[Row]:
    """The one row, and what it took of processor time."""
    seconds = FEW_SECONDS if quick else SECONDS
    with tempfile.TemporaryDirectory(prefix="khien-bench-") as scratch:
        place = Path(scratch) / "data"
        with Embedded.at(place, clock) as store:
            fill(store, FINDINGS // 10 if quick else FINDINGS, LISTINGS // 10 if quick else LISTINGS)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        with serve.site(place, None, Site(listen=f"127.0.0.1:{port}"), replay=False):
            asked = [sys.executable, __file__, str(port), str(seconds)]
            spent = json.loads(subprocess.run(asked, check=True, stdout=subprocess.PIPE).stdout)
    median, slow, slowest = np.percentile(spent, [50, 95, 100])
    said = f"{slow:.0f} ms at the 95th percentile, median {median:.0f}, slowest {slowest:.0f}"
    how = (
        f"{RATE} questions a second for {seconds} s, open loop, timed from when each was due, half by page;"
        f" {FINDINGS:,} findings and {LISTINGS:,} listings there; {os.cpu_count()} cores, the load on them too"
    )
    yield Row("check", ANSWERED, slow, said, how)


def fill(store: Embedded, findings: int, listings: int) -> None:
    """Made-up findings and listings."""
    chance = Random(1)
    for begin in range(0, findings, BATCH):
        store.save(*(_made.finding(number, chance) for number in range(begin, min(begin + BATCH, findings))))
    store.save(*map(listing, range(listings)))


def listing(number: int) -> Listing:
    """A site that was listed."""
    made = propose(
        "host",
        f"{_made.identity(number)[:8]}-listed.example",
        at=clock() - timedelta(days=1),
        harm="fraud",
        conduct=("form",),
        note=Text(vi="Đòi mật khẩu.", en="Asks for passwords."),
        evidence="ab" * 32,
        by=("bench",),
    )
    return msgspec.structs.replace(made, state="listed")


def questions(count: int) -> Iterator[bytes]:
    """Requests, no two alike: links and names, messages, numbers; some of them listed."""
    chance = Random(2)
    for number in range(count):
        mark = f"q{chance.randrange(1 << 40):x}"
        kind = chance.random()
        if kind < 0.45:
            text = chance.choice(MESSAGES).replace("{}", mark)
        elif kind < 0.55:
            text = f"+63 9{chance.randrange(10**9):09}" if kind < 0.5 else f"09{chance.randrange(10**8):08}"
        elif kind < 0.65:
            text = f"https://{_made.identity(chance.randrange(LISTINGS))[:8]}-listed.example/{mark}"
        else:
            text = chance.choice(OTHERS).replace("{}", mark)
        yield request("/api/check" if number % 2 else f"/{chance.choice(('vi', 'en'))}/check", text)


def request(path: str, text: str) -> bytes:
    """An HTTP request that asks."""
    api = path.startswith("/api")
    body = json.dumps({"text": text}) if api else f"text={quote_plus(text)}&sender="
    kind = "application/json" if api else "application/x-www-form-urlencoded"
    head = ("POST {} HTTP/1.1", "Host: localhost:{{port}}", "Content-Type: {}", "Content-Length: {}", "", "")
    return ("\r\n".join(head).format(path, kind, len(body)) + body).encode()


async def load(port: int, asked: Sequence[bytes]) -> list[float]:
    """Asks each when it is due; milliseconds from then until its answer was whole."""
    free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    begun = time.perf_counter() + 0.5

    async def one(number: int, what: bytes) -> float:
        due = begun + number / RATE
        await asyncio.sleep(max(0, due - time.perf_counter()))
        while True:
            fresh = not free
            reader, writer = await asyncio.open_connection("127.0.0.1", port) if fresh else free.pop()
            try:
                writer.write(what)
                head = await reader.readuntil(b"\r\n\r\n")
                break
            except (
                asyncio.IncompleteReadError,
                ConnectionError,
            ):  # it idled: the site closed it
                writer.close()
                if fresh:
                    raise
        status, length = head.split(b" ", 2)[1], int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
        if status != b"200":
            raise SystemExit(f"{status.decode()}: {what.decode()}")
        free.append((reader, writer))
        return (time.perf_counter() - due) * 1000

    spent = await asyncio.wait_for(
        asyncio.gather(*(one(number, what) for number, what in enumerate(asked))), len(asked) / RATE + PATIENCE
    )
    for _, writer in free:
        writer.close()
    return spent


def main() -> None:
    port, seconds = map(int, sys.argv[1:])
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    asked = [each.replace(b"{port}", str(port).encode()) for each in questions(RATE * seconds)]
    print(json.dumps(asyncio.run(load(port, asked))))


if __name__ == "__main__":
    main()
