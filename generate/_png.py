"""Pictures of few colours, small: PNG with a palette (W3C PNG, third edition), made of whatever Chromium shows."""

import base64
import struct
import zlib
from typing import Any

import numpy as np
from playwright.sync_api import Page

COLOURS = 128
_RAW = """
async png => {
  const shown = await createImageBitmap(await (await fetch("data:image/png;base64," + png)).blob());
  const canvas = new OffscreenCanvas(shown.width, shown.height).getContext("2d");
  canvas.drawImage(shown, 0, 0);
  const { data } = canvas.getImageData(0, 0, shown.width, shown.height);
  const told = await new Promise(done => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.split(",")[1]);
    reader.readAsDataURL(new Blob([data]));
  });
  return [shown.width, shown.height, told];
}
"""


def small(blank: Page, png: bytes) -> bytes:
    """The same picture in 128 colours. blank: a page without a policy, in whose browser the picture is decoded."""
    width, height, told = blank.evaluate(_RAW, base64.b64encode(png).decode())
    pixels = np.frombuffer(base64.b64decode(told), np.uint8).reshape(height, width, 4)[..., :3]
    palette, indices = _quantised(pixels.reshape(-1, 3))
    rows = np.zeros((height, width + 1), np.uint8)  # each begins with its filter: 0, none
    rows[:, 1:] = indices.reshape(height, width)
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", head), (b"PLTE", palette.tobytes()), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in parts)


def _quantised(pixels: Any) -> tuple[Any, Any]:
    """The means of the most frequent of 32,768 colours, and of each pixel which of them is nearest."""
    coarse = (pixels >> 3).astype(np.int64) @ np.array([1 << 10, 1 << 5, 1])
    _, where, counts = np.unique(coarse, return_inverse=True, return_counts=True)
    means = np.stack([np.bincount(where, pixels[:, each]) / counts for each in range(3)], axis=1)
    chosen = means[np.argsort(-counts, kind="stable")[:COLOURS]]
    nearest = ((means[:, None] - chosen[None]) ** 2).sum(axis=2).argmin(axis=1)
    return np.rint(chosen).astype(np.uint8), nearest[where].astype(np.uint8)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
