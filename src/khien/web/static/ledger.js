// The log of listings, held to its key where this runs: leaves, paths to the root (RFC 9162 section 2.1.3.2), and notes
// signed with Ed25519 (c2sp.org/signed-note). Whatever does not fit together throws LedgerError; its code says what.

export class LedgerError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

const DASH = "\u2014 ";
const ED25519 = 1; // the type of a note's signature

export const octets = (text) => new TextEncoder().encode(text);
export const hex = (bytes) => Array.from(bytes, (each) => each.toString(16).padStart(2, "0")).join("");
const fromHex = (text) => Uint8Array.from(text.match(/../g) ?? [], (each) => parseInt(each, 16));
export const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", joined(parts)));

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, each) => sum + each.length, 0));
  let at = 0;
  for (const each of parts) {
    whole.set(each, at);
    at += each.length;
  }
  return whole;
}

function fromBase64(text) {
  try {
    return Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
  } catch {
    throw new LedgerError("form", "this is no base64");
  }
}

const same = (one, other) => one.length === other.length && one.every((each, at) => each === other[at]);

// The root that a leaf, given by its hash, and a path lead to. Places stay below 2^53.
async function reached(index, size, leaf, path) {
  let place = index;
  let last = size - 1;
  let hash = leaf;
  for (const each of path) {
    if (last === 0) throw new LedgerError("path", "the path is too long");
    if (place % 2 === 1 || place === last) {
      hash = await sha256([1], each, hash);
      while (place % 2 === 0 && place > 0) {
        place = Math.floor(place / 2);
        last = Math.floor(last / 2);
      }
    } else {
      hash = await sha256([1], hash, each);
    }
    place = Math.floor(place / 2);
    last = Math.floor(last / 2);
  }
  if (last !== 0) throw new LedgerError("path", "the path is too short");
  return hash;
}

const leafHash = (commitment) => sha256([0], commitment);

// The text of a note that is signed by the verifier's key (name+id+key).
export async function verified(note, verifier) {
  const [name, id, ...rest] = verifier.trim().split("+"); // base64 has plus signs too
  const key = fromBase64(rest.join("+"));
  if (key[0] !== ED25519 || key.length !== 33) throw new LedgerError("form", "the verifier holds no Ed25519 key");
  const hashed = (await sha256(octets(`${name}\n`), key)).slice(0, 4);
  if (hex(hashed) !== id) throw new LedgerError("form", "the verifier was mistyped");
  const end = note.lastIndexOf("\n\n");
  const text = note.slice(0, end + 1);
  for (const line of note.slice(end + 2).split("\n")) {
    if (end < 0 || !line.startsWith(`${DASH}${name} `)) continue;
    const signature = fromBase64(line.slice(DASH.length + name.length + 1));
    if (!same(signature.slice(0, 4), hashed)) continue;
    if (await signs(key.slice(1), signature.slice(4), octets(text))) return text;
  }
  throw new LedgerError("signature", `this is not signed by ${name}`);
}

async function signs(key, signature, text) {
  let imported;
  try {
    imported = await crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
  } catch {
    throw new LedgerError("unable", "this browser does not know Ed25519");
  }
  return crypto.subtle.verify({ name: "Ed25519" }, imported, signature, text);
}

function checkpoint(text) {
  const [origin, size, root] = text.split("\n");
  if (!/^(0|[1-9][0-9]{0,15})$/.test(size ?? "")) throw new LedgerError("form", "this is no checkpoint");
  return { origin, size: Number(size), root: fromBase64(root ?? "") };
}

// A proof (c2sp.org/tlog-proof) whose extra is a leaf in JSON: {leaf, index, path, note}, nothing in it verified yet.
export function parsed(document) {
  const blank = document.indexOf("\n\n");
  const [first, extra, index, ...path] = document.slice(0, blank).split("\n");
  if (first !== "c2sp.org/tlog-proof@v1" || !extra?.startsWith("extra ") || !/^index [0-9]{1,15}$/.test(index ?? "")) {
    throw new LedgerError("form", "this is no proof");
  }
  const leaf = JSON.parse(new TextDecoder().decode(fromBase64(extra.slice(6))));
  return { leaf, index: Number(index.slice(6)), path: path.map(fromBase64), note: document.slice(blank + 2) };
}

// Holds a proof to the verifier. holds: whether leaf and path lead to the root of head, the checkpoint, and the leaf says
// of itself what its text does; signed: false where this browser cannot tell. LedgerError: the note is not signed by it,
// or nothing here has the form it should have.
export async function held({ leaf, index, path, note }, verifier) {
  const signed = await verified(note, verifier).then(
    () => true,
    (error) => {
      if (error.code === "unable") return false;
      throw error;
    },
  );
  const head = checkpoint(note);
  if (index >= head.size) throw new LedgerError("path", "the log has no such leaf");
  const commitment = leaf.text ? await sha256(fromHex(leaf.salt), octets(leaf.text)) : fromHex(leaf.commitment);
  const root = await reached(index, head.size, await leafHash(commitment), path);
  return { commitment, root, head, signed, holds: same(root, head.root) && tells(leaf, index) };
}

// Whether a leaf says of itself what its text says: only the text is committed to.
function tells({ id, text, salt, at, listing }, index) {
  if (id !== `listings/${String(index).padStart(16, "0")}`) return false;
  if (!text) return salt === ""; // redacted: what is left of it stands in another leaf
  try {
    const said = JSON.parse(text);
    return at === said.at && listing === (said.listing?.id ?? "");
  } catch {
    return false;
  }
}
