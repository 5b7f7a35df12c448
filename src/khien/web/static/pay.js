// Whom a payment code would pay, read on the device: EMVCo's merchant-presented mode with Viet Nam's VietQR in it.
// messages/payment.py has the rules and their sources; tests/web/pay.json holds both to them.

const LONGEST = 512; // characters of a code: EMVCo section 3.4
const NAPAS = "A000000727";
const SHOWN = 4; // digits of an account that its owner knows it by
const TEMPLATES = [38, ...Array.from({ length: 26 }, (_, n) => n + 26).filter((tag) => tag !== 38)].map(String);

/** bank: its name by banks, or its BIN; account, name, amount, currency (ISO 4217, three digits) and purpose as
 * written, each empty where the code has none; whole: its check sum holds. masked: the code with stars for all of the
 * account but its end, as it may leave the device; whole as the code is. null: the text is no payment code. */
export function payment(text, banks = {}) {
  const code = Array.from(text.trim());
  if (code.length > LONGEST) return null;
  try {
    const fields = read(code);
    if (said(fields, "00") !== "01") return null;
    const { bank, account } = payee(fields);
    const whole = code.slice(-8, -4).join("") === "6304" && sum(code.slice(0, -4)) === code.slice(-4).join("").toUpperCase();
    return {
      bank: banks[bank] ?? bank,
      account: account.value.join(""),
      name: said(fields, "59"),
      amount: said(fields, "54"),
      currency: said(fields, "53"),
      purpose: said(within(fields, "62"), "08"),
      whole,
      masked: masked(code, account, whole),
    };
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** An account as it is shown to who may look over a shoulder. */
export const starred = (account) => "*".repeat(Math.max(0, account.length - SHOWN)) + account.slice(-SHOWN);

function payee(fields) {
  for (const tag of TEMPLATES) {
    const held = within(fields, tag);
    if (said(held, "00") !== NAPAS) continue;
    const paid = within(held, "01");
    return { bank: said(paid, "00"), account: paid.get("01") ?? NOTHING };
  }
  return { bank: "", account: NOTHING };
}

function masked(code, { value, at }, whole) {
  const written = [...code];
  written.splice(at, value.length, ...starred(value.join("")));
  const body = written.slice(0, -4);
  return (whole ? [...body, sum(body)] : written).join("");
}

const NOTHING = { value: [], at: 0 };
const said = (fields, tag) => (fields.get(tag) ?? NOTHING).value.join("");
const within = (fields, tag) => read((fields.get(tag) ?? NOTHING).value, (fields.get(tag) ?? NOTHING).at);

/** Two digits that say what, two that say how long, and so many characters (EMVCo section 3.2), with where in the code
 * they begin. RangeError: it breaks off. */
function read(characters, from = 0) {
  const fields = new Map();
  for (let at = 0; at < characters.length; ) {
    const head = characters.slice(at, at + 4).join("");
    const end = at + 4 + Number(head.slice(2));
    if (!/^[0-9]{4}$/.test(head) || end > characters.length) throw new RangeError(`breaks off at ${at}`);
    fields.set(head.slice(0, 2), { value: characters.slice(at + 4, end), at: from + at + 4 });
    at = end;
  }
  return fields;
}

/** CRC-16 with polynomial 0x1021 and start 0xFFFF (ISO/IEC 13239), four digits in hex. */
function sum(characters) {
  let crc = 0xffff;
  for (const octet of new TextEncoder().encode(characters.join(""))) {
    crc ^= octet << 8;
    for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return crc.toString(16).toUpperCase().padStart(4, "0");
}
