// Looks up links in the signed offline list, on the device that has it: nothing of what is looked up goes anywhere. For
// browser extensions, with ledger.js beside it; docs/howto/lists.md tells how.

import { LedgerError, hex, octets, sha256, verified } from "./ledger.js";

const HEAD = 4096; // octets of JSON at the beginning of a filter
const SHARD = 16; // octets of the directory for each shard: seed (u64), length and count (u32), little-endian
const WORD = (1n << 64n) - 1n;
const GOLDEN = 0x9e3779b97f4a7c15n;
const RULE = 32; // hex digits of an id in the rules
const MOST_FOLDERS = 8; // of a page's address that are looked up, from either end
const MOST_DAYS = 30; // that a manifest may be old where nothing says which version was held before
const DAY = 86_400_000;
const UNRESERVED = /^[A-Za-z0-9._~-]$/;

// Holds manifest (text), filter (Uint8Array) and rules (text) to the verifier; throws LedgerError where they do not fit.
// earlier: the version that was held before: an older one is refused; without it one that is older than MOST_DAYS.
export async function opened({ manifest, filter, rules }, verifier, earlier = 0, now = new Date()) {
  const text = await verified(manifest, verifier);
  const [origin, , , , ...lines] = text.trimEnd().split("\n");
  if (!origin.endsWith("/lists")) throw new LedgerError("form", "this is no manifest of lists");
  const version = Number(/^version ([0-9]{1,15})$/m.exec(text)?.[1] ?? NaN);
  if (!(version >= earlier)) throw new LedgerError("older", `version ${version} is older than ${earlier}`);
  const made = Date.parse(/^date (\S+)$/m.exec(text)?.[1]);
  if (!earlier && !(now - made <= MOST_DAYS * DAY)) throw new LedgerError("older", `older than ${MOST_DAYS} days`);
  const digests = new Map(lines.map((line) => line.split(" ").reverse()));
  for (const [name, bytes] of [["offline.filter", filter], ["offline.json", octets(rules)]]) {
    if (digests.get(name) !== hex(await sha256(bytes))) throw new LedgerError("digest", `${name} was changed`);
  }
  return new Offline(version, new Filter(filter), JSON.parse(rules).rules);
}

class Offline {
  constructor(version, filter, rules) {
    this.version = version;
    this.filter = filter;
    this.rules = rules;
  }

  // What lists a link: {id, unit, harm, until}, the narrowest unit first; null where nothing does.
  async listed(link, now = new Date()) {
    for (const [unit, place] of within(link)) {
      const id = await sha256(octets(`${unit}\0${place}`));
      if (!this.filter.met(id)) continue;
      const rule = this.rules[hex(id).slice(0, RULE)];
      if (rule && now < new Date(rule[2])) return { id: hex(id), unit: rule[0], harm: rule[1], until: rule[2] };
    }
    return null;
  }
}

// The units that would cover a page, narrowest first, without scheme. Of a host every name above it may be the domain:
// only what was registered as one is listed so.
export function* within(link) {
  const url = new URL(link);
  if (!["http:", "https:"].includes(url.protocol)) return;
  const host = url.hostname.replace(/\.$/, "");
  const bare = address(host.replace(/^\[|\]$/g, ""));
  const page = (bare.includes(":") ? host : bare) + (url.port && `:${url.port}`) + path(url.pathname);
  const spelled = [page, page.replace(/;[^/]*/g, "")];
  const trimmed = spelled.map((each) => (each.split("/").length > 2 ? each.replace(/\/$/, "") : each));
  for (const each of new Set([...spelled, ...trimmed, ...spelled.flatMap(folders)])) yield ["url", each];
  yield ["host", bare];
  if (bare.startsWith("www.")) yield ["host", bare.slice(4)];
  for (let rest = bare; rest.includes("."); rest = rest.slice(rest.indexOf(".") + 1)) yield ["domain", rest];
}

// The folders that hold a page, but for the root, the narrowest first.
function folders(page) {
  const parts = page.split("/");
  const above = [];
  for (let n = parts.length - 1; n > 1; n -= 1) above.push(`${parts.slice(0, n).join("/")}/`);
  const inside = above.filter((each) => each.length < page.length);
  return inside.length <= 2 * MOST_FOLDERS ? inside : [...inside.slice(0, MOST_FOLDERS), ...inside.slice(-MOST_FOLDERS)];
}

// An address of IPv6 that stands for one of IPv4 is that one.
function address(host) {
  const met = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host);
  return met ? met.slice(1).map((each) => [parseInt(each, 16) >> 8, parseInt(each, 16) & 255].join(".")).join(".") : host;
}

// As Khiên spells a path: RFC 3986 section 6.2.2, and one slash for several.
function path(text) {
  const bare = text.replace(/\/{2,}/g, "/").replace(/[^\x21-\x7e]|["<>\\^`{|}]|%(?![0-9a-fA-F]{2})/gu, encodeURIComponent);
  return bare.replace(/%([0-9a-fA-F]{2})/g, (met, digits) => {
    const letter = String.fromCharCode(parseInt(digits, 16));
    return UNRESERVED.test(letter) ? letter : met.toUpperCase();
  });
}

// A binary fuse filter of 16 bits, as khien.breach.fuse writes it.
class Filter {
  constructor(bytes) {
    const head = JSON.parse(new TextDecoder().decode(bytes.subarray(0, HEAD)));
    if (head.format !== "khien-filter-1" || head.digest !== "sha256" || head.bits !== 16) {
      throw new LedgerError("form", "this is no filter of listings");
    }
    this.bits = Math.log2(head.shards);
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.shards = [];
    let begin = HEAD + head.shards * SHARD;
    for (let n = 0; n < head.shards; n += 1) {
      const at = HEAD + n * SHARD;
      const [length, count] = [this.view.getUint32(at + 8, true), this.view.getUint32(at + 12, true)];
      this.shards.push({ seed: this.view.getBigUint64(at, true), length: BigInt(length), count: BigInt(count), begin });
      begin += count && (count + 2) * length * 2;
    }
    if (begin !== bytes.length) throw new LedgerError("form", "the filter is not as long as it says");
  }

  // False: certainly not listed. digest: SHA-256.
  met(digest) {
    const key = new DataView(digest.buffer, digest.byteOffset).getBigUint64(0);
    const shard = this.shards[this.bits ? Number(key >> BigInt(64 - this.bits)) : 0];
    if (!shard.count) return false;
    const mixed = mix(key, shard.seed);
    const mask = shard.length - 1n;
    const first = ((mixed >> 32n) * (shard.count * shard.length)) >> 32n;
    const second = (first + shard.length) ^ ((mixed >> 18n) & mask);
    const third = (first + shard.length + shard.length) ^ (mixed & mask);
    const found = [first, second, third].map((at) => this.view.getUint16(shard.begin + Number(at) * 2, true));
    return (found[0] ^ found[1] ^ found[2]) === Number((mixed ^ (mixed >> 32n)) & 0xffffn);
  }
}

function mix(key, seed) {
  let mixed = (key + (seed + 1n) * GOLDEN) & WORD;
  for (const factor of [0xff51afd7ed558ccdn, 0xc4ceb9fe1a85ec53n]) {
    mixed = ((mixed ^ (mixed >> 33n)) * factor) & WORD;
  }
  return mixed ^ (mixed >> 33n);
}
