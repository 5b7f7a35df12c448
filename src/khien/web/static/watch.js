// The proof of a leaf of the log of listings, recomputed in this browser: leaf, path, root, signature. A button flips a
// byte of the leaf here, and the check fails.

import { held, hex, parsed } from "./ledger.js";

const section = document.getElementById("proof");
if (section) begin(JSON.parse(section.dataset.texts));

async function begin(texts) {
  const said = document.getElementById("proof-said");
  let proof;
  try {
    const answer = await fetch(`/ledger/proof/${section.dataset.index}`);
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    proof = parsed(await answer.text());
    if (proof.index !== Number(section.dataset.index)) throw new Error("this is another leaf's");
  } catch {
    said.textContent = texts.failed;
    return;
  }
  section.insertBefore(document.getElementById("proof-buttons").content.cloneNode(true), said.nextSibling);
  const show = async (leaf, before = "") => {
    document.getElementById("proof-leaf").textContent = printable(leaf.text) || texts.gone;
    said.textContent = `${before} ${texts[await check({ ...proof, leaf })]}`.trim();
  };
  document.getElementById("proof-again").addEventListener("click", () => show(proof.leaf));
  const flip = document.getElementById("proof-flip");
  flip.disabled = !proof.leaf.text;
  flip.addEventListener("click", () => show({ ...proof.leaf, text: flipped(proof.leaf.text) }, texts.flipped));
  await show(proof.leaf);
}

// What turns writing round, or is not seen, as an escape.
const printable = (text) =>
  text.replace(/[\p{Cc}\p{Cf}]/gu, (each) => `\\u{${each.codePointAt(0).toString(16)}}`);

// The text with one letter or digit of it another, wherever chance falls.
function flipped(text) {
  const places = [...text.matchAll(/[a-z0-9]/g)].map((each) => each.index);
  const at = places[Math.floor(Math.random() * places.length)];
  return text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ 1) + text.slice(at + 1);
}

// The code of the text that says how a proof stands; its hashes are shown.
async function check(proof) {
  let code = "broken";
  try {
    const { commitment, root, head, signed, holds } = await held(proof, section.dataset.verifier);
    for (const [id, bytes] of [["commitment", commitment], ["reached", root], ["root", head.root]]) {
      document.getElementById(`proof-${id}`).textContent = hex(bytes);
    }
    if (holds) code = !signed ? "unsigned" : proof.leaf.text ? "whole" : "gone";
  } catch {
    // it stays broken
  }
  section.dataset.holds = String(code !== "broken");
  return code;
}
