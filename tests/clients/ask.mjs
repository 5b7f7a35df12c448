// One client of Pwned Passwords in JavaScript, as its users call it; speaks as ask.py does.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const asked = JSON.parse(readFileSync(0, "utf8"));
const require = createRequire(`${asked.place}/`);
const load = (name) => import(pathToFileURL(require.resolve(name)));

const clients = {
  // a setting
  async hibp(baseUrl, addPadding) {
    const { pwnedPassword } = await load("hibp");
    return (password) => pwnedPassword(password, { baseUrl, addPadding });
  },

  // the same in NTLM mode: it takes a prefix of the hash, which is what is asked here
  async hibp_ntlm(baseUrl, addPadding) {
    const { pwnedPasswordRange } = await load("hibp");
    return async (hash) => {
      const found = await pwnedPasswordRange(hash.slice(0, 5), { baseUrl, addPadding, mode: "ntlm" });
      return found[hash.slice(5)] ?? 0;
    };
  },

  // a setting
  async zxcvbn(url) {
    const { zxcvbnAsync, zxcvbnOptions } = await load("@zxcvbn-ts/core");
    const { matcherPwnedFactory } = await load("@zxcvbn-ts/matcher-pwned");
    const networkErrorHandler = (error) => {
      throw error;
    };
    const settings = { url: `${url}/range/`, networkErrorHandler };
    zxcvbnOptions.addMatcher("pwned", matcherPwnedFactory(fetch, zxcvbnOptions, settings));
    return async (password) => {
      const { sequence } = await zxcvbnAsync(password);
      return sequence.find((match) => match.pattern === "pwned")?.pwnedAmount ?? 0;
    };
  },

  // unmodified: somebody signs up
  async better_auth() {
    const { betterAuth } = await load("better-auth");
    const { haveIBeenPwned } = await load("better-auth/plugins");
    const { memoryAdapter } = await load("better-auth/adapters/memory");
    const auth = betterAuth({
      baseURL: "http://localhost",
      secret: "only for a test, and long enough for it",
      database: memoryAdapter({ user: [], session: [], account: [], verification: [] }),
      emailAndPassword: { enabled: true },
      plugins: [haveIBeenPwned()],
    });
    let people = 0;
    return async (password) => {
      const body = { email: `somebody${(people += 1)}@example.org`, name: "somebody", password };
      try {
        await auth.api.signUpEmail({ body });
      } catch (error) {
        if (error.body?.code !== "PASSWORD_COMPROMISED") throw error;
        return true;
      }
      return false;
    };
  },
};

const check = await clients[asked.client](asked.url, asked.padding);
const said = {};
for (const [name, password] of Object.entries(asked.passwords)) {
  try {
    said[name] = await check(password);
  } catch (error) {
    said[name] = `${error.name}: ${error.message}`;
  }
}
process.stdout.write(JSON.stringify(said));
