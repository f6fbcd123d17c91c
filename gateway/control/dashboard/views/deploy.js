// Moves the split; what will happen is told while the slider moves, before anything does.

import { ApiError, DEPLOY_MS, get, pathOf, post } from "../api.js";
import { exact } from "../format.js";
import { html, useEffect, useRef, useState } from "../lib.js";
import { beat, noticeLoss, usePoll } from "../live.js";
import {
  Answered,
  Change,
  Command,
  Consequences,
  Dialog,
  Empty,
  Failure,
  Field,
  Icon,
  Loading,
  Panel,
  Segmented,
  SplitBar,
  StateChip,
  say,
  Time,
  VersionTag,
} from "../parts.js";
import { RollbackButton } from "../rollback.js";
import { labelOf, versionOf, workerOf } from "../versions.js";

const PREVIEW_AFTER_MS = 200;
const QUICK = [0, 1, 5, 10, 25, 50, 75, 100];
const DEFAULT_DELAY_SECONDS = 300;
const MODES = [
  { value: "immediate", label: "At once" },
  { value: "deferred", label: "Deferred" },
];

export function Deploy({ worker }) {
  const history = usePoll((signal) => get(pathOf(worker, "deployments"), { signal }), 5000, [worker]);
  const told = workerOf(worker);
  const [start, setStart] = useState(null);
  return html`<div class="page-head">
      <div class="page-title">
        <h1 tabindex="-1">Deploy ${worker}</h1>
        <p class="sub">Each version gets its share of affinity keys and of requests without one.</p>
      </div>
      <div class="page-actions"><${RollbackButton} worker=${worker} onDone=${history.reload} /></div>
    </div>
    ${
      told.versions.length === 0
        ? html`<${Empty} title="There is no version to deploy." command=${`npx wrangler versions upload --name ${worker}`} />`
        : html`<${Editor}
            key=${start?.id ?? "active"}
            worker=${worker}
            told=${told}
            start=${start}
            onDone=${() => {
              setStart(null);
              history.reload();
            }}
          />`
    }
    <${Panel} title="History" class="wide">
      <${Answered} state=${history}>
        ${({ deployments }) =>
          deployments.length === 0
            ? html`<${Empty} title="Nothing was deployed yet." />`
            : html`<${History} deployments=${deployments} onLoad=${setStart} />`}
      <//>
    <//>`;
}

const sharesOf = (deployment) =>
  deployment ? deployment.versions.map(({ version_id, percentage }) => ({ version_id, percentage })) : [];

/** Sets one share and gives the others what is left, in the proportion they had. */
export function withShare(shares, index, value) {
  const wanted = Math.min(100, Math.max(0, value));
  const rest = 100 - wanted;
  const others = shares.reduce((sum, one, at) => (at === index ? sum : sum + one.percentage), 0);
  const heir = shares.findIndex((_, at) => at !== index);
  if (heir < 0) return [{ ...shares[0], percentage: 100 }];
  const next = shares.map((one, at) => {
    if (at === index) return { ...one, percentage: wanted };
    if (others === 0) return { ...one, percentage: at === heir ? rest : 0 };
    return { ...one, percentage: rounded((one.percentage * rest) / others) };
  });
  // What rounding lost or won goes to the first of the others: the sum is 100, not nearly 100.
  const sum = next.reduce((total, one) => total + one.percentage, 0);
  next[heir] = { ...next[heir], percentage: rounded(next[heir].percentage + 100 - sum) };
  return next;
}

const rounded = (value) => Math.round(value * 1e4) / 1e4;

function Editor({ worker, told, start, onDone }) {
  const active = told.active;
  const [shares, setShares] = useState(() => {
    const first = sharesOf(start ?? active);
    return first.length ? first : [{ version_id: told.versions[0].id, percentage: 100 }];
  });
  const [base, setBase] = useState(active?.number ?? 0);
  const [message, setMessage] = useState("");
  const [mode, setMode] = useState(active?.code_update.mode ?? "immediate");
  const [delay, setDelay] = useState(active?.code_update.max_delay_seconds || DEFAULT_DELAY_SECONDS);
  const [asking, setAsking] = useState(false);
  const body = {
    versions: shares.map((one) => ({ version: one.version_id, percentage: one.percentage })),
    message,
    code_update: { mode, max_delay_seconds: mode === "deferred" ? delay : 0 },
  };
  const preview = usePreview(worker, body, active?.number ?? 0);
  const unchanged = JSON.stringify(shares) === JSON.stringify(sharesOf(active));
  const elsewhere = (active?.number ?? 0) !== base;

  function load(deployment) {
    setShares(sharesOf(deployment));
    setBase(active?.number ?? 0);
  }

  return html`<div class="deploy">
    <${Panel} title="Split">
      ${
        elsewhere &&
        html`<p class="note warn">
          Deployment #${active.number} became active meanwhile.
          <button type="button" class="link" onClick=${() => load(active)}>Start from it</button>
        </p>`
      }
      <ol class="shares">
        ${shares.map(
          (one, index) => html`<${Share} key=${one.version_id} ...${{ one, index, shares, setShares }} />`,
        )}
      </ol>
      <${Add} told=${told} shares=${shares} setShares=${setShares} />
      <div class="form-row">
        <${Field} label="Message" wide>
          <input
            value=${message}
            maxlength="1000"
            placeholder="what this deployment is for"
            onInput=${(event) => setMessage(event.currentTarget.value)}
          />
        <//>
        ${
          told.classes.length > 0 &&
          html`<div class="field">
              <span class="field-name">Objects that move are reset</span>
              <${Segmented} label="Objects that move are reset" options=${MODES} value=${mode} onChange=${setMode} />
            </div>
            ${
              mode === "deferred" &&
              html`<${Field} label="After at most">
                <span class="with-unit">
                  <input
                    type="number"
                    min="0"
                    max="86400"
                    value=${delay}
                    onInput=${(event) => setDelay(event.currentTarget.valueAsNumber || 0)}
                  />s</span>
              <//>`
            }`
        }
      </div>
    <//>
    <${Panel} title="What will happen" class="preview">
      <${Change} before=${named(sharesOf(active))} after=${named(shares)} />
      <div aria-live="polite">
        ${
          preview.error
            ? html`<${Failure} error=${preview.error} />`
            : preview.told
              ? html`<${Consequences} told=${preview.told} />`
              : html`<${Loading} lines=${2} />`
        }
      </div>
      <${Command} text=${commandOf(worker, shares)} />
      <div class="actions">
        ${!unchanged && active && html`<button type="button" onClick=${() => load(active)}>Reset</button>`}
        <button
          type="button"
          class=${unchanged ? "" : "primary"}
          disabled=${Boolean(preview.error) || !preview.told}
          onClick=${() => setAsking(true)}
        >
          ${unchanged ? "Deploy the same again…" : "Deploy…"}
        </button>
      </div>
    <//>
    ${
      asking &&
      html`<${Dialog} title=${`Deploy ${worker}`} onClose=${() => setAsking(false)}>
        <${Confirm} ...${{ worker, body, shares, active, close: () => setAsking(false), onDone }} />
      <//>`
    }
  </div>`;
}

const named = (shares) =>
  shares.map((one) => {
    const version = versionOf(one.version_id);
    return { ...one, tag: version ? labelOf(version) : one.version_id.slice(0, 8) };
  });

/** Returns what does the same at the terminal. */
function commandOf(worker, shares) {
  const words = named(shares).map((one) => `${quoted(one.tag)}@${exact(one.percentage)}%`);
  return `gateway versions deploy ${words.join(" ")} --worker ${worker}`;
}

const quoted = (word) => (/^[\w.-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

function Share({ one, index, shares, setShares }) {
  const version = versionOf(one.version_id);
  const name = version ? labelOf(version) : one.version_id;
  const set = (value) => Number.isFinite(value) && setShares(withShare(shares, index, value));
  function move(by) {
    const next = [...shares];
    next.splice(index + by, 0, ...next.splice(index, 1));
    setShares(next);
  }
  function remove() {
    const rest = shares.filter((_, at) => at !== index);
    setShares(withShare(rest, 0, rest[0].percentage + one.percentage));
  }
  const alone = shares.length === 1;
  return html`<li>
    <div class="share-head">
      <${VersionTag} id=${one.version_id} />
      ${version && version.state !== "running" && html`<${StateChip} state=${version.state} trouble=${version.trouble} />`}
      <span class="share-message">${version?.message}</span>
      <span class="share-order">
        <button type="button" class="icon-button small" disabled=${index === 0} aria-label=${`Move ${name} up`} title="The order decides which keys move" onClick=${() => move(-1)}>
          <${Icon} name="up" size=${15} />
        </button>
        <button type="button" class="icon-button small" disabled=${index === shares.length - 1} aria-label=${`Move ${name} down`} title="The order decides which keys move" onClick=${() => move(1)}>
          <${Icon} name="down" size=${15} />
        </button>
        <button type="button" class="icon-button small" disabled=${alone} aria-label=${`Take ${name} out`} onClick=${remove}>
          <${Icon} name="close" size=${15} />
        </button>
      </span>
    </div>
    <div class=${`share-slide colour-${version ? ((version.number - 1) % 8) + 1 : 0}`}>
      <input
        type="range"
        min="0"
        max="100"
        step="1"
        value=${one.percentage}
        disabled=${alone}
        aria-label=${`Percentage of ${name}`}
        aria-valuetext=${`${exact(one.percentage)} percent`}
        style=${{ "--filled": `${one.percentage}%` }}
        onInput=${(event) => set(event.currentTarget.valueAsNumber)}
      />
      <span class="with-unit">
        <input
          type="number"
          min="0"
          max="100"
          step="any"
          inputmode="decimal"
          value=${exact(one.percentage)}
          disabled=${alone}
          aria-label=${`Exact percentage of ${name}`}
          onChange=${(event) => set(event.currentTarget.valueAsNumber)}
        />%
      </span>
    </div>
    ${
      !alone &&
      index === shares.length - 1 &&
      html`<div class="quick" role="group" aria-label=${`Common percentages of ${name}`}>
        ${QUICK.map(
          (value) => html`<button
            key=${value}
            type="button"
            class=${value === one.percentage ? "chosen" : ""}
            aria-label=${`${name} to ${value} %`}
            onClick=${() => set(value)}
          >
            ${value}
          </button>`,
        )}
      </div>`
    }
  </li>`;
}

function Add({ told, shares, setShares }) {
  const left = told.versions.filter((version) => !shares.some((one) => one.version_id === version.id));
  if (left.length === 0) return null;
  return html`<label class="add">
    <span class="hidden">Add a version</span>
    <select
      value=""
      onChange=${(event) => {
        if (event.currentTarget.value)
          setShares([...shares, { version_id: event.currentTarget.value, percentage: 0 }]);
        event.currentTarget.value = "";
      }}
    >
      <option value="">Add a version…</option>
      ${left.map(
        (version) => html`<option key=${version.id} value=${version.id}>
          ${labelOf(version)}${version.tag ? ` (${version.id.slice(0, 8)})` : ""}${version.message ? `: ${version.message}` : ""}
        </option>`,
      )}
    </select>
  </label>`;
}

/** Asks what a deployment would do, shortly after it was last changed. */
function usePreview(worker, body, number) {
  const [state, setState] = useState({ told: null, error: null });
  const asked = JSON.stringify({ ...body, message: "", dry_run: true });
  // another active deployment gives another answer
  useEffect(() => {
    const abort = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const told = await post(pathOf(worker, "deployments"), JSON.parse(asked), { signal: abort.signal });
        if (!abort.signal.aborted) setState({ told, error: null });
      } catch (error) {
        if (abort.signal.aborted) return;
        noticeLoss(error);
        setState({ told: null, error: error instanceof ApiError ? error : null });
      }
    }, PREVIEW_AFTER_MS);
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [worker, asked, number]);
  return state;
}

function Confirm({ worker, body, shares, active, close, onDone }) {
  const [failure, setFailure] = useState(null);
  const [busy, setBusy] = useState(false);
  const preview = usePreview(worker, body, active?.number ?? 0);
  const button = useRef(null);
  useEffect(() => button.current?.focus(), []);

  async function confirm(event) {
    event.preventDefault();
    setBusy(true);
    setFailure(null);
    try {
      const { deployment, warnings } = await post(pathOf(worker, "deployments"), body, { timeout: DEPLOY_MS });
      say(`Deployment #${deployment.number} is active.${warnings.length ? ` ${warnings.join(" ")}` : ""}`);
      await beat();
      close();
      onDone();
    } catch (error) {
      setFailure(error);
      setBusy(false);
    }
  }

  return html`<form class="dialog-body" onSubmit=${confirm}>
    <${Change} before=${named(sharesOf(active))} after=${named(shares)} />
    ${preview.told ? html`<${Consequences} told=${preview.told} />` : html`<${Loading} lines=${2} />`}
    ${body.message && html`<p><q class="message">${body.message}</q></p>`}
    ${failure && html`<${Failure} error=${failure} />`}
    <div class="dialog-actions">
      <button type="button" onClick=${close}>Cancel</button>
      <button type="submit" class="primary" ref=${button} disabled=${busy}>${busy ? "Deploying…" : "Deploy now"}</button>
    </div>
  </form>`;
}

const SHOWN = 25;

function History({ deployments, onLoad }) {
  const [all, setAll] = useState(false);
  const shown = all ? deployments.slice(0, 500) : deployments.slice(0, SHOWN);
  return html`<div class="scroll-x">
      <table class="cards">
        <thead>
          <tr>
            <th scope="col">#</th>
            <th scope="col">Split</th>
            <th scope="col">When</th>
            <th scope="col">By</th>
            <th scope="col">Message</th>
            <th scope="col"><span class="hidden">Actions</span></th>
          </tr>
        </thead>
        <tbody>
          ${shown.map(
            (one) => html`<tr key=${one.id}>
              <th scope="row" class="number">#${one.number}</th>
              <td data-name="Split" class="history-split">
                <${SplitBar} small shares=${one.versions} label="Split" />
                ${one.versions.map(
                  (share) => html`<span key=${share.version_id} class="history-share">
                    <${VersionTag} id=${share.version_id} label=${share.tag} quiet />
                    <span class="number">${exact(share.percentage)} %</span>
                  </span>`,
                )}
              </td>
              <td data-name="When"><${Time} value=${one.created_on} /></td>
              <td data-name="By">${one.triggered_by}${one.author && ` · ${one.author}`}</td>
              <td data-name="Message" class="break">${one.message}</td>
              <td>
                ${
                  one.active
                    ? html`<span class="chip good">active</span>`
                    : html`<button type="button" class="link" onClick=${() => onLoad(one)}>Use this split</button>`
                }
              </td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${
      !all &&
      deployments.length > SHOWN &&
      html`<button type="button" class="more" onClick=${() => setAll(true)}>
        Show all ${deployments.length}
      </button>`
    }`;
}
