// The privacy centre: what one's data is used for, and one's say in it.

import assert from "node:assert/strict";
import { inspect, signIn } from "./harness.mjs";

const HOSTED_WIDTHS = [1440, 390, 320];

export const privacyCases = [
  ["a person agrees to what their data is used for, takes it back with one button, and keeps the receipt", async (desk) => {
    const { own, person } = desk.config;
    const page = await desk.page();
    await page.goto(`${own}/account`);
    await signIn(page, person);
    await page.getByRole("link", { name: "Privacy" }).click();
    await page.getByText("You have not been asked yet").waitFor();
    await page.getByText("Sample Ads Inc (US)").waitFor();
    await inspect(page, desk.config, "account privacy", HOSTED_WIDTHS);
    await page.getByRole("button", { name: "Allow: Suggestions", exact: true }).click();
    await page.getByText("Noted. It holds from now on.").waitFor();
    const download = page.waitForEvent("download");
    await page.getByRole("link", { name: "Receipt Suggestions" }).click();
    assert.match((await download).suggestedFilename(), /^consent-.*\.json$/);
    await page.getByRole("button", { name: "Take back: Suggestions" }).click();
    await page.getByText("You took it back").waitFor();
    await page.getByRole("button", { name: "Object: Advertising" }).click();
    await page.getByText("You said no").waitFor();
    await page.getByText("The notice in full").first().click();
    await inspect(page, desk.config, "account privacy said", HOSTED_WIDTHS);
  }],
];
