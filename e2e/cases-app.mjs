// What a person meets: a guarded app, the sign-in page, their account.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { assertAsksForSignIn, sessionIds, signIn } from "./harness.mjs";

const MIB = 1024 * 1024;

export const appCases = [
  ["a guarded page leads to the sign-in page and back to exactly where it began", async (desk) => {
    const { app, own, person } = desk.config;
    const page = await desk.page();
    await page.goto(`${app}/profile?x=1`);
    const here = new URL(page.url());
    assert.equal(`${here.origin}${here.pathname}`, `${own}/sign-in`);
    assert.match(await page.locator("main").innerText(), /to continue to photos/i, "the page names the app it signs in to");
    assert.equal((await signIn(page, person)).status(), 303, "the answer to the form is a redirect that drops the password (RFC 9700 §4.12)");
    await page.waitForURL(`${app}/profile?x=1`);
    await page.getByText(person.email).waitFor();
  }],

  ["a second guarded window of the same browser needs no second password", async (desk) => {
    const { app, own, person } = desk.config;
    const page = await desk.signedIn(person);
    await page.goto(`${app}/profile?x=2`);
    await page.waitForURL(`${app}/profile?x=2`);
    await page.getByText(person.email).waitFor();
    await page.goto(`${own}/account`);
    const current = page.locator(".cards li", { hasText: "this one" });
    const hosts = await current.locator("b").innerText();
    for (const host of [new URL(own).hostname, new URL(app).hostname]) assert.ok(hosts.includes(host), `\`${hosts}\` names ${host}`);
  }],

  ["a wrong password and an unknown mail address get the same answer", async (desk) => {
    const { own, person } = desk.config;
    const told = [];
    for (const email of [person.email, `nobody-${randomBytes(4).toString("hex")}@example.org`]) {
      const page = await desk.page();
      await page.goto(`${own}/sign-in`);
      const answer = await signIn(page, { email, password: "not the password at all" });
      await page.locator("#error").filter({ hasText: /\S/ }).waitFor();
      const headers = Object.keys(answer.headers()).filter((name) => name !== "date" && name !== "content-length").sort();
      told.push({ status: answer.status(), headers, text: (await page.locator("main").innerText()).replace(/\s+/g, " ") });
      assert.equal(await page.locator("#email").inputValue(), email, "the address need not be typed again");
      assert.equal(await page.locator("#password").inputValue(), "", "the password does not come back");
    }
    assert.ok(told[0].status >= 400 && told[0].status < 500, `status ${told[0].status}`);
    assert.deepEqual(told[1], told[0]);
  }],

  ["a code works only in the browser it was made for", async (desk) => {
    const { app, person } = desk.config;
    const page = await desk.page();
    const codes = await interceptCodes(page, app);
    await page.goto(`${app}/profile`);
    await signIn(page, person);
    const other = await desk.page();
    const answer = await other.goto(await codes.first);
    assert.ok(answer.status() >= 400 || new URL(other.url()).pathname === "/sign-in", `led to ${other.url()} with ${answer.status()}`);
    await assertAsksForSignIn(other, `${app}/profile`);
  }],

  ["a code works once", async (desk) => {
    const { app, person } = desk.config;
    const page = await desk.page();
    const context = page.context();
    const callback = page.waitForRequest((request) => request.url().startsWith(app) && new URL(request.url()).searchParams.has("code"));
    await page.goto(`${app}/profile`);
    const begun = await context.cookies();
    assert.ok(begun.some((cookie) => cookie.domain === new URL(app).hostname), "the sign-in is tied to this browser by a cookie");
    await signIn(page, person);
    await page.waitForURL(`${app}/profile`);
    // Everything as it was before the code was used, but for the code.
    await context.clearCookies();
    await context.addCookies(begun);
    const answer = await page.goto((await callback).url());
    assert.ok(answer.status() >= 400 || new URL(page.url()).pathname === "/sign-in", `led to ${page.url()} with ${answer.status()}`);
    await assertAsksForSignIn(page, `${app}/profile`);
  }],

  ["50 MiB go through the gateway unchanged", async (desk) => {
    const { app, person } = desk.config;
    // The app's own policy lets its pages fetch nothing; this case is about the gateway, not about pages.
    const page = await desk.page({ bypassCSP: true });
    await page.goto(`${app}/profile`);
    await signIn(page, person);
    await page.waitForURL(`${app}/profile`);
    const piece = randomBytes(MIB);
    const hash = createHash("sha256");
    for (let number = 0; number < 50; number += 1) {
      piece[0] = number;
      hash.update(piece);
    }
    const answer = await page.evaluate(async (encoded) => {
      const text = atob(encoded);
      const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
      const pieces = [];
      for (let number = 0; number < 50; number += 1) {
        bytes[0] = number;
        pieces.push(bytes.slice());
      }
      const response = await fetch("/photos/raw/big.bin", { method: "PUT", body: new Blob(pieces), signal: AbortSignal.timeout(120_000) });
      return { status: response.status, body: await response.text() };
    }, piece.toString("base64"));
    assert.equal(answer.status, 200, answer.body);
    assert.deepEqual(JSON.parse(answer.body), { bytes: 50 * MIB, sha256: hash.digest("hex") });
  }],

  ["the app's host has one cookie, which scripts and other hosts cannot have", async (desk) => {
    const { app, person } = desk.config;
    const page = await desk.page();
    await page.goto(`${app}/profile`);
    await signIn(page, person);
    await page.waitForURL(`${app}/profile`);
    const host = new URL(app).hostname;
    const cookies = (await page.context().cookies()).filter((cookie) => cookie.domain.replace(/^\./, "") === host);
    assert.deepEqual(cookies.map((cookie) => cookie.name).filter((name) => !name.startsWith("__Host-")), [], "names without `__Host-`");
    assert.equal(cookies.length, 1, `cookies: ${cookies.map((cookie) => cookie.name).join(", ")}`);
    const { domain, path, secure, httpOnly, sameSite } = cookies[0];
    assert.deepEqual({ domain, path, secure, httpOnly }, { domain: host, path: "/", secure: true, httpOnly: true });
    assert.ok(["Lax", "Strict"].includes(sameSite), `SameSite is ${sameSite}`);
    assert.equal(await page.evaluate(() => document.cookie), "");
  }],

  ["signing out in the app ends the session there and at the own host", async (desk) => {
    const { app, own, person } = desk.config;
    const page = await desk.page();
    await page.goto(`${app}/profile`);
    await signIn(page, person);
    await page.waitForURL(`${app}/profile`);
    const host = new URL(app).hostname;
    const before = (await page.context().cookies()).filter((cookie) => cookie.domain === host);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("heading", { level: 1, name: "Signed out" }).waitFor();
    const after = (await page.context().cookies()).filter((cookie) => cookie.domain === host);
    assert.deepEqual(after.map((cookie) => cookie.name), [], "cookies that stay on the app's host");
    await assertAsksForSignIn(page, `${app}/profile`);
    await assertAsksForSignIn(page, `${own}/account`);

    const thief = await desk.page();
    await thief.context().addCookies(before);
    await assertAsksForSignIn(thief, `${app}/profile`);
  }],

  ["a form on another site cannot sign a person out", async (desk) => {
    const { app, person } = desk.config;
    const page = await desk.page();
    await page.goto(`${app}/profile`);
    await signIn(page, person);
    await page.waitForURL(`${app}/profile`);
    const other = await page.context().newPage();
    await other.setContent(`<form method="post" action="${app}/_tutela/sign-out"><button>Win a prize</button></form>`);
    const answer = other.waitForResponse((response) => response.url() === `${app}/_tutela/sign-out`);
    await other.getByRole("button").click();
    await answer;
    await page.goto(`${app}/profile`);
    await page.getByText(person.email).waitFor();
  }],

  ["the account page lists a person's sessions and ends the one that is chosen", async (desk) => {
    const { own, person } = desk.config;
    const page = await desk.signedIn(person);
    const prefix = "/account/sessions/";
    await page.getByRole("heading", { level: 1, name: "Your account" }).waitFor();
    await page.locator("dd", { hasText: person.email }).waitFor();
    assert.equal(await page.locator(".cards .chip", { hasText: "this one" }).count(), 1);
    const known = await sessionIds(page, prefix);

    const other = await desk.signedIn(person);
    await page.goto(`${own}/account`);
    const fresh = (await sessionIds(page, prefix)).filter((id) => !known.includes(id));
    assert.equal(fresh.length, 1, "the other browser's session is listed");
    const form = page.locator(`form[action="${prefix}${fresh[0]}/end"]`);
    await form.getByRole("button", { name: "End session" }).click();
    await form.waitFor({ state: "detached" });
    await page.getByRole("heading", { level: 1, name: "Your account" }).waitFor();
    assert.deepEqual(await sessionIds(page, prefix), known, "the other sessions live on");
    await assertAsksForSignIn(other, `${own}/account`);
    await page.goto(`${own}/account`);
    await page.locator("dd", { hasText: person.email }).waitFor();
  }],
];

/** Holds back every request to `origin` that carries a code, and tells the first one's address. */
async function interceptCodes(page, origin) {
  const session = await page.context().newCDPSession(page);
  let tell;
  const first = new Promise((resolve) => (tell = resolve));
  session.on("Fetch.requestPaused", ({ requestId, request }) => {
    const holds = new URL(request.url).searchParams.has("code");
    if (holds) tell(request.url);
    const step = holds ? session.send("Fetch.failRequest", { requestId, errorReason: "BlockedByClient" }) : session.send("Fetch.continueRequest", { requestId });
    step.catch(() => {}); // the window may be closed already
  });
  // Playwright's own interception does not see redirects; the debugger's does.
  await session.send("Fetch.enable", { patterns: [{ urlPattern: `${origin}/*` }] });
  return { first };
}
