// The console's room of the ledger beyond the list of events: figures, event types, retention and
// holds, projections, export.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { eventually, focused, inspect, signIn } from "./harness.mjs";

const PAGES = ["/figures", "/types", "/retention", "/retention/apply", "/projections", "/export"];

export const ledgerCases = [
  ["a hold is placed and released, with reasons that go to the ledger", async (desk) => {
    const { console: rooms, admin } = desk.config;
    const page = await desk.inConsole(admin, "/ledger/retention");
    const name = await lifeOfAHold(page);
    for (const [type, reason] of [["ledger.hold_placed", "a court asks"], ["ledger.hold_released", "the court is done"]]) {
      await eventually(`${type} stands in the ledger, with the reason`, async () => {
        await page.goto(`${rooms}/ledger?q=${encodeURIComponent(`type:${type}`)}`);
        await page.locator("#rows .row-link").first().click({ timeout: 2_000 });
        await page.locator("#panel pre", { hasText: name }).first().waitFor({ timeout: 2_000 });
        await page.locator("#panel pre", { hasText: reason }).first().waitFor({ timeout: 2_000 });
      });
    }
  }],

  ["a hold is placed and released without scripts", async (desk) => {
    const page = await desk.inConsole(desk.config.admin, "/ledger/retention", { javaScriptEnabled: false });
    await lifeOfAHold(page);
  }],

  ["a form for a hold says beside each field what is wrong with it", async (desk) => {
    const page = await desk.inConsole(desk.config.admin, "/ledger/retention");
    await openHoldForm(page);
    await page.locator("#case").fill("e2e-refused");
    await page.locator("#reason").fill("none");
    await page.locator("#q").fill("colour:red");
    await page.getByRole("button", { name: "Place hold" }).click();
    await page.locator("#q-error").filter({ hasText: "colour" }).waitFor();
    assert.equal(await page.locator("#q").getAttribute("aria-invalid"), "true");
    assert.deepEqual([await page.locator("#case").inputValue(), await page.locator("#q").inputValue()], ["e2e-refused", "colour:red"], "nothing has to be typed again");
    await page.locator("#q").fill("");
    await page.locator("#until").fill("2001-01-01");
    await page.getByRole("button", { name: "Place hold" }).click();
    await page.locator("#until-error").filter({ hasText: /\S/ }).waitFor();
    assert.equal(await page.locator("table.holds tr", { hasText: "e2e-refused" }).count(), 0);
  }],

  ["retention is applied after a page that says in numbers what goes", async (desk) => {
    const { console: rooms, admin } = desk.config;
    const page = await desk.inConsole(admin, "/ledger/retention");
    for (const name of ["audit", "compliance", "traffic"]) {
      const cells = await page.locator("table.classes tr", { has: page.getByText(name, { exact: true }) }).locator("td").allInnerTexts();
      assert.match(cells[1], /^[\d,]+$/, `${name}: days`);
      assert.match(cells[2], /\S/, `${name}: the rule`);
    }
    await page.getByRole("link", { name: "Apply retention now" }).click();
    await page.getByRole("heading", { level: 1, name: "Apply retention now" }).waitFor();
    await page.getByText(/^Class audit: recorded before \d{4}-\d\d-\d\d/).waitFor();
    await page.getByRole("button", { name: "Apply retention" }).click();
    await page.waitForURL((url) => url.href.startsWith(`${rooms}/ledger/retention?done=applied`));
    await page.locator(".notice", { hasText: /Retention applied: [\d,]+ events? taken out/ }).waitFor();
  }],

  ["projections says how to have one, where there is none", async (desk) => {
    const page = await desk.inConsole(desk.config.admin, "/ledger/projections");
    await page.getByRole("heading", { level: 1, name: "Projections" }).waitFor();
    assert.equal(await page.locator('.tabs [aria-current="page"]').innerText(), "Projections");
    await page.getByText("No projection.").waitFor();
    assert.match(await page.locator(".empty").innerText(), /storage = "elasticsearch".*\[audit\.cluster\]/s);
    const answer = await page.goto(`${desk.config.console}/ledger/projections/nowhere/rebuild`);
    assert.equal(answer.status(), 404);
  }],

  ["event types are found by their words, and say what is personal", async (desk) => {
    const { console: rooms, admin } = desk.config;
    const page = await desk.inConsole(admin, "/ledger/types");
    const names = () => page.locator("table.types .row-link").allInnerTexts();
    const all = (await names()).length;
    await page.getByRole("heading", { level: 2, name: "Part of tutela" }).waitFor();
    await page.locator("#q").fill("gateway.request");
    await page.getByRole("button", { name: "Find types" }).click();
    await page.waitForURL((url) => url.searchParams.get("q") === "gateway.request");
    const found = await names();
    assert.ok(found.length > 0 && found.length < all, `${found.length} of ${all}`);
    const row = page.locator("table.types tr", { has: page.getByText("gateway.request", { exact: true }) });
    assert.match(await row.innerText(), /path\s+personal/);
    assert.doesNotMatch(await row.innerText(), /bytes\s+personal/);
    await row.locator(".row-link").click();
    await page.waitForURL((url) => url.pathname === "/ledger" && url.searchParams.get("q") === "type:gateway.request");
    await page.goto(`${rooms}/ledger/types?q=nothing-of-this-kind`);
    await page.getByText("No type matches.").waitFor();
  }],

  ["figures add up, for the chosen span", async (desk) => {
    const page = await desk.inConsole(desk.config.admin, "/ledger/figures");
    for (const [value, bars] of [["30", 30], ["7", 7], ["91", 13]]) {
      await page.locator("#days").selectOption(value);
      await page.getByRole("button", { name: "Show figures" }).click();
      await page.waitForURL((url) => url.searchParams.get("days") === value);
      await page.locator(".chart svg").waitFor();
      const number = (text) => Number(text.replaceAll(",", ""));
      const counts = (await page.locator(".table-behind td.number").allTextContents()).map(number);
      assert.equal(counts.length, bars);
      const total = number(await page.locator(".figures dd").first().innerText());
      assert.ok(total > 0, "this sign-in itself is an event");
      assert.equal(counts.reduce((sum, count) => sum + count, 0), total);
    }
    await page.locator("table.tally", { hasText: "session.started" }).locator(".row-link", { hasText: "session.started" }).click();
    await page.waitForURL((url) => url.pathname === "/ledger" && url.searchParams.get("q").startsWith("type:session.started after:"));
    await page.locator("#rows tr").first().waitFor();
  }],

  ["events are taken out with proofs, with the keyboard alone", async (desk) => {
    const page = await desk.inConsole(desk.config.admin, `/ledger/export?q=${encodeURIComponent("type:session.started")}`);
    assert.equal(await page.locator("#q").inputValue(), "type:session.started", "the query of the list is there");
    await page.locator("#q").focus();
    for (const wanted of ["format", ""]) {
      await page.keyboard.press("Tab");
      const at = await focused(page);
      assert.ok(at.ring, `no focus ring on ${at.tag}`);
      assert.equal(at.id, wanted);
    }
    await page.keyboard.press("Space");
    assert.ok(await page.locator('[name="proofs"]').isChecked());
    await page.keyboard.press("Tab");
    assert.equal((await focused(page)).text, "Download events");
    const arriving = page.waitForEvent("download");
    await page.keyboard.press("Enter");
    const download = await arriving;
    assert.match(download.suggestedFilename(), /^ledger-jsonl-\d+\.jsonl$/);
    const lines = readFileSync(await download.path(), "utf8").trim().split("\n").map((line) => JSON.parse(line));
    const last = lines.pop();
    assert.match(await page.locator("pre").innerText(), /^tutela audit verify --export FILE --key /);
    assert.ok((await page.locator("pre").innerText()).endsWith(last.key), "the page shows the key that signs the checkpoint");
    assert.equal(typeof last.checkpoint, "string");
    assert.ok(lines.length > 0, "this sign-in itself is such an event");
    for (const line of lines) {
      assert.equal(typeof line.sealed, "string");
      assert.ok(line.proof.startsWith("c2sp.org/tlog-proof@v1\n"));
    }
  }],

  ["an export that cannot be is refused beside its field, without scripts", async (desk) => {
    const page = await desk.inConsole(desk.config.admin, "/ledger/export", { javaScriptEnabled: false });
    await page.locator("#q").fill("colour:red");
    await page.getByRole("button", { name: "Download events" }).click();
    await page.locator("#q-error").filter({ hasText: "colour" }).waitFor();
    await page.locator("#q").fill("");
    await page.locator("#format").selectOption("csv");
    await page.locator('[name="proofs"]').check();
    await page.getByRole("button", { name: "Download events" }).click();
    await page.locator("#proofs-error").filter({ hasText: /\S/ }).waitFor();
    assert.equal(await page.locator("#format").inputValue(), "csv");
    await page.locator('[name="proofs"]').uncheck();
    const arriving = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download events" }).click();
    assert.match((await arriving).suggestedFilename(), /^ledger-csv-\d+\.csv$/);
  }],

  ["an ordinary person is refused on every page of the ledger", async (desk) => {
    const { console: rooms, person } = desk.config;
    const page = await desk.page();
    await page.goto(`${rooms}/ledger/retention`);
    const refused = page.waitForResponse((response) => response.url().startsWith(rooms) && response.status() === 403);
    await signIn(page, person);
    await refused;
    for (const path of [...PAGES, "/projections/opensearch/rebuild", "/projections/opensearch/dead-letters"]) {
      const answer = await page.goto(`${rooms}/ledger${path}`);
      assert.equal(answer.status(), 403, path);
      assert.equal(await page.locator("table, pre, main form").count(), 0, `${path} shows no data and nothing to do`);
    }
    const verbs = ["rebuild", "reconcile", "retry"].map((verb) => `/projections/opensearch/${verb}`);
    for (const path of ["/retention/apply", "/retention/holds", "/retention/holds/01935a5c-0000-7000-8000-000000000001/release", ...verbs]) {
      const send = async (to) => (await fetch(to, { method: "POST", body: new URLSearchParams({ case: "theirs", reason: "none" }) })).status;
      assert.equal(await page.evaluate(send, `/ledger${path}`), 403, `POST ${path}`);
    }
  }],

  ["the room of the ledger breaks no rule of WCAG 2 A or AA, in any look", async (desk) => {
    const { console: rooms, admin } = desk.config;
    const page = await desk.inConsole(admin, "/ledger/retention");
    const broken = [];
    const look = (name) => inspect(page, desk.config, `ledger ${name}`).catch((error) => broken.push(error.message));
    for (const path of PAGES) {
      await page.setViewportSize({ width: 1440, height: 900 });
      await page.goto(`${rooms}/ledger${path}`);
      await page.getByRole("heading", { level: 1 }).waitFor();
      for (const summary of await page.locator("main details > summary").all()) await summary.click();
      await look(path.slice(1));
    }
    await page.goto(`${rooms}/ledger/types?q=nothing-of-this-kind`);
    await look("types, none");

    await page.goto(`${rooms}/ledger/retention`);
    await openHoldForm(page);
    await placeHold(page, { name: `e2e-${"a long name of a case ".repeat(5)}`, query: "colour:red" });
    await page.locator("#q-error").filter({ hasText: "colour" }).waitFor();
    await look("retention, hold refused");
    const name = newName();
    await placeHold(page, { name, query: 'type:session.*,account.* -outcome:success "some words that make a long query"' });
    await page.locator(".notice", { hasText: "Hold placed" }).waitFor();
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.locator("table.holds tr", { hasText: name }).locator("summary").click();
    await look("retention, a hold to be released");
    const form = page.locator("table.holds tr", { hasText: name }).locator("form");
    await form.getByLabel("Reason, for the ledger").fill("the court is done");
    await form.getByRole("button", { name: "Release hold" }).click();
    await page.locator(".notice", { hasText: "Hold released" }).waitFor();
    assert.ok(broken.length === 0, broken.join("\n"));
  }],
];

/** A case that no hold had. */
function newName() {
  return `e2e-${randomBytes(4).toString("hex")}`;
}

/** Opens the form for a hold, where it is not open already. */
async function openHoldForm(page) {
  await page.getByRole("heading", { level: 1, name: "Retention" }).waitFor();
  if (!(await page.locator("#case").isVisible())) await page.locator("summary", { hasText: "Place a hold" }).click();
}

async function placeHold(page, { name, query }) {
  await page.locator("#case").fill(name);
  await page.locator("#reason").fill("a court asks");
  await page.locator("#q").fill(query);
  await page.locator("#until").fill("2999-01-01");
  await page.getByRole("button", { name: "Place hold" }).click();
}

/** From the page of retention through a hold and back; answers with its case. */
async function lifeOfAHold(page) {
  const name = newName();
  await openHoldForm(page);
  await placeHold(page, { name, query: "actor:e2e:nobody" });
  await page.locator(".notice", { hasText: "Hold placed" }).waitFor();
  const row = page.locator("table.holds tr", { hasText: name });
  assert.match(await row.innerText(), /a court asks[\s\S]*actor:e2e:nobody[\s\S]*holds/);
  await row.locator("summary").click();
  const form = row.locator("form");
  await form.getByText("Releases 1 hold").waitFor();
  await form.getByLabel("Reason, for the ledger").fill("the court is done");
  await form.getByRole("button", { name: "Release hold" }).click();
  await page.locator(".notice", { hasText: "Hold released" }).waitFor();
  assert.match(await row.innerText(), /released/);
  assert.equal(await row.locator("form").count(), 0, "nothing to release any more");
  return name;
}
