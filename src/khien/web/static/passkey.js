// Signing in with a passkey, and bringing a new one. The page holds the words; this shows the one that fits.
"use strict";

const form = document.querySelector("form[data-passkey]");
const able = "PublicKeyCredential" in window && "parseRequestOptionsFromJSON" in PublicKeyCredential;

function say(which) {
  for (const each of form.querySelectorAll("[data-says]")) each.hidden = each.dataset.says !== which;
}

async function post(path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw Object.assign(new Error(answer.statusText), { status: answer.status });
  return answer.json();
}

async function passkey(given) {
  if (form.dataset.passkey === "sign-in") {
    const { publicKey } = await post(form.dataset.challenge, {});
    return navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) });
  }
  const { publicKey } = await post(form.dataset.challenge, { name: given.name, code: given.code });
  return navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey) });
}

form.addEventListener("submit", async (sent) => {
  sent.preventDefault();
  say("wait");
  try {
    const given = Object.fromEntries(new FormData(form));
    const credential = await passkey(given);
    const { to } = await post(form.action, { ...given, credential: credential.toJSON() });
    location.assign(to);
  } catch (error) {
    say(error.status === 429 ? "many" : error.status ? "refused" : error.name === "NotAllowedError" ? "stopped" : "failed");
  }
});

say(able ? "nothing" : "old");
form.querySelector("button").disabled = !able;
