// Passkeys: asks the browser for one, puts its answer into the form and sends it. Everything else is the form's.
"use strict";
(() => {
  if (!window.PublicKeyCredential || !navigator.credentials) return;
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const listed = (list) => (list ?? []).map((one) => ({ ...one, id: bytes(one.id) }));

  // What the server writes as base64url, browsers take as bytes.
  const asked = (form) => {
    const { publicKey } = JSON.parse(form.dataset.options);
    publicKey.challenge = bytes(publicKey.challenge);
    if (publicKey.user) publicKey.user = { ...publicKey.user, id: bytes(publicKey.user.id) };
    publicKey.allowCredentials = listed(publicKey.allowCredentials);
    publicKey.excludeCredentials = listed(publicKey.excludeCredentials);
    return publicKey;
  };
  const answered = (made) => {
    const from = made.response;
    const response = { clientDataJSON: text(from.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) if (from[name]) response[name] = text(from[name]);
    if (from.getTransports) response.transports = from.getTransports();
    return JSON.stringify({ id: made.id, rawId: text(made.rawId), type: made.type, extensions: made.getClientExtensionResults(), response });
  };

  let waiting = null;
  const ask = async (form, options) => {
    waiting?.abort();
    waiting = new AbortController();
    const publicKey = asked(form);
    const request = { publicKey, signal: waiting.signal, ...options };
    const made = form.dataset.passkey === "create" ? await navigator.credentials.create(request) : await navigator.credentials.get(request);
    form.elements.answer.value = answered(made);
    form.submit();
  };
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const told = form.querySelector("[data-error]");
    form.querySelector("[data-start]").addEventListener("click", async () => {
      told.textContent = "";
      try {
        await ask(form, {});
      } catch (error) {
        if (error.name !== "AbortError") told.textContent = error.name === "InvalidStateError" ? "This device has a passkey for your account already." : "No passkey was used. Try again, or take another way.";
      }
    });
  }
  // Offered in the field for the address, where the browser can.
  const conditional = document.querySelector("form[data-conditional]");
  if (conditional && PublicKeyCredential.isConditionalMediationAvailable) {
    PublicKeyCredential.isConditionalMediationAvailable().then((can) => { if (can) ask(conditional, { mediation: "conditional" }).catch(() => {}); });
  }
})();
