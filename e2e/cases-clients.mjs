// Applications that people sign in to: registering one, letting it in, taking it back; providers and signing keys.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { inspect, signIn } from "./harness.mjs";

const HOSTED_WIDTHS = [1440, 390, 320];

/** An application that says its name, and remembers what arrived at it. */
async function application() {
  const album = { arrived: null };
  const server = createServer((req, res) => {
    if (req.url.startsWith("/callback")) album.arrived = new URL(req.url, album.callback);
    res.setHeader("content-type", "text/html").end("<!doctype html><title>Album</title><h1>Album</h1>");
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  album.callback = `http://127.0.0.1:${server.address().port}/callback`;
  album.close = () => server.close();
  return album;
}

const button = (page, name) => page.getByRole("button", { name, exact: true });
const heading = (page, name) => page.getByRole("heading", { level: 1, name, exact: true }).waitFor();

/** A request for a code, as an application makes it. */
function request(own, id, callback) {
  const challenge = createHash("sha256").update("a".repeat(43)).digest("base64url");
  const fields = { response_type: "code", client_id: id, redirect_uri: callback, scope: "openid email profile", state: "s1", code_challenge: challenge, code_challenge_method: "S256" };
  return `${own}/oauth/authorize?${new URLSearchParams(fields)}`;
}

/** Registers an application in the console, and gives its client id. */
async function register(desk, page, name, callback) {
  await page.goto(`${desk.config.console}/clients/new`);
  await page.locator("#name").fill(name);
  await page.locator("#redirect_uris").fill(callback);
  await button(page, "Register client").click();
  await heading(page, name);
  await page.getByText("The key, shown once").waitFor();
  return page.evaluate(() => location.pathname === "/clients/new" && document.querySelector("form[action$='/oauth']").action.split("/").at(-2));
}

export const clientCases = [
  ["an application is registered, let in, and taken back", async (desk) => {
    const { own, person, admin } = desk.config;
    const album = await application();
    const rooms = await desk.inConsole(admin, "/clients");
    await heading(rooms, "Applications");
    const name = `Album ${randomBytes(3).toString("hex")}`;
    await rooms.goto(`${desk.config.console}/clients/new`);
    await inspect(rooms, desk.config, "console register a client");
    const id = await register(desk, rooms, name, album.callback);
    await inspect(rooms, desk.config, "console client with its key");
    await rooms.goto(`${desk.config.console}/clients`);
    await rooms.getByRole("link", { name }).waitFor();
    await inspect(rooms, desk.config, "console clients");

    // What is wrong is said beside the form, and what was typed stays.
    await rooms.goto(`${desk.config.console}/clients/new`);
    await rooms.locator("#name").fill("Wrong");
    await rooms.locator("#redirect_uris").fill("http://album.example.com/callback");
    await button(rooms, "Register client").click();
    await rooms.getByText("plain HTTP is for this host only").waitFor();
    assert.equal(await rooms.locator("#redirect_uris").inputValue(), "http://album.example.com/callback");

    const page = await desk.page();
    await page.goto(request(own, id, album.callback));
    await heading(page, "Sign in");
    await page.getByText(name).first().waitFor();
    await signIn(page, person);
    await heading(page, "Let this application in?");
    await inspect(page, desk.config, "consent", HOSTED_WIDTHS);
    await button(page, "Do not allow").click();
    await heading(page, "Album");
    assert.equal(album.arrived.searchParams.get("error"), "access_denied");
    await page.goto(request(own, id, album.callback));
    await button(page, "Allow").click();
    await heading(page, "Album");
    const { searchParams: said } = album.arrived;
    assert.ok(said.get("code") && said.get("state") === "s1" && said.get("iss") === own);
    // Once said, not asked again.
    await page.goto(request(own, id, album.callback));
    await heading(page, "Album");
    await page.goto(`${own}/account/apps`);
    await page.getByText(name).waitFor();
    await inspect(page, desk.config, "account apps", HOSTED_WIDTHS);
    await page.getByRole("button", { name: `Take back ${name}` }).click();
    await page.getByText("Taken back").waitFor();
    await page.goto(request(own, id, album.callback));
    await heading(page, "Let this application in?");

    // A request that is wrong leads nowhere, and says why.
    await page.goto(request(own, id, album.callback).replace("127.0.0.1", "evil.example"));
    await heading(page, "This application asked in a way that cannot be answered");
    await inspect(page, desk.config, "application asked wrongly", HOSTED_WIDTHS);
    album.close();
  }],

  ["a key is replaced and a client revoked", async (desk) => {
    const { admin } = desk.config;
    const page = await desk.inConsole(admin, "/clients");
    const id = await register(desk, page, `Rolled ${randomBytes(3).toString("hex")}`, "https://rolled.example.com/callback");
    const first = await page.locator(".box code.wrap").innerText();
    await page.goto(`${desk.config.console}/clients/${id}`);
    assert.equal(await page.getByText("shown once").count(), 0, "never again");
    await page.getByText("Replace the key").click();
    await button(page, "Make another key").click();
    await page.getByText("Another key was made.").waitFor();
    assert.notEqual(await page.locator(".box code.wrap").innerText(), first);
    await page.getByText("Revoke client").first().click();
    await page.getByRole("button", { name: "Revoke client" }).click();
    await page.getByText("Client revoked.").waitFor();
  }],

  ["people of another company sign in by each protocol", async (desk) => {
    const { own } = desk.config;
    for (const [protocol, who, group] of [["OpenID Connect", "Eve Meadow", "member"], ["OAuth 2.0", "Finn Meadow", null], ["SAML", "Gus Meadow", null]]) {
      const page = await desk.page();
      await page.goto(`${own}/sign-in`);
      if (protocol === "SAML") await inspect(page, desk.config, "sign-in with providers", HOSTED_WIDTHS);
      await page.getByRole("link", { name: `Continue with Meadow Ltd (${protocol})` }).click();
      await heading(page, "Who are you?");
      await button(page, who).click();
      if (protocol === "SAML") await button(page, "Go on").click();
      await page.waitForURL(`${own}/account`);
      await page.getByText(who).first().waitFor();
      if (group) await page.getByText(group).first().waitFor();
      if (protocol === "SAML") {
        await page.goto(`${own}/account/security`);
        await page.getByText("Meadow Ltd (SAML)").first().waitFor();
        await inspect(page, desk.config, "account connected elsewhere", HOSTED_WIDTHS);
      }
      await page.context().close();
    }
    // Who is known by one protocol is nobody by another: a mail address alone leads to no account.
    const page = await desk.page();
    await page.goto(`${own}/sign-in`);
    await page.getByRole("link", { name: "Continue with Meadow Ltd (SAML)" }).click();
    await button(page, "Eve Meadow").click();
    await button(page, "Go on").click();
    await page.getByText("eve@meadow.example").waitFor();
    await page.getByRole("link", { name: /Sign in/ }).first().waitFor();
    await inspect(page, desk.config, "nobody is known by this account elsewhere", HOSTED_WIDTHS);
  }],

  ["outside providers and signing keys are looked after in the console", async (desk) => {
    const { admin } = desk.config;
    const page = await desk.inConsole(admin, "/clients/providers");
    await heading(page, "Outside providers");
    assert.equal(await page.getByText("answers", { exact: true }).count(), 3);
    await inspect(page, desk.config, "console providers");
    await page.goto(`${desk.config.console}/keys/signing`);
    await heading(page, "Signing keys");
    const before = await page.locator("tbody tr").count();
    await page.getByText("Sign with another key from now on").click();
    await page.locator("#algorithm").selectOption("ES256");
    await button(page, "Make another key").click();
    await page.getByText("Another key signs from now on.").waitFor();
    assert.equal(await page.locator("tbody tr").count(), before + 1);
    await inspect(page, desk.config, "console signing keys");
  }],
];
