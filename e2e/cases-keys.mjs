// The console's room of keys: the key ring, the provider's epochs, backups, field policies, erasure.
//
// A key's name is never used again, so every run takes new ones.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { eventually, focused, inspect } from "./harness.mjs";

export const keyCases = [
  ["a key is created, rotated, to be destroyed, and kept", async (desk) => {
    const page = await desk.inConsole(desk.config.admin, "/keys");
    const id = await liveOfAKey(page, desk.config.console);
    await page.getByRole("link", { name: "Show the events of this key" }).click();
    await page.waitForURL((url) => url.pathname === "/ledger" && url.searchParams.get("q") === `resource:${id}`);
    await eventually("what was done with the key stands in the ledger, with the reason", async () => {
      await page.goto(`${desk.config.console}/ledger?resource=${id}&type=key.destruction_scheduled`);
      await page.locator("#rows .row-link").first().click({ timeout: 2_000 });
      await page.locator("#panel pre", { hasText: "no longer needed" }).first().waitFor({ timeout: 2_000 });
    });
  }],

  ["a key is created, rotated, to be destroyed, and kept without scripts", async (desk) => {
    const page = await desk.inConsole(desk.config.admin, "/keys", { javaScriptEnabled: false });
    await liveOfAKey(page, desk.config.console);
  }],

  ["a key is created with the keyboard alone", async (desk) => {
    const { console: rooms, admin } = desk.config;
    const page = await desk.inConsole(admin, "/keys/new");
    const name = newName();
    const next = async () => {
      await page.keyboard.press("Tab");
      const at = await focused(page);
      assert.ok(at.ring, `no focus ring on ${at.tag} \`${at.id || at.text}\``);
      return at;
    };
    const box = () => page.evaluate(() => ({ name: document.activeElement.name, checked: document.activeElement.checked }));
    assert.equal((await focused(page)).id, "name", "the first field has the focus");
    await page.keyboard.type(name);
    // Each box is reached, and the space bar changes it.
    for (const purpose of ["encrypt", "data-key", "index", "deterministic", "plain"]) {
      await next();
      assert.deepEqual(await box(), { name: purpose, checked: ["encrypt", "data-key"].includes(purpose) });
      if (purpose === "index") await page.keyboard.press("Space");
    }
    assert.equal((await next()).id, "algorithm");
    await page.keyboard.press("ArrowDown");
    assert.equal(await page.locator("#algorithm").inputValue(), "chacha20-poly1305");
    assert.equal((await next()).id, "schedule");
    await page.keyboard.type("never");
    await next();
    assert.deepEqual(await box(), { name: "export", checked: false });
    assert.equal((await next()).text, "Create key");
    await page.keyboard.press("Enter");
    await page.waitForURL((url) => url.origin === rooms && /^\/keys\/tky_[0-9a-f]{32}$/.test(url.pathname));
    await page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
    assert.match(await fact(page, "Algorithm").innerText(), /chacha20-poly1305/);
    assert.match(await fact(page, "Rotation schedule").innerText(), /never/);
    assert.deepEqual((await fact(page, "Purposes").locator(".chip").allInnerTexts()).sort(), ["data-key", "encrypt", "index"]);
  }],

  ["a form for a key says beside each field what is wrong with it", async (desk) => {
    const page = await desk.inConsole(desk.config.admin, "/keys/new");
    await page.locator("#name").fill("No Name");
    await page.locator("#schedule").fill("soon");
    await page.getByRole("button", { name: "Create key" }).click();
    await page.locator("#name-error").filter({ hasText: /\S/ }).waitFor();
    assert.equal(await page.locator("#name").getAttribute("aria-invalid"), "true");
    assert.deepEqual([await page.locator("#name").inputValue(), await page.locator("#schedule").inputValue()], ["No Name", "soon"], "nothing has to be typed again");
    await page.locator("#name").fill(newName());
    for (const purpose of ["encrypt", "data-key"]) await page.locator(`[name="${purpose}"]`).uncheck();
    await page.getByRole("button", { name: "Create key" }).click();
    await page.locator("#purposes-error").filter({ hasText: /\S/ }).waitFor();
  }],

  ["the provider key is rotated, and every key moves to the new epoch", async (desk) => {
    const { console: rooms, admin } = desk.config;
    const page = await desk.inConsole(admin, "/keys/epochs");
    await page.getByRole("heading", { level: 1, name: "Provider epochs" }).waitFor();
    const newest = page.locator("table.epochs tbody tr").first();
    const before = Number(await newest.locator("td").first().innerText());
    await page.getByRole("button", { name: "Rotate provider key" }).click();
    await page.waitForURL(`${rooms}/keys/epochs?done=rotated`);
    await page.locator(".notice", { hasText: "Provider key rotated" }).waitFor();
    assert.equal(Number(await newest.locator("td").first().innerText()), before + 1);
    assert.match(await newest.innerText(), /active/);
    await eventually("the job is done and nothing is under an older epoch", async () => {
      await page.goto(`${rooms}/keys/epochs`);
      assert.match(await page.locator("table.jobs tbody tr").first().innerText(), /done/);
      assert.equal(await page.locator(".figures .is-good", { hasText: "all moved" }).count(), 1);
    });
    assert.equal(await page.locator("table.left-behind").count(), 0);
    await page.goto(`${rooms}/keys`);
    await page.locator(".figures dd", { hasText: `epoch ${before + 1}` }).waitFor();
  }],

  ["backups says whether the keys could be restored", async (desk) => {
    const page = await desk.inConsole(desk.config.admin, "/keys");
    await page.getByRole("navigation", { name: "Keys" }).getByRole("link", { name: "Backups", exact: true }).click();
    await page.getByRole("heading", { level: 1, name: "Key backups" }).waitFor();
    assert.equal(await page.locator('.tabs [aria-current="page"]').innerText(), "Backups");
    // A demo names no recipient: the page must not look as if all were well.
    await page.getByText(/^(Key backup is off|No key backup exists)\.$/).waitFor();
    assert.match(await page.locator("main").innerText(), /backup_enabled/);
    assert.equal(await page.locator("table.backups").count(), 0);
  }],

  ["a data subject is held, released and erased, and what was sealed for them opens no more", async (desk) => {
    const { console: rooms, admin } = desk.config;
    const page = await desk.inConsole(admin, "/keys/erasure");
    const addresses = [];
    page.on("framenavigated", (frame) => addresses.push(frame.url()));
    const { value, message, key } = await sealedFor(page);
    assert.deepEqual(await opened(page, message), { status: 200, text: "secret" });
    await lookUp(page, value);
    await page.getByRole("heading", { level: 2, name: `Key of e2e:${value}` }).waitFor();
    await act(page, "hold", "a court asks");
    await page.locator(".notice", { hasText: "Legal hold placed" }).waitFor();
    assert.match(await fact(page, "Legal hold").innerText(), /a court asks/);
    assert.equal(await page.locator('form[action="/keys/erasure/erase"]').count(), 0, "nothing to erase while it is held");
    await act(page, "release", "the court is done");
    await page.locator(".notice", { hasText: "Legal hold released" }).waitFor();
    await act(page, "erase", "asked for by the person");
    await page.waitForURL((url) => url.pathname === "/keys/erasure" && url.searchParams.get("certificate") === key);
    await page.getByRole("heading", { level: 2, name: "Certificate of erasure" }).waitFor();
    assert.match(await fact(page, "Destroyed").innerText(), /UTC/);
    await page.locator("summary", { hasText: "Signed certificate" }).click();
    const note = await page.locator("pre").innerText();
    assert.ok(note.includes(key) && !note.includes(value), "the certificate names the key and not the person");
    assert.deepEqual(await opened(page, message), { status: 422, text: undefined });
    await lookUp(page, value);
    await page.getByText("There is no key for this data subject.").waitFor();
    await page.goto(`${rooms}/keys/erasure`);
    await page.locator("#certificate").fill(key);
    await page.getByRole("button", { name: "Show certificate" }).click();
    await page.getByRole("heading", { level: 2, name: "Certificate of erasure" }).waitFor();
    assert.deepEqual(addresses.filter((address) => address.includes(value)), [], "no address holds who it is about");
  }],

  ["the room of keys breaks no rule of WCAG 2 A or AA, in any look", async (desk) => {
    const { console: rooms, admin } = desk.config;
    const page = await desk.inConsole(admin, "/keys/new");
    const broken = [];
    const look = (name) => inspect(page, desk.config, `keys ${name}`).catch((error) => broken.push(error.message));
    await look("new");
    await page.locator("#name").fill("No Name");
    await page.getByRole("button", { name: "Create key" }).click();
    await page.locator("#name-error").filter({ hasText: /\S/ }).waitFor();
    await look("new refused");
    await createKey(page, newName());
    await look("created");
    for (const summary of await page.locator("main details > summary").all()) await summary.click();
    await look("one, all open");
    await page.getByLabel("Reason, for the ledger").last().fill("no longer needed");
    await page.locator('form[action$="/destroy"]').getByRole("button").click();
    await page.getByText("This key will be destroyed").waitFor();
    await look("one, to be destroyed");

    const policy = { fields: [{ path: "address.street" }, { path: "name", mode: "equality" }] };
    assert.equal((await api(page, "PUT", "/v1/crypto/policies/e2e-people", policy)).status, 200);
    for (const part of ["", "/epochs", "/backups", "/policies", "/erasure"]) {
      await page.goto(`${rooms}/keys${part}`);
      await page.getByRole("heading", { level: 1 }).waitFor();
      await look(part.slice(1) || "list");
    }
    const { value } = await sealedFor(page);
    await page.goto(`${rooms}/keys/erasure`);
    await lookUp(page, value);
    for (const summary of await page.locator("main details > summary").all()) await summary.click();
    await look("data subject");
    await page.getByLabel("Reason, for the ledger").last().fill("asked for by the person");
    await page.locator('form[action="/keys/erasure/erase"]').getByRole("button").click();
    await page.locator("summary", { hasText: "Signed certificate" }).click();
    await look("certificate");
    assert.ok(broken.length === 0, broken.join("\n"));
  }],
];

/** A name that no key had. */
function newName() {
  return `e2e-${randomBytes(4).toString("hex")}`;
}

/** What the page says of the fact `name`. */
function fact(page, name) {
  return page.locator(".facts > div", { has: page.locator("dt", { hasText: new RegExp(`^${name}$`) }) }).locator("dd");
}

/** Sends the form for a new key; answers with the key's id, from its page. */
async function createKey(page, name) {
  await page.locator("#name").fill(name);
  await page.getByRole("button", { name: "Create key" }).click();
  await page.locator(".notice", { hasText: "Key created" }).waitFor();
  await page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
  const { pathname } = new URL(page.url());
  assert.match(pathname, /^\/keys\/tky_[0-9a-f]{32}$/);
  return pathname.slice("/keys/".length);
}

/** From the list through every step and back; answers with the key's id. */
async function liveOfAKey(page, rooms) {
  const name = newName();
  await page.getByRole("heading", { level: 1, name: "Keys", exact: true }).waitFor();
  await page.getByRole("link", { name: "Create key" }).click();
  await page.getByRole("heading", { level: 1, name: "New key" }).waitFor();
  const id = await createKey(page, name);
  const versions = async () => (await page.locator("table.versions tbody tr").allInnerTexts()).map((text) => /active|deactivated|destroyed/.exec(text)?.[0]);
  assert.deepEqual(await versions(), ["active"]);
  const state = () => fact(page, "State").innerText();

  await page.getByRole("button", { name: "Rotate key" }).click();
  await page.locator(".notice", { hasText: "Key rotated" }).waitFor();
  assert.deepEqual(await versions(), ["active", "deactivated"], "the newest first");

  await page.locator("summary", { hasText: "Destroy key" }).click();
  const form = page.locator(`form[action="/keys/${id}/destroy"]`);
  await form.getByText("unreadable, for good").waitFor();
  await form.getByLabel("Reason, for the ledger").fill("no longer needed");
  await form.getByRole("button", { name: "Destroy key" }).click();
  await page.getByText("This key will be destroyed at").waitFor();
  assert.match(await state(), /destroying/);
  assert.equal(await page.getByRole("button", { name: "Rotate key" }).count(), 0, "what waits to be destroyed cannot be rotated");
  await page.goto(`${rooms}/keys`);
  const row = page.locator("table.keyring tr", { hasText: name });
  assert.match(await row.innerText(), /destroying/);
  await row.locator(".row-link").click();
  await page.getByRole("button", { name: "Keep key" }).click();
  await page.locator(".notice", { hasText: "The key is kept" }).waitFor();
  assert.match(await state(), /active/);
  assert.equal(await page.getByText("This key will be destroyed at").count(), 0);
  return id;
}

/** Asks the page for a data subject's key. */
async function lookUp(page, value) {
  await page.locator("#namespace").fill("e2e");
  await page.locator("#value").fill(value);
  await page.getByRole("button", { name: "Look up key" }).click();
}

/** Opens what the page offers for a data subject's key, gives the reason, and does it. */
async function act(page, verb, reason) {
  const form = page.locator(`form[action="/keys/erasure/${verb}"]`);
  await page.locator("details", { has: form }).locator("summary").click();
  await form.getByLabel("Reason, for the ledger").fill(reason);
  await form.getByRole("button").click();
}

/** Seals a text for a new data subject, as an application would; the page's own session may do it too. */
async function sealedFor(page) {
  const value = randomBytes(6).toString("hex");
  const { status, body } = await api(page, "POST", "/v1/crypto/encrypt", { subject: { namespace: "e2e", value }, text: "secret" });
  assert.equal(status, 200, JSON.stringify(body));
  return { value, message: body.message, key: body.key_id };
}

/** Status and text of opening a message. */
async function opened(page, message) {
  const { status, body } = await api(page, "POST", "/v1/crypto/decrypt", { message, as: "text" });
  return { status, text: body.text };
}

/** A request of the page itself, which its policy allows to its own host. */
function api(page, method, path, body) {
  const send = async ([method, path, body]) => {
    const answer = await fetch(path, { method, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    return { status: answer.status, body: await answer.json() };
  };
  return page.evaluate(send, [method, path, body]);
}
