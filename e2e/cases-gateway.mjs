// The console's room of the gateway: routes and servers, what the firewall refused, and excepting a rule.

import assert from "node:assert/strict";
import { eventually, inspect } from "./harness.mjs";

const ATTACK = "/?e2e=1%27%20UNION%20SELECT%20password%20FROM%20users--%20";

export const gatewayCases = [
  ["routes and servers of the gateway are shown as they are in force", async (desk) => {
    const page = await desk.inConsole(desk.config.admin, "/gateway");
    const row = page.locator("table.routes tr", { hasText: "photos.localhost" }).first();
    assert.match(await row.innerText(), /blocks/);
    assert.match(await page.locator("table.servers tbody tr").first().innerText(), /http:\/\/127\.0\.0\.1:\d+[^]*well/);
    await inspect(page, desk.config, "gateway");
    // A demo has no file to read again, and says so; nothing breaks.
    await page.getByRole("button", { name: "Read configuration again" }).click();
    await page.locator('[role="alert"]', { hasText: "without a configuration file" }).waitFor();
  }],

  ["a refused request is explained, excepted with a reason, passes, and is refused again when that ends", async (desk) => {
    const { app, admin } = desk.config;
    const visitor = await desk.page();
    const status = async () => (await visitor.goto(app + ATTACK)).status();
    assert.equal(await status(), 403);
    await visitor.getByText("The request was refused").waitFor();
    const page = await desk.inConsole(admin, "/gateway/firewall");
    const row = page.locator("table.refused tr", { hasText: ":e2e: 1' UNION SELECT" }).first();
    await eventually("the refused request is listed", async () => {
      await page.reload();
      await row.waitFor({ timeout: 2_000 });
    });
    assert.match(await row.innerText(), /photos[^]*GET \/[^]*refused/);
    await inspect(page, desk.config, "gateway-firewall");
    await row.locator("summary").click();
    await row.getByLabel("Reason, for the ledger").fill("e2e: a search field");
    await row.getByLabel("Days").fill("2");
    await row.getByRole("button", { name: "Except rules" }).click();
    await page.locator(".notice", { hasText: "pass from now on" }).waitFor();
    await eventually("it passes", async () => assert.notEqual(await status(), 403));
    const made = page.locator("table.exclusions tr", { hasText: "e2e: a search field" });
    await inspect(page, desk.config, "gateway-exclusions");
    for (let left = await made.filter({ hasText: "in force" }).count(); left > 0; left -= 1) {
      const one = made.filter({ hasText: "in force" }).first();
      await one.locator("summary").click();
      await one.getByLabel("Reason, for the ledger").fill("e2e: over");
      await one.getByRole("button", { name: "End exclusion" }).click();
      await page.locator(".notice", { hasText: "looks there again" }).waitFor();
    }
    await eventually("it is refused again", async () => assert.equal(await status(), 403));
  }],

  ["the gateway's pages work without scripts", async (desk) => {
    const page = await desk.inConsole(desk.config.admin, "/gateway/firewall", { javaScriptEnabled: false });
    await page.getByRole("heading", { level: 1, name: "Firewall" }).waitFor();
    await page.getByRole("link", { name: "Limits" }).click();
    await page.getByText("Nobody is over a limit.").waitFor();
    await page.getByRole("link", { name: "Routes" }).click();
    await page.getByRole("heading", { level: 1, name: "Gateway" }).waitFor();
  }],
];
