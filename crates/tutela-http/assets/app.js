// Conveniences on top of pages that work without them: copying, the keyboard, relative times,
// the side panel and the live view. Text enters the page through textContent only.
"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const say = (text) => { const live = document.getElementById("live"); if (live) live.textContent = text; };

  // Relative times; the full time stays in the title, and the server's text where none can be read.
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const tellTimes = () => {
    for (const time of all("time[datetime]")) {
      const seconds = Math.round((Date.now() - Date.parse(time.dateTime)) / 1000);
      if (Number.isNaN(seconds)) continue;
      const [unit, size] = units.find(([, length]) => Math.abs(seconds) >= length) ?? units[3];
      const amount = `${Math.floor(Math.abs(seconds) / size)} ${unit}`;
      time.textContent = Math.abs(seconds) < 5 ? "now" : seconds < 0 ? `in ${amount}` : `${amount} ago`;
    }
  };
  tellTimes();
  setInterval(tellTimes, 15000);

  // The side panel has the address of what it shows; closing it goes back to the list's.
  let shown = location.pathname + location.search;
  const title = document.title;
  const closePanel = () => {
    const panel = document.getElementById("panel");
    if (!panel?.firstChild) return;
    panel.replaceChildren();
    shown = panel.dataset.listUrl;
    history.pushState({ htmx: true }, "", shown);
    document.title = title;
    const row = document.querySelector("tr.is-open");
    row?.classList.remove("is-open");
    row?.querySelector(".row-link").focus();
  };
  document.addEventListener("htmx:after:history:push", () => { shown = location.pathname + location.search; });
  document.addEventListener("htmx:after:swap", (event) => {
    tellTimes();
    const link = event.target.closest?.(".row-link");
    if (!link) return;
    document.querySelector("tr.is-open")?.classList.remove("is-open");
    link.closest("tr").classList.add("is-open");
    document.querySelector("#panel h1")?.focus();
  });
  addEventListener("popstate", (event) => {
    if (!event.state?.htmx && location.pathname + location.search !== shown) location.reload();
  });

  const floating = "details:is(.menu, .confirm, .rail-sheet)[open]";
  document.addEventListener("click", async (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      try { await navigator.clipboard.writeText(copy.dataset.copy); } catch { return say("Copying was refused by the browser."); }
      say(copy.textContent = "Copied");
      setTimeout(() => { copy.textContent = "Copy"; }, 1500);
    }
    if (event.target.closest("#panel [data-close-panel]")) { event.preventDefault(); closePanel(); }
    for (const open of all(floating)) if (!open.contains(event.target)) open.open = false;
    const row = event.target.closest("tr[data-row]");
    const link = row?.querySelector(".row-link");
    if (link && !event.target.closest("a, button, summary, form") && !getSelection().toString()) link.click();
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") {
      const open = document.activeElement.closest(floating);
      if (!open) return closePanel();
      open.open = false;
      return open.querySelector("summary").focus();
    }
    if (event.target.closest("input, select, textarea, dialog")) return;
    if (event.key === "?") return document.getElementById("keys")?.showModal();
    const field = document.querySelector("[data-search]");
    if (event.key === "/" && field) { event.preventDefault(); field.focus(); }
    if (event.key !== "j" && event.key !== "k") return;
    // Enter on the focused link opens the row, as on any link.
    const stops = all("tr[data-row]").map((row) => row.querySelector("a, button, summary")).filter(Boolean);
    const row = document.activeElement.closest("tr[data-row]");
    const at = stops.findIndex((stop) => row?.contains(stop));
    stops[Math.min(stops.length - 1, Math.max(0, event.key === "j" ? at + 1 : at - 1))]?.focus();
  });

  // Live view: one event a message, as JSON; the newest stands on top and the list keeps 200 rows.
  const button = document.querySelector("[data-tail-url]");
  let [source, count] = [null, 0];
  const show = (live, text) => {
    button.setAttribute("aria-pressed", String(live));
    button.textContent = live ? "Stop live view" : "Start live view";
    say(text);
  };
  const stop = (text) => { source?.close(); source = null; show(false, text); };
  const addRow = (message) => {
    let item;
    try { item = JSON.parse(message.data); } catch { return; }
    const row = document.getElementById("live-row").content.firstElementChild.cloneNode(true);
    for (const field of all("[data-field]", row)) field.textContent = field.title = item[field.dataset.field] ?? "";
    const link = row.querySelector(".row-link");
    for (const name of ["href", "hx-get"]) link.setAttribute(name, `/ledger/${encodeURIComponent(item.position)}`);
    row.querySelector("time").dateTime = item.time;
    if (/^[a-z]+$/.test(item.tone)) row.querySelector(".status").classList.add(`is-${item.tone}`);
    row.classList.add("is-new");
    const rows = document.getElementById("rows");
    rows.prepend(row);
    while (rows.children.length > 200) rows.lastElementChild.remove();
    document.getElementById("empty")?.remove();
    window.htmx?.process(row);
    tellTimes();
    count += 1;
    say(`${count} new ${count === 1 ? "event" : "events"}`);
  };
  button?.addEventListener("click", () => {
    if (source) return stop("Live view stopped");
    source = new EventSource(button.dataset.tailUrl);
    source.addEventListener("message", addRow);
    source.addEventListener("error", () => { if (source?.readyState === 2) stop("Live view ended by the server"); });
    show(true, "Live view started");
  });
})();
