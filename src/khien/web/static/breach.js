// Did a password, mail address or phone number leak? Asks Khiên without telling which.
//
// A password: five of the 40 digits of its SHA-1 leave, and the answer is every row that begins with them. An account:
// a blinded point leaves (RFC 9497, mode VOPRF, ristretto255-SHA512), then 16 bits of what only the holders of the keys
// and this browser together can make of it. What is asked for does not depend on what is found.
// docs/accounts.md has the protocol, docs/howto/check-in-your-page.md how to use this module.

const OUT = { credentials: "omit", referrerPolicy: "no-referrer", cache: "no-store" }; // nothing is kept here

/** What kept the answer away. code: "spelling", "proof", "old" (a browser or page without what this takes), "answer"
 * (none that keeps the protocol); status: HTTP's. */
export class CheckError extends Error {
  constructor(code, status = 0) {
    super(status ? `${code}: ${status}` : code);
    Object.assign(this, { name: "CheckError", code, status });
  }
}

/** How often a password was met: 0 where it was not.
 *
 * base: the site's address, "" for that of the page. left(what, text, to): told of what leaves, right before it does,
 * and to which other site. */
export async function checkPassword(text, { base = "", left = () => {} } = {}) {
  if (!globalThis.crypto?.subtle) throw new CheckError("old");
  const digest = hex(await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text))).toUpperCase();
  left("prefix", digest.slice(0, 5));
  const rows = await asked(`${base}/range/${digest.slice(0, 5)}`, { headers: { "Add-Padding": "true" } });
  const row = lines(rows).find((each) => each.toUpperCase().startsWith(`${digest.slice(5)}:`));
  const count = row?.slice(36) ?? "0";
  if (!/^[0-9]{1,15}$/.test(count)) throw new CheckError("answer");
  return Number(count);
}

/** The collections a mail address or a phone number is in, as GET /breach/collections describes them; each of its kinds
 * with a name and with what to do, in both languages.
 *
 * keys: as GET /breach/keys answers them; whoever gives them need not trust that answer. prefix: the country's, of
 * numbers that are written without one. base, left: as of checkPassword. */
export async function checkAccount(text, { base = "", keys, prefix = "84", left = () => {} } = {}) {
  const spelled = canonical(text, prefix);
  if (spelled === null) throw new CheckError("spelling");
  const noble = await import("./noble.js").catch(() => {
    throw new CheckError("old");
  });
  // both are asked for whatever comes of it: to ask only where something was found would tell
  const [described, published] = await Promise.all([
    told(`${base}/breach/collections`, { cache: "default" }),
    keys ?? told(`${base}/breach/keys`),
  ]);
  const digits = expected(published, described);
  const found = new Set();
  for (const key of published.keys) {
    for (const id of await inEpoch(noble, new TextEncoder().encode(spelled), key, digits, base, left)) found.add(id);
  }
  return explained(described.collections.filter((each) => found.has(each.id)), described.kinds);
}

/** Collections with what each of their kinds is called, and what to do. */
export function explained(collections, kinds) {
  return collections.map((each) => ({ ...each, kinds: each.kinds.map((id) => ({ id, ...kinds[id] })) }));
}

/** Digits of a bucket: four in all, for two keys at most. */
function expected(published, described) {
  const digits = 4 / published?.keys?.length;
  const held = [2, 4].includes(digits) && published.keys.every?.((each) => each?.holders?.[0]);
  if (held && described?.collections?.filter) return digits;
  throw new CheckError("answer");
}

async function inEpoch({ Point, oprf, voprf }, input, { epoch, holders }, digits, base, left) {
  const { blind, blinded } = voprf.blind(input);
  const evaluations = holders.map(async ({ url, public: key }) => {
    left("point", hex(blinded), url);
    const body = JSON.stringify({ epoch, elements: [hex(blinded)], proof: true });
    const headers = { "Content-Type": "application/json" };
    return [await told(`${url || base}/breach/evaluate`, { method: "POST", headers, body }), key];
  });
  const answered = await Promise.all(evaluations);
  let output;
  try {
    const answers = answered.map(([said, key]) => [said.evaluated[0], key, said.proof].map(octets));
    for (const [evaluated, key, proof] of answers) output = voprf.finalize(input, blind, evaluated, blinded, key, proof);
    if (answers.length > 1) {
      // the key is the sum of the holders' shares, so that the sum of what they evaluate is what it evaluates
      const sum = answers.map(([evaluated]) => Point.fromBytes(evaluated)).reduce((one, other) => one.add(other));
      output = oprf.finalize(input, blind, sum.toBytes());
    }
  } catch {
    throw new CheckError("proof");
  }
  const bucket = hex(output).slice(0, digits);
  const tag = hex(output).slice(digits, 16);
  left("bucket", bucket);
  const rows = await asked(`${base}/breach/accounts/${epoch}/${bucket}`);
  const row = lines(rows).find((each) => each.toLowerCase().startsWith(`${tag}:`));
  return row ? row.slice(tag.length + 1).split(",") : [];
}

async function told(address, settings) {
  const text = await asked(address, settings);
  try {
    return JSON.parse(text);
  } catch {
    throw new CheckError("answer");
  }
}

async function asked(address, settings) {
  const answer = await fetch(address, { ...OUT, ...settings }).catch(() => {
    throw new CheckError("answer");
  });
  if (!answer.ok) throw new CheckError("answer", answer.status);
  return answer.text();
}

const lines = (text) => text.split(/\r?\n/);
const hex = (bytes) => Array.from(new Uint8Array(bytes), (each) => each.toString(16).padStart(2, "0")).join("");
const octets = (text) => Uint8Array.from(text.match(/../g) ?? [], (each) => parseInt(each, 16));

// The spelling of accounts: breach/accounts.py has the rules; tests/breach/spellings.json holds both to them.

const LONGEST = 320; // octets as typed
const LOCAL = /^[a-z0-9!#$%&'*+/=?^_`{|}~.\xa1-\u1fff\u2070-\u2fff\u3001-\ufefe\uff00-\u{10ffff}-]+$/u;
const TAGGED = new Set(
  (
    "gmail.com outlook.com outlook.com.vn outlook.de outlook.es outlook.fr outlook.it outlook.jp outlook.kr hotmail.com" +
    " hotmail.com.vn hotmail.co.jp hotmail.co.uk hotmail.de hotmail.es hotmail.fr hotmail.it live.com live.com.vn" +
    " live.co.uk live.fr live.jp live.nl msn.com fastmail.com fastmail.fm proton.me protonmail.com protonmail.ch pm.me" +
    " icloud.com me.com mac.com"
  ).split(" "),
);
const MOVED = new Map( // Vietnamese mobile numbers of before 2018: first three digits, and the two of today
  (
    "120:70 121:79 122:77 126:76 128:78 123:83 124:84 125:85 127:81 129:82 162:32 163:33 164:34 165:35 166:36 167:37" +
    " 168:38 169:39 186:56 188:58 199:59"
  ).split(" ").map((each) => each.split(":")),
);

/** "mail:lan.nguyen@example.vn" or "phone:+84912345678"; null where the text is neither address nor number. */
export function canonical(text, prefix = "84") {
  if (size(text) > LONGEST) return null;
  const met = text.replace(/^[\0- \x7f]+|[\0- \x7f]+$/g, "");
  return met.includes("@") ? address(met) : number(met, prefix);
}

function address(text) {
  const at = text.lastIndexOf("@");
  let local = text.slice(0, at).normalize("NFC").toLowerCase().normalize("NFC");
  let domain = host(text.slice(at + 1).trimEnd());
  if (domain === null || size(local) > 64 || !LOCAL.test(local)) return null;
  if (domain === "googlemail.com") domain = "gmail.com";
  if (TAGGED.has(domain)) local = local.split("+", 1)[0];
  if (domain === "gmail.com") local = local.split(".").join("");
  return local && size(`${local}@${domain}`) <= 254 ? `mail:${local}@${domain}` : null;
}

function host(text) {
  let name = text;
  if (/[^\0-\x7f]/.test(text)) {
    if (/[^\w.\u0080-\uffff-]/.test(text)) return null; // a URL would read more into it
    try {
      name = new URL(`http://${text}`).hostname; // UTS #46, as browsers map names
    } catch {
      return null;
    }
  }
  name = name.toLowerCase().replace(/\.$/, "");
  const labels = name.split(".");
  const fits = /^[a-z0-9_.-]+$/.test(name) && name.length <= 253 && labels.every((each) => each && each.length <= 63);
  return fits && labels.length > 1 && !/^[0-9]+$/.test(labels[labels.length - 1]) ? name : null;
}

function number(text, prefix) {
  if (!/^\(?\+?[0-9 ().\-/]+$/.test(text)) return null;
  let digits = text.replace(/\(0\)/g, "").replace(/[^0-9]/g, "");
  if (!text.includes("+")) {
    if (digits.startsWith("00")) digits = digits.slice(2);
    else if (digits.startsWith("0")) digits = prefix + digits.slice(1);
    else if (!digits.startsWith(prefix)) return null;
  }
  if (digits.startsWith("84")) {
    let home = digits.slice(2).replace(/^0/, "");
    if (home.length === 10 && MOVED.has(home.slice(0, 3))) home = MOVED.get(home.slice(0, 3)) + home.slice(3);
    if (!/^(?:[35789][0-9]{8}|2[0-9]{9})$/.test(home)) return null;
    digits = `84${home}`;
  }
  return /^[1-9][0-9]{7,14}$/.test(digits) ? `phone:+${digits}` : null;
}

const size = (text) => new TextEncoder().encode(text).length;
