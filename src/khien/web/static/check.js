// The boxes of the check page: asks by breach.js, shows what left this browser and what came back. Nothing is stored,
// and nothing of it is in an address: the boxes have no names, so that no form can send them.

import { CheckError, canonical, checkAccount, checkPassword, explained } from "./breach.js";

const section = document.getElementById("leaks");
const texts = JSON.parse(section.dataset.texts);
const keys = JSON.parse(section.dataset.keys);
const prefix = section.dataset.country;
const language = document.documentElement.lang;
const shared = keys.keys.some(({ holders }) => holders.length > 1);
const region = language === "en" ? "en-GB" : language;

document.getElementById("leaks-absent").remove();
section.append(document.getElementById("leaks-boxes").content.cloneNode(true));

const aside = section.querySelector("aside");
const halves = aside.parentElement;
const narrow = matchMedia("(max-width: 43rem)"); // as the style has it: then the panel stands below who asked
const panel = aside.querySelector("ul");
const nothing = panel.firstElementChild;
let asking = false;

const ASKS = {
  password: async (left, [text]) => password(await checkPassword(text, { left })),
  mail: async (left, [text]) => account(await checkAccount(text, { keys, prefix, left })),
  phone: async (left, [text]) => account(await checkAccount(text, { keys, prefix, left })),
  owner: async (left, [address, code], wish) => {
    const body = { address, code, wish, language };
    const { collections, until } = await posted("/breach/proven", body, () => left("code"));
    const told = until ? [made("p", filled(texts.until, { text: day(until) }))] : [];
    if (wish !== "show") return [made("h3", texts[`done-${wish}`]), ...told];
    const { kinds } = await (await fetch("/breach/collections")).json();
    return [...account(explained(collections, kinds), "held-none"), ...told];
  },
  code: async (left, [address]) => {
    await posted("/breach/prove", { address, language }, () => left("address"));
    return [made("p", texts.sent)];
  },
};

for (const form of section.querySelectorAll("form")) {
  form.addEventListener("submit", (sent) => {
    sent.preventDefault();
    answer(form, ASKS[form.dataset.kind]);
  });
  addEventListener("pagehide", () => form.reset());
}
section.querySelector("[aria-pressed]")?.addEventListener("click", ({ currentTarget: button }) => {
  const input = document.getElementById(button.getAttribute("aria-controls"));
  const shown = input.type === "text";
  input.type = shown ? "password" : "text";
  button.setAttribute("aria-pressed", String(!shown));
});
section.querySelector("[data-kind=owner] .plain")?.addEventListener("click", ({ currentTarget: button }) => {
  const { form } = button;
  if (form.querySelector("input").reportValidity()) answer(form, ASKS.code);
});

async function answer(form, ask) {
  if (asking) return; // one question after the other, so that the panel has all that left
  asking = true;
  const told = form.querySelector(".told");
  const left = (what, text, to = "") => {
    nothing.remove();
    const line = filled(texts[`left-${what}`], { text });
    panel.append(made("li", shared ? filled(texts["left-to"], { text: line, to: to || location.origin }) : line));
  };
  if (narrow.matches) form.after(aside);
  else if (aside.parentElement !== halves) halves.append(aside);
  for (const each of section.querySelectorAll(".told")) each.replaceChildren();
  panel.replaceChildren(nothing);
  told.append(made("p", texts.wait));
  told.setAttribute("aria-busy", "true");
  const typed = Array.from(form.querySelectorAll("input:not([type=radio])"), (each) => each.value);
  let shown;
  try {
    shown = await ask(left, typed, form.elements.wish?.value);
  } catch (error) {
    shown = [made("p", texts[error.status === 429 ? "often" : error.code] ?? texts.answer)];
  }
  told.replaceChildren(...shown);
  told.setAttribute("aria-busy", "false");
  if (!nothing.isConnected) panel.append(made("li", texts["left-only"]));
  asking = false;
}

function password(times) {
  if (!times) return [made("h3", texts["password-none"]), made("p", texts["password-none-text"])];
  const count = new Intl.NumberFormat(region).format(times);
  return [
    made("h3", texts["password-found"]),
    made("p", filled(texts["password-times"], { count })),
    made("p", texts["password-advice"]),
  ];
}

function account(collections, none = "account-none") {
  if (!collections.length) return [made("h3", texts[none]), made("p", texts[`${none}-text`])];
  const kinds = new Map(collections.flatMap((each) => each.kinds.map((kind) => [kind.id, kind])));
  return [
    made("h3", texts["account-found"]),
    made("ul", ...collections.map(collection)),
    made("h3", texts.do),
    made("dl", ...[...kinds.values()].flatMap(advised)),
  ];
}

const advised = ({ name, advice }) => [made("dt", name[language]), made("dd", advice[language])];

function collection({ label, about, leaked, kinds }) {
  const when = leaked ? filled(texts["leaked-on"], { text: day(leaked) }) : texts["leaked-when"];
  const what = filled(texts["leaked-kinds"], { text: kinds.map(({ name }) => name[language]).join(", ") });
  const told = [when, ...(kinds.length ? [what] : []), ...(about[language] ? [about[language]] : [])];
  return made("li", made("strong", label[language]), ...told.map((each) => made("p", each)));
}

/** What our own site alone may be told: who shows that an address is theirs cannot do so without naming it. */
async function posted(path, body, left) {
  if (!canonical(body.address)?.startsWith("mail:")) throw new CheckError("spelling");
  left();
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(body), cache: "no-store" });
  if (!answer.ok) throw new CheckError({ 401: "refused", 503: "no-mail" }[answer.status] ?? "answer", answer.status);
  return answer.json();
}

const day = (text) => {
  const [year, month, date] = text.split("-").map(Number);
  if (language === "vi") return `ngày ${date} tháng ${month} năm ${year}`; // as it is said; browsers leave words out
  return new Intl.DateTimeFormat(region, { dateStyle: "long", timeZone: "UTC" }).format(new Date(text));
};
const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

function made(tag, ...inside) {
  const element = document.createElement(tag);
  element.append(...inside); // as text: what a collection is called becomes no markup
  return element;
}
