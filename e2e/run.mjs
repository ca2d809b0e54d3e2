// Browser tests of tutela's pages: `node run.mjs [words]`, with words only the cases that name them.
//
// Starts nothing but Chromium. The server, the guarded app and two accounts must be there already;
// README.md lists the environment. Prints one line a case and `N passed, N failed` at the end;
// exits 0 when everything passed, 1 when something failed, 2 when it could not begin.

import { appCases } from "./cases-app.mjs";
import { clientCases } from "./cases-clients.mjs";
import { consoleCases } from "./cases-console.mjs";
import { detectionCases } from "./cases-detection.mjs";
import { gatewayCases } from "./cases-gateway.mjs";
import { keyCases } from "./cases-keys.mjs";
import { ledgerCases } from "./cases-ledger.mjs";
import { accessCases } from "./cases-access.mjs";
import { peopleCases } from "./cases-people.mjs";
import { privacyCases } from "./cases-privacy.mjs";
import { Harness, settings } from "./harness.mjs";

const wanted = process.argv.slice(2).join(" ").toLowerCase();
// The last case judges what all others left behind, so it stays last.
const cases = [...appCases, ...consoleCases, ...clientCases, ...gatewayCases, ...detectionCases, ...keyCases, ...ledgerCases, ...peopleCases, ...privacyCases, ...accessCases].filter(([name]) => name.toLowerCase().includes(wanted));

let harness;
try {
  harness = new Harness(settings());
  if (cases.length === 0) throw new Error(`no case is named \`${wanted}\``);
  await harness.start();
} catch (error) {
  console.error(`e2e: ${error.message}`);
  process.exit(2);
}

// A case that fails leaves waits behind that nobody awaits any more; they must not end the run.
process.on("unhandledRejection", () => {});

let [passed, failed] = [0, 0];
for (const [name, body] of cases) {
  try {
    await harness.run(name, body);
    console.log(`ok ${name}`);
    passed += 1;
  } catch (error) {
    const [first, ...rest] = plain(error).split("\n");
    console.log(`not ok ${name}: ${first}`);
    for (const line of rest) console.log(`    ${line}`);
    failed += 1;
  }
}
await harness.stop();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

/** What went wrong and where, without colours and without the insides of libraries. */
function plain(error) {
  let message = String(error?.message ?? error).replace(/\u001b\[[0-9;]*m/g, "").trim();
  // Playwright names the bound first and what it waited for lines later; a reader wants both at once.
  const waited = /waiting for [^\n]+/.exec(message)?.[0];
  if (waited && /Timeout \d+ms exceeded/.test(message.split("\n", 1)[0])) message = message.replace("\n", ` ${waited}\n`);
  const frames = String(error?.stack ?? "").split("\n").filter((line) => line.includes(import.meta.dirname) && !line.includes("node_modules"));
  return [message, ...frames.slice(0, 3).map((line) => line.trim())].join("\n");
}
