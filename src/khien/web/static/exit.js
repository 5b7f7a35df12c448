// The way out of every page: the button, or Esc three times, and nothing of the page is left on the screen. What is
// within [data-quiet] is walked in place, so that one entry of the history stands for all that was read or asked there,
// and a page that is [data-once] gives its entry to the next. Without this file the button is a link like any other.
// Nothing is stored; docs/howto/safety.md has what no page can do.

const PRESSES = 3;
const QUICK = 2000; // milliseconds from the first press to the last
const button = document.getElementById("exit");
const said = document.getElementById("exit-said");
const tabs = "BroadcastChannel" in window ? new BroadcastChannel("exit") : null; // those with other pages of this site

let pressed = [];
let walking = new AbortController();

const forget = () => Array.from(document.forms, (form) => form.reset());

function leave() {
  forget();
  document.title = "";
  document.documentElement.replaceChildren(); // at once: what comes next may take its time, or never come
  location.replace(button.href);
}

button.addEventListener("click", (click) => {
  click.preventDefault();
  tabs?.postMessage(null);
  leave();
});
tabs?.addEventListener("message", leave);

addEventListener(
  "keydown",
  ({ key, repeat, timeStamp }) => {
    if (key !== "Escape" || repeat) return;
    pressed = [...pressed.filter((each) => timeStamp - each < QUICK), timeStamp];
    said.textContent = button.dataset.more.replace("{count}", PRESSES - pressed.length);
    if (pressed.length === PRESSES) button.click();
    else setTimeout(() => (said.textContent = ""), QUICK);
  },
  true, // before whatever else Esc means here
);

addEventListener("pagehide", forget);
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  document.documentElement.replaceChildren(); // the browser kept the page as it was: it asks again, and begins anew
  location.reload();
});

addEventListener("click", (click) => {
  const link = click.target.closest("a[href]");
  const place = link?.closest("[data-quiet]");
  const plain = !(click.button || click.ctrlKey || click.metaKey || click.shiftKey || click.altKey);
  if (!link || !(place || "once" in document.body.dataset)) return;
  if (!plain || click.defaultPrevented || link.target || link.download) return;
  const part = link.getAttribute("href").match(/^#(.+)/);
  if (!part && link.origin !== location.origin) return;
  click.preventDefault();
  const there = part && document.getElementById(part[1]);
  if (there) show(there, there);
  else if (place) walk(place, link.href, {}, () => location.replace(link.href));
  else location.replace(link.href);
});

addEventListener("submit", (sent) => {
  const form = sent.target;
  const place = form.closest("[data-quiet]");
  if (!place || sent.defaultPrevented) return;
  sent.preventDefault();
  const address = new URL(form.action);
  const asked = new URLSearchParams(new FormData(form));
  if (sent.submitter?.name) asked.append(sent.submitter.name, sent.submitter.value);
  if (form.method === "get") address.search = asked;
  walk(place, address.href, form.method === "get" ? {} : { method: "POST", body: asked }, () => form.submit());
});

/** Brings what a page has under the id that place names, or all that it says, to where this page has it. otherwise:
 * what is done where that cannot be had. */
async function walk(place, address, settings, otherwise) {
  walking.abort();
  const { signal } = (walking = new AbortController());
  place.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address, { ...settings, signal, cache: "no-store" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const both = (id) => [document, page].map((each) => each.getElementById(id));
    let [here, there] = both(place.dataset.quiet);
    if (!here || !there) [here, there] = both("main");
    for (const { src } of page.querySelectorAll("script[type=module]")) import(src).catch(() => {}); // each once
    document.title = page.title;
    document.getElementById("other").href = page.getElementById("other").href;
    here.replaceWith(document.adoptNode(there));
    document.dispatchEvent(new Event("walked"));
    show(there);
  } catch {
    if (!signal.aborted) otherwise(); // where it is, something else was asked for meanwhile
  } finally {
    place.removeAttribute("aria-busy");
  }
}

/** Goes there, as a browser does that has read a page, and to its heading with whoever hears it; or to what a link
 * within the page names. */
function show(there, first = there.querySelector("h1, h2") ?? there) {
  first.tabIndex = -1;
  first.focus({ preventScroll: true });
  if (there.id === "main") scrollTo({ top: 0, behavior: "instant" });
  else there.scrollIntoView();
}
