// Every page for everybody: without scripts, with the keyboard alone, in both themes, on a phone.

import assert from "node:assert/strict";
import { focused, inspect, sessionIds, signIn } from "./harness.mjs";

/** Widths in CSS pixels; the hosted pages work on the smallest screen too. */
const HOSTED_WIDTHS = [1440, 390, 320];

export const accessCases = [
  ["signing in and the account page work without scripts", async (desk) => {
    const { app, own, person } = desk.config;
    const page = await desk.page({ javaScriptEnabled: false });
    await page.goto(`${app}/profile?x=1`);
    await signIn(page, person);
    await page.waitForURL(`${app}/profile?x=1`);
    await page.goto(`${own}/account`);
    const before = await sessionIds(page, "/account/sessions/");
    const other = await desk.signedIn(person);
    await page.goto(`${own}/account`);
    const fresh = (await sessionIds(page, "/account/sessions/")).filter((id) => !before.includes(id));
    assert.equal(fresh.length, 1);
    const form = page.locator(`form[action="/account/sessions/${fresh[0]}/end"]`);
    await form.getByRole("button").click();
    await form.waitFor({ state: "detached" });
    await other.goto(`${own}/account`);
    await other.getByRole("heading", { level: 1, name: "Sign in", exact: true }).waitFor();
    await page.getByRole("button", { name: "Sign out", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: "Signed out" }).waitFor();
  }],

  ["the ledger and its filter work without scripts", async (desk) => {
    const { console: rooms, admin } = desk.config;
    const page = await desk.inConsole(admin, "/ledger", { javaScriptEnabled: false });
    await page.locator("#rows tr").first().waitFor();
    assert.equal(await page.getByRole("button", { name: "Start live view" }).isVisible(), false, "no button that does nothing");
    await page.locator(".filter details summary").click();
    await page.locator("#type").fill("session.started");
    await page.getByRole("button", { name: "Find events" }).click();
    await page.waitForURL((url) => url.searchParams.get("q") === "type:session.started");
    assert.deepEqual([...new Set(await page.locator("#rows code").allInnerTexts())], ["session.started"]);
    await page.locator("#rows .row-link").first().click();
    await page.waitForURL((url) => url.origin === rooms && /^\/ledger\/[\d.]+$/.test(url.pathname));
    await page.getByRole("heading", { level: 1, name: "session.started" }).waitFor();
  }],

  ["a person signs in with the keyboard alone", async (desk) => {
    const { own, person } = desk.config;
    const page = await desk.page();
    await page.goto(`${own}/sign-in`);
    assert.equal((await focused(page)).id, "email", "the first field has the focus");
    await page.keyboard.type(person.email);
    await page.keyboard.press("Tab");
    assert.equal((await focused(page)).id, "password");
    await page.keyboard.type(person.password);
    await page.keyboard.press("Tab");
    assert.deepEqual(await focused(page), { id: "", tag: "BUTTON", text: "Sign in", ring: true });
    await page.keyboard.press("Enter");
    await page.waitForURL(`${own}/account`);

    // Every stop on the account page shows where the focus is.
    const stops = await page.locator("a[href], button, input:not([type=hidden]), summary").count();
    for (let stop = 0; stop < stops; stop += 1) {
      await page.keyboard.press("Tab");
      const at = await focused(page);
      assert.ok(at.tag === "BODY" || at.ring, `no focus ring on ${at.tag} \`${at.text}\``);
      if (at.text === "Sign out") break;
    }
    assert.equal((await focused(page)).text, "Sign out");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "Signed out" }).waitFor();
  }],

  ["the ledger is read with the keyboard alone", async (desk) => {
    const { console: rooms, admin } = desk.config;
    const page = await desk.inConsole(admin, "/ledger");
    const ready = () => page.waitForFunction(() => Boolean(globalThis.htmx), undefined);
    await ready();
    await page.keyboard.press("/");
    assert.equal(await page.evaluate(() => document.activeElement.id), "q");
    await page.goto(`${rooms}/ledger`);
    await ready();
    await page.keyboard.press("j");
    const position = await page.evaluate(() => document.activeElement.textContent.trim());
    assert.equal(position, (await page.locator("#rows .row-link").first().innerText()).trim());
    await page.keyboard.press("Enter");
    await page.locator("#panel h1").waitFor();
    await page.keyboard.press("Escape");
    await page.waitForURL((url) => url.pathname === "/ledger");
    assert.equal(await page.locator("#panel h1").count(), 0);
    await page.keyboard.press("?");
    await page.locator("#keys[open]").waitFor();
  }],

  ["the hosted pages break no rule of WCAG 2 A or AA, in any look", async (desk) => {
    const { own, person } = desk.config;
    const stranger = await desk.page();
    await stranger.goto(`${own}/sign-in`);
    await inspect(stranger, desk.config, "sign-in", HOSTED_WIDTHS);
    await signIn(stranger, { email: "nobody@example.org", password: "not the password at all" });
    await stranger.locator("#error").filter({ hasText: /\S/ }).waitFor();
    await inspect(stranger, desk.config, "sign-in refused", HOSTED_WIDTHS);
    const page = await desk.signedIn(person);
    await inspect(page, desk.config, "account", HOSTED_WIDTHS);
    await page.getByRole("button", { name: "Sign out", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: "Signed out" }).waitFor();
    await inspect(page, desk.config, "signed out", HOSTED_WIDTHS);
  }],

  ["the console breaks no rule of WCAG 2 A or AA, in any look", async (desk) => {
    const { console: rooms, admin } = desk.config;
    const page = await desk.inConsole(admin, "/ledger?type=session.started");
    const position = (await page.locator("#rows .row-link").first().innerText()).trim();
    const openRow = async () => {
      await page.locator("#rows .row-link").first().click();
      await page.locator("#panel h1").waitFor();
    };
    const askToEnd = () => page.locator("details.confirm summary").first().click();
    const pages = [
      ["overview", "/"],
      ["people", "/people"],
      ["sessions", "/sessions"],
      ["sessions asking", "/sessions", askToEnd],
      ["ledger", "/ledger"],
      ["ledger filtered", "/ledger?type=session.started"],
      ["ledger empty", "/ledger?type=nothing.of.this.kind"],
      ["ledger with an event beside it", "/ledger", openRow],
      ["event", `/ledger/${position}`],
      ["health", "/health"],
      ["nothing here", "/ledger/99999999"],
    ];
    const broken = [];
    for (const [name, path, prepare] of pages) {
      await page.setViewportSize({ width: 1440, height: 900 });
      await page.goto(rooms + path);
      await page.getByRole("heading", { level: 1 }).first().waitFor();
      await prepare?.();
      await inspect(page, desk.config, name).catch((error) => broken.push(error.message));
    }
    assert.ok(broken.length === 0, broken.join("\n"));
  }],

  // Last, because it judges every page that the cases above have opened.
  ["no page broke its own content security policy, and none allows inline scripts", async (desk) => {
    const { complaints, policies } = desk.harness;
    if (policies.size === 0) {
      const page = await desk.page();
      await page.goto(`${desk.config.own}/sign-in`);
    }
    assert.ok(complaints.length === 0, complaints.map(({ page, why }) => `${page}: ${why}`).join("\n"));
    assert.ok(policies.size > 0, "no page of ours was opened");
    for (const [policy, url] of policies) {
      const directives = new Map(policy.split(";").map((part) => part.trim().split(/\s+/)).map(([name, ...values]) => [name, values]));
      assert.ok(directives.has("script-src") || directives.has("default-src"), `${url} restricts no scripts: \`${policy}\``);
      for (const [name, values] of directives) {
        for (const bad of ["'unsafe-inline'", "'unsafe-eval'", "*", "http:", "https:"]) assert.ok(!values.includes(bad), `${url} allows ${bad} in ${name}`);
      }
      for (const [name, value] of [["base-uri", "'none'"], ["frame-ancestors", "'none'"]]) assert.deepEqual(directives.get(name), [value], `${url}: ${name}`);
    }
  }],
];
