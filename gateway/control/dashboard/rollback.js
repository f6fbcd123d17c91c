// One version gets all traffic again: what that does is shown before it is done.

import { DEPLOY_MS, get, pathOf, post } from "./api.js";
import { html, useState } from "./lib.js";
import { beat, useLoad } from "./live.js";
import { Answered, Change, Consequences, Dialog, Failure, Field, Icon, say } from "./parts.js";
import { labelOf, versionOf } from "./versions.js";

export function RollbackButton({ worker, onDone }) {
  const [open, setOpen] = useState(false);
  return html`<button type="button" onClick=${() => setOpen(true)}><${Icon} name="undo" size=${16} />Roll back</button>
    ${
      open &&
      html`<${Dialog} title=${`Roll back ${worker}`} onClose=${() => setOpen(false)}>
        <${Choice} worker=${worker} close=${() => setOpen(false)} onDone=${onDone} />
      <//>`
    }`;
}

/** Returns the version that the API would roll back to by itself (R95), from a list that begins with the newest. */
export function stableOf(deployments) {
  for (const one of deployments.slice(1)) {
    const share = one.versions.find(({ percentage }) => percentage === 100);
    if (share) return share.version_id;
  }
  return undefined;
}

function Choice({ worker, close, onDone }) {
  const state = useLoad((signal) => get(pathOf(worker, "deployments"), { signal }), [worker]);
  return html`<${Answered} state=${state}>
    ${({ deployments }) =>
      deployments.length === 0
        ? html`<p>Nothing was deployed yet.</p>`
        : html`<${Confirm} ...${{ worker, close, onDone, deployments }} />`}
  <//>`;
}

/** Returns the versions one may want back: the stable one, those deployed now, those of the deployments before. */
function candidatesOf(deployments, stable) {
  const shares = deployments.slice(0, 20).flatMap((one) => one.versions);
  const largestFirst = [...deployments[0].versions].sort((one, other) => other.percentage - one.percentage);
  const ids = [...largestFirst, ...shares].map((one) => one.version_id);
  return [...new Set(stable ? [stable, ...ids] : ids)];
}

function Confirm({ worker, close, onDone, deployments }) {
  const [active] = deployments;
  const stable = stableOf(deployments);
  const candidates = candidatesOf(deployments, stable);
  const [target, setTarget] = useState(candidates[0]);
  const [message, setMessage] = useState("");
  const [failure, setFailure] = useState(null);
  const [busy, setBusy] = useState(false);
  const wanted = { versions: [{ version: target, percentage: 100 }] };
  const preview = useLoad(
    (signal) => post(pathOf(worker, "deployments"), { ...wanted, dry_run: true }, { signal }),
    [target],
  );
  const version = versionOf(target);
  const name = version ? labelOf(version) : target.slice(0, 8);

  async function confirm(event) {
    event.preventDefault();
    setBusy(true);
    try {
      const told = await post(pathOf(worker, "rollback"), { version: target, message }, { timeout: DEPLOY_MS });
      say(`Rolled back: deployment #${told.deployment.number} is active.`);
      beat();
      onDone?.();
      close();
    } catch (error) {
      setFailure(error);
      setBusy(false);
    }
  }

  return html`<form class="dialog-body" onSubmit=${confirm}>
    <${Field} label="This version gets all traffic again">
      <select value=${target} onChange=${(event) => setTarget(event.currentTarget.value)}>
        ${candidates.map((id) => {
          const one = versionOf(id);
          const label = one ? labelOf(one) : id.slice(0, 8);
          return html`<option key=${id} value=${id}>${label}${id === stable ? ": the last one at 100 %" : ""}</option>`;
        })}
      </select>
    <//>
    <${Change} before=${active.versions} after=${[{ version_id: target, tag: name, percentage: 100 }]} />
    <${Answered} state=${preview}>${(told) => html`<${Consequences} told=${told} />`}<//>
    <label class="field wide">
      <span class="field-name">Message</span>
      <input value=${message} maxlength="1000" placeholder="why" onInput=${(event) => setMessage(event.currentTarget.value)} />
    </label>
    ${failure && html`<${Failure} error=${failure} />`}
    <div class="dialog-actions">
      <button type="button" onClick=${close}>Cancel</button>
      <button type="submit" class="primary danger" disabled=${busy}>
        ${busy ? "Rolling back…" : `Roll back to ${name}`}
      </button>
    </div>
  </form>`;
}
