// A banner for consent: asks once, keeps scripts waiting until their purpose is allowed. No dependencies, no cookies of its own.
//
//   <script src="/_tutela/consent.js" defer></script>
//   <script type="text/plain" data-purpose="analytics" src="/stats.js"></script>
//   <button type="button" data-consent>Privacy choices</button>
//
// `document` hears `tutela:consent` with `detail.given`, the purposes that are allowed.
(() => {
  "use strict";
  const AT = "/_tutela/consent";
  const STYLE = `:host{all:initial;color-scheme:light dark;--back:Canvas;--ink:CanvasText}
section{position:fixed;inset:auto 0 0 0;z-index:2147483647;max-height:80vh;overflow:auto;box-sizing:border-box;padding:16px;background:var(--back);color:var(--ink);border-top:1px solid GrayText;font:16px/1.45 system-ui,sans-serif}
div{max-width:720px;margin:0 auto}h2{font-size:18px;margin:0 0 8px}p{margin:0 0 8px}label{display:block;margin:8px 0}label p{margin:0 0 0 26px;font-size:14px}
input{width:18px;height:18px;margin:0 8px 0 0;vertical-align:-3px}
nav{display:flex;flex-wrap:wrap;gap:8px;margin-top:12px}button{flex:1 1 140px;min-height:44px;padding:8px 16px;font:inherit;color:inherit;background:transparent;border:1px solid;border-radius:8px;cursor:pointer}
button:focus-visible,input:focus-visible,h2:focus-visible{outline:3px solid Highlight;outline-offset:2px}`;
  let choices = [], shown = null;

  const make = (name, properties, ...inside) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...inside);
    return element;
  };
  const given = () => choices.filter((choice) => choice.allowed).map((choice) => choice.purpose);

  // What waited for a purpose runs once, in the order of the page.
  const release = () => {
    for (const waiting of document.querySelectorAll('script[type="text/plain"][data-purpose]')) {
      if (!given().includes(waiting.dataset.purpose)) continue;
      const script = document.createElement("script");
      for (const { name, value } of waiting.attributes) if (name !== "type") script.setAttribute(name, value);
      script.nonce = waiting.nonce;
      if (!waiting.src) script.textContent = waiting.textContent;
      script.async = waiting.hasAttribute("async");
      waiting.replaceWith(script);
    }
    document.dispatchEvent(new CustomEvent("tutela:consent", { detail: { given: given() } }));
  };

  const ask = async (options) => {
    const answer = await fetch(AT, { headers: { accept: "application/json", "content-type": "application/json" }, ...options });
    if (!answer.ok) throw new Error(`consent: ${answer.status}`);
    ({ choices } = await answer.json());
  };

  const close = () => { shown?.remove(); shown = null; };

  const say = async (list, status) => {
    const before = given();
    try {
      await ask({ method: "POST", body: JSON.stringify({ choices: choices.map(({ purpose, notice_version }) => ({ purpose, notice_version, given: list.includes(purpose) })) }) });
    } catch {
      status.textContent = "Your choice could not be saved; try again.";
      return;
    }
    close();
    // What runs already cannot be called back but by loading the page again.
    if (before.some((purpose) => !given().includes(purpose))) location.reload();
    else release();
  };

  const open = () => {
    close();
    const boxes = choices.map((choice) => make("input", { type: "checkbox", checked: choice.given === true, value: choice.purpose }));
    const rows = choices.map((choice, at) => {
      const to = choice.recipients.length ? ` Goes to ${choice.recipients.join(", ")}.` : "";
      return make("label", {}, boxes[at], choice.title, make("p", {}, choice.notice + to));
    });
    const status = make("p", {});
    status.setAttribute("role", "status");
    const button = (words, list) => make("button", { type: "button", onclick: () => say(list(), status) }, words);
    const title = make("h2", { id: "title", tabIndex: -1 }, "Your privacy choices");
    const section = make("section", {}, make("div", {},
      title, make("p", {}, "We ask before we use your data for these. You can change your mind at any time."), ...rows, status,
      make("nav", {},
        button("Allow all", () => choices.map((choice) => choice.purpose)),
        button("Allow none", () => []),
        button("Save these choices", () => boxes.filter((box) => box.checked).map((box) => box.value)))));
    section.setAttribute("aria-labelledby", "title");
    shown = make("tutela-consent", {});
    const root = shown.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    root.append(section);
    document.body.append(shown);
    return title;
  };

  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-consent]")) { event.preventDefault(); open().focus(); }
  });
  ask({}).then(() => {
    if (choices.some((choice) => choice.given === null)) open();
    release();
  }, (error) => console.error(error));
})();
