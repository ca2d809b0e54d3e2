// People and their accounts: making one, passkeys, apps, codes by mail, resets, devices; and how each page looks.

import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { eventually, inspect, signIn } from "./harness.mjs";

const HOSTED_WIDTHS = [1440, 390, 320];
const PASSWORD = "seven plain ponies graze";

/** The newest mail to somebody that leads to `path`, as the address in it. */
async function mailed(desk, to, path) {
  return eventually(`a mail to ${to} with ${path}`, async () => {
    const lines = readFileSync(desk.config.messages, "utf8").trim().split("\n").map((line) => JSON.parse(line));
    const mail = lines.filter((one) => one.to === to && one.body.includes(path)).at(-1);
    assert.ok(mail, "not yet");
    return mail.body.split(/\s+/).find((word) => word.includes(path));
  });
}

/** What an app shows (RFC 6238), `steps` of 30 seconds later. */
function appCode(secret, steps = 0) {
  const bits = [...secret.replace(/\s/g, "")].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const mac = createHmac("sha1", key).update(counter).digest();
  const word = mac.readUInt32BE(mac[19] & 15) & 0x7fffffff;
  return String(word % 1_000_000).padStart(6, "0");
}

/** A security key inside the browser. */
async function virtualKey(page) {
  const debuggerSession = await page.context().newCDPSession(page);
  await debuggerSession.send("WebAuthn.enable");
  await debuggerSession.send("WebAuthn.addVirtualAuthenticator", {
    options: { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  });
}

const button = (page, name) => page.getByRole("button", { name, exact: true });
const heading = (page, name) => page.getByRole("heading", { level: 1, name, exact: true }).waitFor();

/** A new account with a verified address, in a window that is signed in. */
async function newcomer(desk, page, name) {
  const { own } = desk.config;
  const email = `${name.toLowerCase()}-${randomBytes(4).toString("hex")}@example.com`;
  await page.goto(`${own}/sign-up`);
  await page.locator("#name").fill(name);
  await page.locator("#email").fill(email);
  await page.locator("#password").fill(PASSWORD);
  await button(page, "Make an account").click();
  await heading(page, "Look at your mail");
  await page.goto(await mailed(desk, email, "/verify-email/"));
  await button(page, "Confirm address").click();
  await heading(page, "Your mail address is confirmed");
  await page.goto(`${own}/sign-in`);
  await signIn(page, { email, password: PASSWORD });
  await page.waitForURL(`${own}/account`);
  return email;
}

export const peopleCases = [
  ["a person makes an account, sets up a passkey, and signs in with it alone", async (desk) => {
    const { own, app } = desk.config;
    const page = await desk.page();
    await virtualKey(page);
    await newcomer(desk, page, "Dora");
    await page.goto(`${own}/account/passkey`);
    await page.locator("#passkey-name").fill("Dora's laptop");
    await button(page, "Make a passkey").click();
    await heading(page, "Your recovery codes");
    assert.equal(await page.locator(".codes li").count(), 10);
    await page.getByRole("link", { name: "I have kept them" }).click();
    await page.getByText("Dora's laptop").waitFor();
    await page.getByText("Add a second passkey").waitFor();
    await page.goto(`${own}/sign-out`);
    await button(page, "Sign out").click();
    // From a guarded application: the browser offers the passkey by itself; it is both factors, and leads back.
    await page.goto(`${app}/profile?from=passkey`);
    await page.waitForURL(`${app}/profile?from=passkey`);
    await page.goto(`${own}/sign-out`);
    await button(page, "Sign out").click();
    // A browser that does not offer it has the button.
    await page.addInitScript(() => { delete PublicKeyCredential.isConditionalMediationAvailable; });
    await page.goto(`${own}/sign-in`);
    await button(page, "Sign in with a passkey").click();
    await page.waitForURL(`${own}/account`);
  }],

  ["a password alone is not enough once an app is set up, and a remembered device is spared", async (desk) => {
    const { own } = desk.config;
    const page = await desk.page();
    const email = await newcomer(desk, page, "Emil");
    await page.goto(`${own}/account/app`);
    const secret = await page.locator(".hint code").innerText();
    await page.locator("#code").fill(appCode(secret));
    await page.locator("#name").fill("Emil's phone");
    await button(page, "Confirm code").click();
    await heading(page, "Your recovery codes");
    const spare = await page.locator(".codes code").first().innerText();
    const other = await desk.page();
    await other.goto(`${own}/sign-in`);
    await signIn(other, { email, password: PASSWORD });
    await heading(other, "Prove that it is you");
    await inspect(other, desk.config, "challenge", HOSTED_WIDTHS);
    await other.locator("#code").fill("000 000");
    await button(other, "Continue").click();
    await other.locator("#error").filter({ hasText: /\S/ }).waitFor();
    await other.getByRole("link", { name: "A recovery code" }).click();
    await other.locator("#code").fill(spare.toUpperCase());
    await button(other, "Continue").click();
    await other.waitForURL(`${own}/account`);
    const third = await desk.page();
    await third.goto(`${own}/sign-in`);
    await signIn(third, { email, password: PASSWORD });
    await third.locator("#code").fill(appCode(secret, 1));
    await third.locator("#remember").check();
    await button(third, "Continue").click();
    await third.waitForURL(`${own}/account`);
    await third.goto(`${own}/sign-out`);
    await button(third, "Sign out").click();
    await third.goto(`${own}/sign-in`);
    await signIn(third, { email, password: PASSWORD });
    await third.waitForURL(`${own}/account`);
    await third.goto(`${own}/account/devices`);
    await third.getByText("Spares the second step until").waitFor();
    await inspect(third, desk.config, "devices", HOSTED_WIDTHS);
    const mail = await mailed(desk, email, "/not-me/");
    await page.goto(mail);
    await inspect(page, desk.config, "not me", HOSTED_WIDTHS);
    await button(page, "It was not me").click();
    await heading(page, "The session was ended");
  }],

  ["a forgotten password is reset by mail, and the link works once", async (desk) => {
    const { own } = desk.config;
    const page = await desk.page({ javaScriptEnabled: false });
    const email = await newcomer(desk, page, "Fritz");
    const other = await desk.page({ javaScriptEnabled: false });
    await other.goto(`${own}/sign-in`);
    await other.getByRole("link", { name: "Forgot your password?" }).click();
    await other.locator("#email").fill(email);
    await button(other, "Mail a link").click();
    await heading(other, "Look at your mail");
    const link = await mailed(desk, email, "/reset/");
    await other.goto(link);
    await other.locator("#password").fill("short");
    // The browser would stop it; what it does not stop, the server does.
    await other.locator("#password").evaluate((field) => field.removeAttribute("minlength")).catch(() => {});
    await other.locator("#password").fill("nine quiet otters swim home");
    await button(other, "Set password").click();
    await heading(other, "Your password was changed");
    await other.goto(link);
    await heading(other, "This link does not work any more");
    await page.goto(`${own}/account`);
    await heading(page, "Sign in");
    await signIn(page, { email, password: "nine quiet otters swim home" });
    await page.waitForURL(`${own}/account`);
  }],

  ["pages about people break no rule of WCAG 2 A or AA, in any look", async (desk) => {
    const { own } = desk.config;
    const page = await desk.page();
    await page.goto(`${own}/sign-up`);
    await inspect(page, desk.config, "sign-up", HOSTED_WIDTHS);
    await page.goto(`${own}/recover`);
    await inspect(page, desk.config, "recover", HOSTED_WIDTHS);
    await newcomer(desk, page, "Gerda");
    for (const [name, path] of [
      ["security", "/account/security"],
      ["activity", "/account/activity"],
      ["app", "/account/app"],
      ["passkey", "/account/passkey"],
      ["password", "/account/password"],
      ["phone", "/account/phone"],
      ["email", "/account/email"],
      ["name", "/account/name"],
    ]) {
      await page.goto(own + path);
      await page.getByRole("heading", { level: 1 }).waitFor();
      assert.equal(new URL(page.url()).pathname, path);
      await inspect(page, desk.config, name, HOSTED_WIDTHS);
    }
    await page.goto(`${own}/step-up?acr=aal1&back=/account/security`);
    await heading(page, "Prove again that it is you");
    await inspect(page, desk.config, "step-up", HOSTED_WIDTHS);
    await page.locator("#password").fill(PASSWORD);
    await button(page, "Continue").click();
    await page.waitForURL(`${own}/account/security`);
  }],
];
