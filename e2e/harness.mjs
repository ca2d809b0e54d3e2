// What every case shares: the browser, pages that remember what went wrong on them, and axe-core.
//
// Nothing here sleeps. Whatever is waited for is a condition with a bound: `WAIT_MS` for a page,
// `CASE_MS` for a whole case.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

export const WAIT_MS = 15_000;
export const CASE_MS = 180_000;
/** Widths in CSS pixels that a page is checked in. */
const WIDTHS = [1440, 390];

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** Reads the environment; names everything that is missing at once. */
export function settings(env = process.env) {
  const needed = ["E2E_APP", "E2E_OWN", "E2E_CONSOLE", "E2E_EMAIL", "E2E_PASSWORD", "E2E_ADMIN_EMAIL", "E2E_ADMIN_PASSWORD", "E2E_LEAVER_EMAIL", "E2E_LEAVER_PASSWORD", "E2E_MESSAGES"];
  const missing = needed.filter((name) => !env[name]);
  if (missing.length > 0) throw new Error(`missing in the environment: ${missing.join(", ")}`);
  const origin = (name) => {
    const url = new URL(env[name]);
    if (url.pathname !== "/" || url.search) throw new Error(`${name} is an origin without path, for example http://photos.localhost:8080`);
    return url.origin;
  };
  return {
    app: origin("E2E_APP"),
    own: origin("E2E_OWN"),
    console: origin("E2E_CONSOLE"),
    person: { email: env.E2E_EMAIL, password: env.E2E_PASSWORD },
    admin: { email: env.E2E_ADMIN_EMAIL, password: env.E2E_ADMIN_PASSWORD },
    leaver: { email: env.E2E_LEAVER_EMAIL, password: env.E2E_LEAVER_PASSWORD },
    messages: env.E2E_MESSAGES,
    shots: env.E2E_SHOTS || null,
    chromium: env.E2E_CHROMIUM || "/usr/bin/chromium",
  };
}

/** One browser for the run; each window of a case is a person with cookies of their own. */
export class Harness {
  constructor(config) {
    this.config = config;
    /** What broke on any page outside of the assertions: `{page, why}`. */
    this.complaints = [];
    /** Policies of our own pages, by policy with the nonce taken out. */
    this.policies = new Map();
  }

  async start() {
    this.folder = mkdtempSync(join(tmpdir(), "tutela-e2e-"));
    this.browser = await chromium.launch({ executablePath: this.config.chromium, args: FLAGS, downloadsPath: this.folder, timeout: 30_000 });
    if (!this.config.shots) return;
    mkdirSync(this.config.shots, { recursive: true });
    for (const old of readdirSync(this.config.shots).filter((name) => name.startsWith("failed-"))) rmSync(join(this.config.shots, old));
  }

  async stop() {
    await this.browser?.close();
    if (this.folder) rmSync(this.folder, { recursive: true, force: true });
  }

  /** Runs one case in windows of its own; they are closed whatever happens. */
  async run(name, body) {
    const desk = new Desk(this);
    let timer;
    const late = new Promise((_, refuse) => {
      timer = setTimeout(() => refuse(new Error(`not done within ${CASE_MS / 1000} s`)), CASE_MS);
    });
    try {
      await Promise.race([body(desk), late]);
    } catch (error) {
      await desk.photograph(name).catch(() => {});
      throw error;
    } finally {
      clearTimeout(timer);
      await desk.close();
    }
  }
}

/** The windows of one case. */
class Desk {
  constructor(harness) {
    this.harness = harness;
    this.config = harness.config;
    this.windows = [];
  }

  /** A page in a new window without cookies. `options` are those of a browser context. */
  async page(options = {}) {
    const context = await this.harness.browser.newContext({ viewport: { width: 1440, height: 900 }, reducedMotion: "reduce", acceptDownloads: true, ...options });
    context.setDefaultTimeout(WAIT_MS);
    this.windows.push(context);
    const page = await context.newPage();
    if (!options.bypassCSP) this.#watch(page);
    return page;
  }

  #watch(page) {
    const complain = (why) => this.harness.complaints.push({ page: page.url(), why });
    page.on("pageerror", (error) => complain(`script error: ${error.message}`));
    page.on("console", (message) => {
      const text = message.text();
      if (/content.security.policy|trusted.?types?|\[hx-csp\]/i.test(text)) complain(text);
    });
    page.on("response", (response) => {
      const { own, console: rooms } = this.config;
      const type = response.headers()["content-type"] ?? "";
      if (!type.startsWith("text/html") || ![own, rooms].includes(new URL(response.url()).origin)) return;
      const policy = response.headers()["content-security-policy"] ?? "";
      this.harness.policies.set(policy.replace(/'nonce-[^']*'/g, "'nonce'"), response.url());
    });
  }

  /** A page that is signed in at the own host. */
  async signedIn(who, options) {
    const page = await this.page(options);
    await page.goto(`${this.config.own}/sign-in`);
    await signIn(page, who);
    await page.waitForURL(`${this.config.own}/account`);
    return page;
  }

  /** A page that is signed in as `who` and shows the console at `path`. */
  async inConsole(who, path = "/", options = {}) {
    const page = await this.page(options);
    await page.goto(this.config.console + path);
    await signIn(page, who);
    await page.waitForURL((url) => url.origin === this.config.console && url.pathname === path.split("?")[0]);
    return page;
  }

  /** Keeps what the windows of a failed case show. */
  async photograph(name) {
    if (!this.config.shots) return;
    for (const [number, page] of this.windows.flatMap((context) => context.pages()).entries()) {
      await page.screenshot({ path: join(this.config.shots, `failed-${slug(name)}-${number}.png`), timeout: 5_000 });
    }
  }

  async close() {
    await Promise.allSettled(this.windows.map((context) => context.close()));
  }
}

/** Fills the sign-in form that the page shows and sends it; answers with what the server said. */
export async function signIn(page, { email, password }) {
  await page.getByRole("heading", { level: 1, name: "Sign in", exact: true }).waitFor();
  await page.locator("#email").fill(email);
  await page.locator("#password").fill(password);
  const answer = page.waitForResponse((response) => response.request().method() === "POST" && new URL(response.url()).pathname === "/sign-in");
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  return answer;
}

/** Whether the window sees the sign-in page, and nothing else, at `address`. */
export async function assertAsksForSignIn(page, address) {
  await page.goto(address);
  await page.getByRole("heading", { level: 1, name: "Sign in", exact: true }).waitFor();
}

/** Ids of sessions named in forms whose action begins with `prefix` and ends with `/end`. */
export async function sessionIds(page, prefix) {
  const actions = await page.locator(`form[action^="${prefix}"][action$="/end"]`).evaluateAll((forms) => forms.map((form) => form.getAttribute("action")));
  return actions.map((action) => action.slice(prefix.length, -"/end".length));
}

/** Tries until it works, page load by page load; the ledger of a cluster is a moment behind. */
export async function eventually(what, attempt) {
  const end = performance.now() + WAIT_MS;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > end) throw new Error(`${what}: not within ${WAIT_MS / 1000} s: ${error.message}`);
    }
  }
}

/** Rules of WCAG 2.x A and AA that the page breaks, each with where. */
export async function axe(page) {
  // Through the debugger, because the pages' policy refuses scripts from anywhere else.
  const debuggerSession = await page.context().newCDPSession(page);
  const evaluate = async (expression) => {
    const { result, exceptionDetails } = await debuggerSession.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(`axe-core: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    return result.value;
  };
  try {
    await evaluate(`${AXE};undefined`);
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
    const options = { runOnly: { type: "tag", values: tags }, resultTypes: ["violations"], preload: false };
    const found = await evaluate(`axe.run(document, ${JSON.stringify(options)}).then((r) => ({
      checked: r.passes.length + r.violations.length,
      broken: r.violations.map((v) => v.id + ": " + v.help + " at " + v.nodes.slice(0, 3).map((n) => n.target.join(" ")).join(", ")),
    }))`);
    assert.ok(found.checked > 5, `axe-core applied only ${found.checked} rules, so it did not see the page`);
    return found.broken;
  } finally {
    await debuggerSession.detach();
  }
}

/** Checks a page in both themes and every width, and keeps pictures where they are asked for. */
export async function inspect(page, config, name, widths = WIDTHS) {
  const broken = [];
  for (const colorScheme of ["light", "dark"]) {
    for (const width of widths) {
      const look = `${name} ${width} ${colorScheme}`;
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      for (const rule of await axe(page)) broken.push(`${look}: ${rule}`);
      const beyond = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (beyond > 0) broken.push(`${look}: the page is ${beyond} pixels wider than its window`);
      await photograph(page, config, look);
    }
  }
  assert.ok(broken.length === 0, broken.join("\n"));
}

/** Where the focus is: the element's id, tag and text, and whether a ring shows it. */
export function focused(page) {
  return page.evaluate(() => {
    const at = document.activeElement;
    const { outlineStyle, outlineWidth } = getComputedStyle(at);
    return { id: at.id, tag: at.tagName, text: at.textContent.trim(), ring: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 };
  });
}

/** Keeps a picture of the whole page where pictures were asked for. */
export async function photograph(page, config, name) {
  if (config.shots) await page.screenshot({ path: join(config.shots, `${slug(name)}.png`), fullPage: true });
}

function slug(name) {
  return name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 80);
}
