// Pictures on the check page: a QR code or the text of a screenshot, read on the device and put into the box, so that
// people see and correct what they are about to send. The picture itself goes nowhere, and of an account only its end.

import { payment, starred } from "./pay.js";

const LARGEST = 40 << 20; // octets of a file
const WIDEST = 2200; // pixels of the longer side that are looked at
const NARROW = 900; // pixels of the shorter side below which letters are too small to be read: it is drawn twice as large

const section = document.getElementById("pictures");
const texts = JSON.parse(section.dataset.texts);
const banks = JSON.parse(section.dataset.banks);
section.append(document.getElementById("pictures-boxes").content.cloneNode(true));

const told = section.querySelector("[role=status]");
const work = section.querySelector(".work");
const progress = work.querySelector("progress");
work.remove(); // there while there is something to stop
let worker = null;
let wanted = null; // the file that was chosen last

for (const input of section.querySelectorAll("input[type=file]")) {
  input.addEventListener("change", () => {
    look(input.files[0]);
    input.value = "";
  });
}
addEventListener("paste", ({ clipboardData }) => look(given(clipboardData)));
for (const kind of ["dragover", "drop"]) {
  addEventListener(kind, (dragged) => {
    if (!dragged.dataTransfer?.types.includes("Files")) return;
    dragged.preventDefault(); // else the browser would open it, and its history name it
    if (kind === "drop") look(given(dragged.dataTransfer));
  });
}
work.querySelector("button").addEventListener("click", () => {
  stop();
  say([made("p", texts.stopped)]);
});
addEventListener("pagehide", () => {
  stop();
  say([]);
});

const isPicture = ({ type }) => !type || type.startsWith("image/"); // of no known type: it is tried

/** The first picture of what was pasted or dropped, or else its first file, so that it is said to be none. */
function given(transfer) {
  const files = Array.from(transfer?.files ?? []);
  return files.find(isPicture) ?? files[0];
}

async function look(file) {
  if (!file) return;
  stop();
  if (!isPicture(file)) return say([made("p", texts.other)]);
  wanted = file;
  go("looking"); // at once, with a button that stops it: a large picture takes seconds
  try {
    if (file.size > LARGEST) throw new RangeError("too large");
    const seen = await pixels(file);
    if (wanted === file) read(seen);
  } catch {
    if (wanted === file) ended([made("p", texts.unreadable)]);
  }
}

/** What is seen in a file, on white, as {pixels, width, height}. */
async function pixels(file) {
  const seen = await createImageBitmap(file);
  const { width: across, height: down } = seen;
  const scale = Math.min(Math.min(across, down) < NARROW ? 2 : 1, WIDEST / Math.max(across, down));
  const canvas = document.createElement("canvas");
  const [width, height] = [across, down].map((side) => Math.max(1, Math.round(side * scale)));
  Object.assign(canvas, { width, height });
  const drawn = canvas.getContext("2d", { willReadFrequently: true });
  drawn.fillStyle = "white";
  drawn.fillRect(0, 0, width, height);
  drawn.drawImage(seen, 0, 0, width, height);
  seen.close();
  return { pixels: drawn.getImageData(0, 0, width, height).data, width, height };
}

function read(seen) {
  worker = new Worker(section.dataset.reader);
  worker.onerror = () => ended([made("p", texts.unreadable)]);
  worker.onmessage = ({ data: { code, text, failed, step, part } }) => {
    if (step) return go(step, part);
    if (failed) return ended([made("p", texts.unreadable)]);
    if (code !== undefined) return ended(coded(code));
    const met = text.replace(/\s*\n\s*\n\s*/g, "\n").trim();
    if (!met) return ended([made("p", texts.nothing)]);
    fill(met).focus();
    ended([made("p", texts.read)]);
  };
  worker.postMessage(seen, [seen.pixels.buffer]);
}

function go(step, part) {
  if (!work.isConnected || work.dataset.step !== step) say([made("p", texts[step])]); // once: it is read aloud
  work.dataset.step = step;
  told.after(work);
  if (step === "reading") progress.value = part;
  else progress.removeAttribute("value");
}

function stop() {
  worker?.terminate();
  worker = wanted = null;
  work.remove();
}

function ended(shown) {
  stop();
  say(shown);
}

function coded(code) {
  const paid = payment(code, banks);
  if (paid) {
    fill(paid.masked);
    return payee(paid);
  }
  fill(code).focus();
  return [made("p", texts.code)];
}

function payee({ bank, account, name, amount, currency, purpose, whole }) {
  const rows = [
    ["bank", bank],
    ["account", account && hidden(account)],
    ["name", name],
    ["amount", amount && money(amount, currency)],
    ["purpose", purpose],
  ];
  const list = made("dl");
  list.className = "facts";
  for (const [what, value] of rows) {
    if (!value) continue;
    const row = made("div");
    row.append(made("dt", texts[what]), made("dd", typeof value === "string" ? plain(value) : value));
    list.append(row);
  }
  return [
    made("h3", texts.paid),
    ...(whole ? [] : [made("p", made("strong", texts.broken))]),
    list,
    ...(amount ? [] : [made("p", texts.any)]),
    made("p", texts.masked),
  ];
}

/** The end of an account, and a button that shows the rest. */
function hidden(account) {
  const shown = made("span", starred(account));
  const button = made("button", texts.show);
  Object.assign(button, { type: "button", className: "plain" });
  button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", () => {
    const pressed = button.getAttribute("aria-pressed") === "false";
    button.setAttribute("aria-pressed", String(pressed));
    shown.textContent = pressed ? plain(account) : starred(account);
  });
  const both = made("span", shown, " ", button);
  return both;
}

function money(amount, currency) {
  if (!/^[0-9]{1,13}(\.[0-9]{0,2})?$/.test(amount)) return amount;
  const written = new Intl.NumberFormat(document.documentElement.lang).format(Number(amount));
  return currency === "704" ? `${written} ₫` : written;
}

function fill(text) {
  const box = document.getElementById(section.dataset.into);
  box.value = box.maxLength > 0 ? text.slice(0, box.maxLength) : text;
  return box;
}

const say = (shown) => told.replaceChildren(...shown);
const plain = (text) => text.replace(/\p{C}/gu, "\ufffd"); // what turns the writing round or is not seen

function made(tag, ...inside) {
  const element = document.createElement(tag);
  element.append(...inside); // as text: what a code says becomes no markup
  return element;
}
