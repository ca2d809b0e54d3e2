// The console: the same way in, the ledger with its evidence, people, sessions, health.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { eventually, inspect, sessionIds, signIn } from "./harness.mjs";

export const consoleCases = [
  ["an administrator enters the console through the code flow", async (desk) => {
    const { console: rooms, own, admin } = desk.config;
    const page = await desk.page();
    const codes = [];
    page.on("request", (request) => {
      const url = new URL(request.url());
      if (url.origin === rooms && url.searchParams.has("code")) codes.push(url.pathname);
    });
    await page.goto(`${rooms}/`);
    assert.equal(new URL(page.url()).origin, own, "the password is asked for at the own host only");
    await signIn(page, admin);
    await page.waitForURL(`${rooms}/`);
    await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
    assert.equal(codes.length, 1, `the console received ${codes.length} codes`);
    const host = new URL(rooms).hostname;
    const cookies = (await page.context().cookies()).filter((cookie) => cookie.domain.replace(/^\./, "") === host);
    assert.deepEqual(cookies.map(({ domain, secure, httpOnly }) => ({ domain, secure, httpOnly })), [{ domain: host, secure: true, httpOnly: true }]);
    assert.ok(cookies[0].name.startsWith("__Host-"), cookies[0].name);
    for (const figure of ["Events recorded", "Ledger", "Live sessions", "Accounts"]) await page.locator(".figures dt", { hasText: figure }).first().waitFor();
  }],

  ["an ordinary person is refused in every room of the console", async (desk) => {
    const { console: rooms, person } = desk.config;
    const page = await desk.page();
    await page.goto(`${rooms}/`);
    const refused = page.waitForResponse((response) => response.url().startsWith(rooms) && response.status() === 403);
    await signIn(page, person);
    await refused;
    await page.getByRole("heading", { level: 1 }).waitFor();
    const keys = ["/keys", "/keys/new", "/keys/epochs", "/keys/backups", "/keys/policies", "/keys/erasure", "/keys/default"];
    for (const path of ["/", "/people", "/people/new", "/people/groups", "/people/access", "/sessions", "/ledger", "/ledger/0", "/ledger/0/proof", "/health", ...keys]) {
      const answer = await page.goto(rooms + path);
      assert.equal(answer.status(), 403, path);
      assert.equal(await page.locator("table, pre, main form").count(), 0, `${path} shows no data and nothing to do`);
    }
    for (const path of ["/people/new", "/people/groups", `/people/${"0".repeat(8)}-0000-7000-8000-${"0".repeat(12)}/disable`, "/keys", "/keys/epochs", "/keys/rewrap", "/keys/backups", "/keys/default/rotate", "/keys/erasure", "/keys/erasure/erase"]) {
      const send = async (to) => (await fetch(to, { method: "POST", body: new URLSearchParams({ name: "theirs", encrypt: "yes", reason: "none" }) })).status;
      assert.equal(await page.evaluate(send, path), 403, `POST ${path}`);
    }
  }],

  ["the ledger lists events and filters them by type", async (desk) => {
    const { console: rooms, admin } = desk.config;
    const page = await desk.inConsole(admin, "/ledger");
    await page.getByRole("heading", { level: 1, name: "Ledger" }).waitFor();
    await page.locator("#rows tr").first().waitFor();
    const positions = (await page.locator("#rows .row-link").allInnerTexts()).map((text) => text.trim());
    assert.deepEqual(positions, [...positions].sort(newestFirst), "newest first");
    // Each row's link leads to its own event, also where it is one record of many under one entry.
    for (const link of await page.locator("#rows .row-link").all()) assert.equal(await link.getAttribute("href"), `/ledger/${(await link.innerText()).trim()}`);

    await page.locator(".filter details summary").click();
    await page.locator("#type").fill("session.started");
    await page.getByRole("button", { name: "Find events" }).click();
    await page.waitForURL((url) => url.searchParams.get("q") === "type:session.started");
    const kinds = await page.locator("#rows code").allInnerTexts();
    assert.ok(kinds.length > 0, "this sign-in itself is such an event");
    assert.deepEqual([...new Set(kinds)], ["session.started"]);
    const chip = page.locator(".chips .chip", { hasText: "session.started" });
    await chip.getByRole("link").click();
    await page.waitForURL((url) => url.origin === rooms && !url.searchParams.get("q"));

    await page.goto(`${rooms}/ledger?type=nothing.of.this.kind`);
    await page.locator("#empty").waitFor();
    assert.equal(await page.locator("#rows tr").count(), 0);
  }],

  ["the live view shows an event as it happens, and opens it beside the list", async (desk) => {
    const { console: rooms, admin, person } = desk.config;
    const page = await desk.inConsole(admin, "/ledger");
    const open = page.waitForResponse((response) => (response.headers()["content-type"] ?? "").startsWith("text/event-stream"));
    await page.getByRole("button", { name: "Start live view" }).click();
    await open;
    await page.locator('[data-tail-url][aria-pressed="true"]').waitFor();
    await desk.signedIn(person);
    const row = page.locator("#rows tr.is-new", { hasText: "session.started" }).first();
    await row.waitFor();
    const position = (await row.locator(".row-link").innerText()).trim();
    // Of every new row, also where it is one record of many under one entry, as `7.10` is.
    const links = await page.locator("#rows tr.is-new .row-link").evaluateAll((all) => all.map((link) => [link.textContent.trim(), link.getAttribute("href")]));
    for (const [place, href] of links) assert.equal(href, `/ledger/${place}`);
    assert.match(await row.locator("time").getAttribute("datetime"), /^\d{4}-\d\d-\d\dT/);
    await page.getByRole("button", { name: "Stop live view" }).click();
    await page.locator('[data-tail-url][aria-pressed="false"]').waitFor();

    await row.locator(".row-link").click();
    await page.waitForURL(`${rooms}/ledger/${position}`);
    await page.locator("#panel h1", { hasText: "session.started" }).waitFor();
    await page.locator("#panel a.panel-close").click();
    await page.waitForURL((url) => url.pathname === "/ledger");
    await page.locator("#rows tr").first().waitFor();
  }],

  ["an event has a page of its own, and a proof that its evidence agrees with", async (desk) => {
    const { console: rooms, admin } = desk.config;
    const page = await desk.inConsole(admin, "/ledger?type=session.started");
    const position = (await page.locator("#rows .row-link").first().innerText()).trim();
    await page.goto(`${rooms}/ledger/${position}`);
    await page.getByRole("heading", { level: 1, name: "session.started" }).waitFor();
    const fact = (name) => page.locator(".facts > div", { has: page.locator("dt", { hasText: new RegExp(`^${name}$`) }) }).locator("dd");
    assert.equal((await fact("Position").innerText()).trim(), position);
    assert.match(await fact("Checkpoint").innerText(), /signed over/);
    const leaf = await fact("Leaf hash").locator("code").getAttribute("title");
    assert.match(leaf, /^[0-9a-f]{64}$/);

    const arriving = page.waitForEvent("download");
    await page.getByRole("link", { name: "Download proof" }).click();
    const proof = readFileSync(await (await arriving).path(), "utf8");
    assert.ok(proof.startsWith("c2sp.org/tlog-proof@v1\n"), `the file begins with \`${proof.slice(0, 40)}\``);
    assert.equal(rootOf(proof, Number(position), Buffer.from(leaf, "hex")), checkpointOf(proof).root);

    const answer = await page.goto(`${rooms}/ledger/99999999`);
    assert.equal(answer.status(), 404);
    await page.getByRole("heading", { level: 1 }).waitFor();
  }],

  ["people lists the accounts, and a name opens their page and from there their events", async (desk) => {
    const { console: rooms, admin, person } = desk.config;
    const page = await desk.inConsole(admin, "/people");
    await page.getByRole("heading", { level: 1, name: "People" }).waitFor();
    for (const { email } of [admin, person]) await page.locator("table.people td", { hasText: email }).waitFor();
    const row = page.locator("table.people tr", { hasText: admin.email });
    await row.locator(".chip", { hasText: "admin" }).waitFor();
    await row.locator(".row-link").click();
    await page.waitForURL((url) => url.origin === rooms && /^\/people\/[0-9a-f-]{36}$/.test(url.pathname));
    assert.equal(await page.getByText("Delete account").count(), 0, "nobody deletes their own account");
    await page.getByRole("link", { name: "Show what this account did" }).click();
    await page.waitForURL((url) => url.origin === rooms && url.pathname === "/ledger" && url.search !== "");
    await page.locator("#rows tr").first().waitFor();
  }],

  ["an administrator invites somebody, says what they may do, and disables, enables and deletes the account", async (desk) => {
    const { console: rooms, own, admin } = desk.config;
    const page = await desk.inConsole(admin, "/people/groups");
    const mark = Date.now().toString(36);
    const email = `nora-${mark}@example.com`;
    const button = (name) => page.getByRole("button", { name, exact: true });
    const unfold = (name) => page.locator("details > summary", { hasText: name }).click();
    const said = (text) => page.locator(".notice", { hasText: text }).waitFor();
    const heading = (name) => page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
    const look = (name) => inspect(page, desk.config, name, [1440, 390]);

    if (!(await page.locator("details[open] > summary", { hasText: "New group" }).count())) await unfold("New group");
    await page.locator("#name").fill(`night ${mark}`);
    await button("Make group").click();
    await said("Group set.");
    await look("people-groups");

    await page.goto(`${rooms}/people`);
    await page.getByRole("link", { name: "Invite somebody" }).click();
    await heading("Invite somebody");
    await page.locator("#name").fill("Nora");
    await page.locator("#email").fill("no address");
    await page.evaluate(() => document.querySelector("main form").setAttribute("novalidate", ""));
    await button("Invite").click();
    await page.locator("#email-error", { hasText: /./ }).waitFor();
    assert.equal(await page.locator("#name").inputValue(), "Nora", "what was typed is kept");
    await look("people-new");
    await page.locator("#email").fill(email);
    await button("Invite").click();
    await heading("Nora");
    const link = await page.locator(".box code", { hasText: "/set-up/" }).innerText();
    const account = (await page.locator("form[action$='/unlock']").getAttribute("action")).split("/")[2];
    const theirs = await desk.page();
    await theirs.goto(link);
    await theirs.locator("#password").fill("eleven quiet harbours");
    await theirs.locator("main button[type=submit]").click();
    await theirs.waitForURL((url) => url.origin === own && !url.pathname.startsWith("/set-up"));
    await theirs.goto(`${own}/sign-in`);
    await signIn(theirs, { email, password: "eleven quiet harbours" });
    await theirs.waitForURL(`${own}/account`);

    await page.goto(`${rooms}/people/${account}`);
    await unfold("Change groups");
    await page.locator(`input[name="group:night ${mark}"]`).check();
    await button("Set groups").click();
    await said("Groups set.");
    await page.locator("dl.facts .chip", { hasText: `night ${mark}` }).waitFor();
    await unfold("Grant or deny a permission");
    await page.locator("#permission").fill("photos:delete");
    await page.locator("#resource").fill("album/7");
    await page.locator("#grant-reason").fill("clears the old albums");
    await button("Give grant").click();
    await said("Grant given.");
    await page.locator("table.grants td", { hasText: "album/7" }).waitFor();
    await look("person");

    await page.goto(`${rooms}/people/access?permission=photos%3Adelete&resource=album%2F7`);
    await page.locator("table.holders a", { hasText: "Nora" }).waitFor();
    await look("people-access");
    const grant = page.locator("table.grants tr", { hasText: "clears the old albums" });
    await grant.locator("summary").click();
    await grant.getByLabel("Reason, for the ledger").fill("the albums are gone");
    await grant.getByRole("button", { name: "End grant" }).click();
    await said("Grant ended.");

    await page.goto(`${rooms}/people/${account}`);
    await unfold("Disable account");
    await button("Disable account").click();
    await said("Account disabled.");
    await theirs.goto(`${own}/account`);
    await theirs.getByRole("heading", { level: 1, name: "Sign in", exact: true }).waitFor();
    await page.locator("#enable-reason").fill("   ");
    await page.evaluate(() => { for (const form of document.querySelectorAll("form")) form.setAttribute("novalidate", ""); });
    await button("Enable account").click();
    await page.getByRole("alert").filter({ hasText: "Write why" }).waitFor();
    await page.locator("#enable-reason").fill("back from leave");
    await button("Enable account").click();
    await said("Account enabled.");
    await unfold("Delete account");
    await page.locator("#delete-reason").fill("left the company");
    await button("Delete account").click();
    await said("Account deleted.");
    assert.equal(await page.locator("table.people td", { hasText: email }).count(), 0);
    assert.equal((await page.goto(`${rooms}/people/${account}`)).status(), 404);
    await page.goto(`${rooms}/people/groups`);
    const group = page.locator("table.groups tr", { hasText: `night ${mark}` });
    await group.locator("summary").click();
    await group.getByRole("button", { name: "Delete group" }).click();
    await said("Group deleted.");
  }],

  ["an administrator ends a session, with a reason that goes to the ledger", async (desk) => {
    const { app, console: rooms, admin, person } = desk.config;
    const page = await desk.inConsole(admin, "/sessions");
    const known = await sessionIds(page, "/sessions/");
    const other = await desk.signedIn(person);
    await page.goto(`${rooms}/sessions`);
    const fresh = (await sessionIds(page, "/sessions/")).filter((id) => !known.includes(id));
    assert.equal(fresh.length, 1, "the new session is listed");
    const form = page.locator(`form[action="/sessions/${fresh[0]}/end"]`);
    const row = page.locator("tr", { has: form });
    await row.locator("details.confirm summary").click();
    await form.getByText("Ends 1 session of").waitFor();
    await form.getByLabel("Reason, for the ledger").fill("lost laptop");
    await form.getByRole("button", { name: "End session" }).click();
    await form.waitFor({ state: "detached" });
    await page.getByRole("heading", { level: 1, name: "Sessions" }).waitFor();
    assert.equal(await page.locator(".box.is-danger").count(), 0);
    await other.goto(`${app}/profile`);
    await other.getByRole("heading", { level: 1, name: "Sign in", exact: true }).waitFor();

    await eventually("the reason stands in the ledger", async () => {
      await page.goto(`${rooms}/ledger?type=session.ended`);
      await page.locator("#rows .row-link").first().click();
      await page.locator("#panel pre", { hasText: "lost laptop" }).first().waitFor({ timeout: 2_000 });
    });
  }],

  ["health says how this instance is", async (desk) => {
    const page = await desk.inConsole(desk.config.admin, "/health");
    await page.getByRole("heading", { level: 1, name: "Health" }).waitFor();
    await page.locator("table.checks tbody tr").first().waitFor();
    assert.equal(await page.locator("table.checks .is-danger").count(), 0, "a check fails");
    const engine = page.locator(".figures > div", { hasText: "Storage engine" });
    assert.match(await engine.innerText(), /sqlite|postgresql/i);
  }],
];

/** Order of positions such as `7` and `7.12` (the record 12 under the entry 7). */
function newestFirst(a, b) {
  const [[entryA, itemA = 0], [entryB, itemB = 0]] = [a, b].map((text) => text.split(".").map(Number));
  return entryB - entryA || itemB - itemA;
}

/** Size and root of the checkpoint at the end of a proof file (C2SP tlog-proof, tlog-checkpoint). */
function checkpointOf(proof) {
  const [, size, root] = proof.slice(proof.indexOf("\n\n") + 2).split("\n");
  return { size: Number(size), root };
}

/** The root that a proof leads to from a leaf (RFC 9162 §2.1.3.2), in base64. */
function rootOf(proof, position, leaf) {
  const lines = proof.slice(0, proof.indexOf("\n\n")).split("\n").slice(1).filter((line) => !line.startsWith("extra "));
  assert.equal(lines.shift(), `index ${position}`);
  const node = (left, right) => createHash("sha256").update(Buffer.concat([Buffer.of(1), left, right])).digest();
  let [place, last, hash] = [position, checkpointOf(proof).size - 1, leaf];
  for (const line of lines) {
    const beside = Buffer.from(line, "base64");
    assert.ok(last > 0, "the proof has too many hashes");
    if (place % 2 === 1 || place === last) {
      hash = node(beside, hash);
      while (place % 2 === 0 && place !== 0) [place, last] = [Math.floor(place / 2), Math.floor(last / 2)];
    } else {
      hash = node(hash, beside);
    }
    [place, last] = [Math.floor(place / 2), Math.floor(last / 2)];
  }
  assert.equal(last, 0, "the proof has too few hashes");
  return hash.toString("base64");
}
