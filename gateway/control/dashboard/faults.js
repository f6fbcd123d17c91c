// Says on every view what goes wrong on purpose: who forgot it would look for the cause elsewhere.

import { send } from "./api.js";
import { html, useState } from "./lib.js";
import { beat, status } from "./live.js";
import { say } from "./parts.js";

export function Faults() {
  const names = status.value?.faults ?? [];
  const [busy, setBusy] = useState(false);

  async function clear() {
    setBusy(true);
    try {
      await send("DELETE", "/api/faults", {});
      say("The faults are taken away.");
    } catch (error) {
      say(error.message, "bad");
    }
    setBusy(false);
    beat();
  }

  return html`<div role="status">
    ${
      names.length > 0 &&
      html`<div class="banner">
        <p><strong>Something goes wrong on purpose:</strong> <span class="break">${names.join(", ")}</span></p>
        <button type="button" disabled=${busy} onClick=${clear}>Take away</button>
      </div>`
    }
  </div>`;
}
