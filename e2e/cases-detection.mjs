// The console's room of detection: an incident from the attack to the review, a rule from trial to act, blocks.

import assert from "node:assert/strict";
import { request } from "node:http";
import { eventually, inspect } from "./harness.mjs";

const GUESSER = "198.51.100.77";

/** Wrong passwords from an address; the status of each answer. */
async function guess(own, from, times) {
  const { host, port } = new URL(own);
  const body = JSON.stringify({ email: "nobody@example.com", password: "wrong wrong wrong" });
  const headers = { host, "x-forwarded-for": from, "content-type": "application/json", "content-length": body.length };
  const once = () => new Promise((resolve, reject) => {
    // Node does not know names under `.localhost`.
    const asked = request({ host: "127.0.0.1", port, path: "/v1/sign-in", method: "POST", headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    asked.on("error", reject).end(body);
  });
  const statuses = [];
  for (let n = 0; n < times; n += 1) statuses.push(await once());
  return statuses;
}

/** Opens a folded form, gives a reason and presses its button. */
async function act(page, summary, button, reason) {
  const form = page.locator("details", { has: page.locator("summary", { hasText: summary }) }).first();
  await form.locator("summary").click();
  await form.getByLabel("Reason, for the ledger").fill(reason);
  await form.getByRole("button", { name: button }).click();
}

export const detectionCases = [
  ["an incident is opened by an attack, worked through, and taken along", async (desk) => {
    const { own, admin } = desk.config;
    const page = await desk.inConsole(admin, "/incidents");
    const statuses = await guess(own, GUESSER, 8);
    assert.deepEqual(statuses.slice(5), [401, 403, 403], "the seventh is refused by the gateway");
    const row = page.locator("table.incidents tr", { hasText: GUESSER }).first();
    await eventually("the incident is listed", async () => {
      await page.reload();
      await row.waitFor({ timeout: 2_000 });
    });
    assert.match(await row.innerText(), /Many failed sign-ins[^]*high[^]*open/);
    await inspect(page, desk.config, "detection-incidents");
    await row.getByRole("link").click();
    await page.getByRole("heading", { level: 1, name: "Many failed sign-ins from one address" }).waitFor();
    await page.locator("table.incident-events tr", { hasText: "address.blocked" }).waitFor();
    await inspect(page, desk.config, "detection-incident");
    await act(page, "Acknowledge", "Acknowledge", "e2e: on it");
    await page.locator(".notice", { hasText: "Moved on" }).waitFor();
    await page.getByText("acknowledged").first().waitFor();
    // A step of the playbook, with what came of it.
    const step = page.locator("ol.steps li", { hasText: "Find out whose account it is" });
    await step.locator("summary").click();
    await step.getByLabel("What came of it").fill("e2e: nobody's");
    await step.getByRole("button", { name: "Check off" }).click();
    await page.locator("ol.steps li", { hasText: "e2e: nobody's" }).getByText("done", { exact: true }).waitFor();
    await act(page, "Lift its blocks", "Lift its blocks", "e2e: a test");
    await page.locator(".notice", { hasText: "lifted" }).waitFor();
    assert.deepEqual(await guess(own, GUESSER, 1), [401], "counted from nothing");
    await act(page, "Block addresses", "Block addresses", "e2e: after all");
    await page.locator(".notice", { hasText: "Done to 1" }).waitFor();
    assert.deepEqual(await guess(own, GUESSER, 1), [403]);
    await inspect(page, desk.config, "detection-contained");
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Export timeline" }).click()]);
    assert.match(download.suggestedFilename(), /^incident-.*\.jsonl$/);
    await act(page, "Resolve", "Resolve", "e2e: over");
    await page.locator(".notice", { hasText: "Moved on" }).waitFor();
    await act(page, "Close review", "Close review", "e2e: nothing new");
    await page.goto(desk.config.console + "/incidents?state=all");
    assert.match(await page.locator("table.incidents tr", { hasText: GUESSER }).first().innerText(), /reviewed/);
  }],

  ["a rule is tried on the ledger, made to go less far, and put back", async (desk) => {
    await guess(desk.config.own, "198.51.100.78", 7);
    const page = await desk.inConsole(desk.config.admin, "/rules");
    assert.match(await page.locator("table.rules tr", { hasText: "brute_force_detection" }).innerText(), /block_ip[^]*high[^]*acts/);
    await inspect(page, desk.config, "detection-rules");
    await page.getByRole("link", { name: "brute_force_detection" }).click();
    await page.getByRole("heading", { level: 1, name: "Many failed sign-ins from one address" }).waitFor();
    await page.getByLabel("Days of the ledger").fill("1");
    await page.getByRole("button", { name: "Try it" }).click();
    await page.getByText(/It would have blocked \d+ address/).waitFor();
    await inspect(page, desk.config, "detection-rule");
    const form = page.locator("details", { has: page.locator("summary", { hasText: "Set the mode" }) });
    await form.locator("summary").click();
    await form.getByLabel("Alert: tell people").check();
    await form.getByLabel("Reason, for the ledger").fill("e2e: for a moment");
    await form.getByRole("button", { name: "Set the mode" }).click();
    await page.locator(".notice", { hasText: "Set." }).waitFor();
    await page.getByText("e2e: for a moment").waitFor();
    await act(page, "Take back what was changed", "Take back", "e2e: over");
    await page.locator(".notice", { hasText: "Taken back" }).waitFor();
  }],

  ["an address is blocked by hand and lifted, without scripts", async (desk) => {
    const page = await desk.inConsole(desk.config.admin, "/blocks", { javaScriptEnabled: false });
    await page.getByText("Block an address").click();
    await page.getByLabel("Address or network").fill("203.0.113.0/24");
    const form = page.locator('form[action="/blocks"]');
    await form.getByLabel("Reason, for the ledger").fill("e2e: a network");
    await form.getByRole("button", { name: "Block" }).click();
    const row = page.locator("table.blocks tr", { hasText: "203.0.113.0/24" }).first();
    assert.match(await row.innerText(), /e2e: a network[^]*blocked/);
    await row.locator("summary").click();
    await row.getByLabel("Reason, for the ledger").fill("e2e: over");
    await row.getByRole("button", { name: "Lift block" }).click();
    await page.locator(".notice", { hasText: "Lifted" }).waitFor();
    await page.getByRole("link", { name: "Rules" }).click();
    await page.getByRole("heading", { level: 1, name: "Rules" }).waitFor();
    const seen = await desk.inConsole(desk.config.admin, "/blocks");
    await seen.locator("table.blocks tr", { hasText: "203.0.113.0/24" }).first().waitFor();
    await inspect(seen, desk.config, "detection-blocks");
  }],
];
