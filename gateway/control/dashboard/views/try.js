// A request made up: explained, sent, sent many times.

import { post } from "../api.js";
import { Chain } from "../chain.js";
import { bytes, count, exact, milliseconds, plural } from "../format.js";
import { html, signal, useState } from "../lib.js";
import { Empty, Failure, Field, Icon, Loading, Panel, VersionTag } from "../parts.js";
import { colourOf, labelOf, workerOf } from "../versions.js";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const COUNTS = [1, 10, 100, 1000];
const SEND_MS = 120_000;
const KEY = "Cloudflare-Workers-Version-Key";
const OVERRIDES = "Cloudflare-Workers-Version-Overrides";
const WITHOUT_BODY = new Set(["GET", "HEAD"]);

const draft = signal(null);

/** Lets the view begin with a request that was seen elsewhere. */
export function startWith({ method, url, headers }) {
  const lower = (name) => name.toLowerCase();
  const redacted = ([, value]) => value === "REDACTED";
  const own = new Set([
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "cf-ray",
    lower(KEY),
    lower(OVERRIDES),
  ]);
  const value = (wanted) => headers.find((pair) => lower(pair[0]) === lower(wanted) && !redacted(pair))?.[1] ?? "";
  draft.value = {
    method,
    url,
    key: value(KEY),
    override: value(OVERRIDES),
    headers: headers.filter(
      (pair) => !own.has(lower(pair[0])) && !lower(pair[0]).startsWith("cf-") && !redacted(pair),
    ),
    body: "",
    count: 1,
  };
}

export function Try({ worker }) {
  const told = workerOf(worker);
  const [request, setRequest] = useState(() => {
    const begun = draft.peek();
    draft.value = null;
    return (
      begun ?? { method: "GET", url: `${told.url}/`, key: "", override: "", headers: [], body: "", count: 100 }
    );
  });
  const [result, setResult] = useState({ kind: "none" });
  const set = (changed) => setRequest({ ...request, ...changed });

  async function run(kind) {
    const body = { url: request.url, method: request.method, headers: headersOf(request) };
    setResult({ kind: "waiting", of: kind });
    try {
      if (kind === "explain") {
        setResult({ kind, told: await post("/api/explain", { ...body, count: Math.max(1, request.count) }) });
      } else {
        const text = WITHOUT_BODY.has(request.method) || !request.body ? {} : { body: request.body };
        const times = kind === "send" ? 1 : request.count;
        setResult({
          kind: "sent",
          told: await post("/api/try", { ...body, ...text, count: times }, { timeout: SEND_MS }),
        });
      }
    } catch (error) {
      setResult({ kind: "failed", error });
    }
  }

  return html`<div class="page-head">
      <div class="page-title">
        <h1 tabindex="-1">Try it</h1>
        <p class="sub">Requests go through this gateway's own edge, as any client's do; nowhere else.</p>
      </div>
    </div>
    <div class="try">
      <${Panel} title="Request">
        <form
          onSubmit=${(event) => {
            event.preventDefault();
            run("send");
          }}
        >
          <${Compose} request=${request} set=${set} told=${told} worker=${worker} />
          <div class="actions">
            <button type="button" onClick=${() => run("explain")}>Explain</button>
            <button type="submit" class="primary"><${Icon} name="try" size=${16} />Send</button>
            <span class="send-many">
              <button type="button" onClick=${() => run("many")}>Send ${count(request.count)} times</button>
              <${Field} label="How often" hiddenLabel>
                <input
                  type="number"
                  min="1"
                  max="1000"
                  list="counts"
                  value=${request.count}
                  onInput=${(event) => set({ count: clamped(event.currentTarget.valueAsNumber) })}
                />
              <//>
              <datalist id="counts">${COUNTS.map((one) => html`<option key=${one} value=${one}></option>`)}</datalist>
            </span>
          </div>
        </form>
      <//>
      <div class="try-result" aria-live="polite">
        <${Result} result=${result} told=${told} />
      </div>
    </div>`;
}

const clamped = (value) => Math.min(1000, Math.max(1, Math.round(value || 1)));

function headersOf(request) {
  const headers = request.headers.filter(([name]) => name.trim()).map(([name, value]) => [name.trim(), value]);
  if (request.key) headers.push([KEY, request.key]);
  if (request.override) headers.push([OVERRIDES, request.override]);
  return headers;
}

function Compose({ request, set, told, worker }) {
  return html`<div class="form-row">
      <${Field} label="Method">
        <select value=${request.method} onChange=${(event) => set({ method: event.currentTarget.value })}>
          ${METHODS.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}
        </select>
      <//>
      <${Field} label="URL" wide>
        <input
          class="mono"
          inputmode="url"
          spellcheck=${false}
          autocomplete="off"
          value=${request.url}
          onInput=${(event) => set({ url: event.currentTarget.value })}
        />
      <//>
    </div>
    <div class="form-row">
      <${Field} label="Affinity key" wide hint=${html`<code>${KEY}</code>`}>
        <input
          placeholder="none: each request is drawn"
          autocomplete="off"
          value=${request.key}
          onInput=${(event) => set({ key: event.currentTarget.value })}
        />
      <//>
      <${Field} label="Override" wide hint=${html`<code>${OVERRIDES}</code>`}>
        <input
          class="mono"
          list="overrides"
          placeholder="none"
          autocomplete="off"
          value=${request.override}
          onInput=${(event) => set({ override: event.currentTarget.value })}
        />
        <datalist id="overrides">
          ${told.versions.slice(0, 50).map((one) => html`<option key=${one.id} value=${`${worker}="${one.id}"`}>${labelOf(one)}</option>`)}
        </datalist>
      <//>
    </div>
    <${Headers} headers=${request.headers} onChange=${(headers) => set({ headers })} />
    ${
      !WITHOUT_BODY.has(request.method) &&
      html`<${Field} label="Body" wide>
        <textarea rows="4" class="mono" value=${request.body} onInput=${(event) => set({ body: event.currentTarget.value })}></textarea>
      <//>`
    }`;
}

function Headers({ headers, onChange }) {
  const change = (index, pair) => onChange(headers.map((one, at) => (at === index ? pair : one)));
  return html`<fieldset class="header-rows">
    <legend class="field-name">Headers</legend>
    ${headers.map(
      ([name, value], index) => html`<div key=${index} class="header-row">
        <input
          class="mono"
          aria-label="Name"
          placeholder="Name"
          value=${name}
          onInput=${(event) => change(index, [event.currentTarget.value, value])}
        />
        <input
          class="mono"
          aria-label="Value"
          placeholder="value"
          value=${value}
          onInput=${(event) => change(index, [name, event.currentTarget.value])}
        />
        <button
          type="button"
          class="icon-button small"
          aria-label=${`Remove ${name || "this header"}`}
          onClick=${() => onChange(headers.filter((_, at) => at !== index))}
        >
          <${Icon} name="close" size=${15} />
        </button>
      </div>`,
    )}
    <button type="button" class="link" onClick=${() => onChange([...headers, ["", ""]])}>Add a header</button>
  </fieldset>`;
}

function Result({ result, told }) {
  switch (result.kind) {
    case "waiting":
      return html`<${Panel} title=${result.of === "explain" ? "Explanation" : "Answer"}><${Loading} lines=${4} /><//>`;
    case "failed":
      return html`<${Failure} error=${result.error} />`;
    case "explain":
      return html`<${Explained} told=${result.told} />`;
    case "sent":
      return html`<${Sent} sent=${result.told} told=${told} />`;
    default:
      return html`<${Empty} title="Nothing was tried yet.">
        <p><strong>Explain</strong> tells rule by rule which version a request would meet, and calls none.</p>
        <p><strong>Send</strong> sends it, and shows who answered.</p>
      <//>`;
  }
}

function Explained({ told }) {
  return html`<${Panel} title="Explanation" aside=${told.route && html`route <code>${told.route}</code>`}>
    <${Chain} told=${told} />
    ${
      told.counts.length > 0 &&
      html`<h3>Decided again and again</h3>
        <${Bars}
          rows=${told.counts.map((one) => ({ id: one.version_id, label: one.tag, count: one.count }))}
          shares=${told.decision?.reason === "percentage" ? (told.deployment?.versions ?? []) : []}
        />`
    }
  <//>`;
}

function Sent({ sent, told }) {
  const byVersion = new Map();
  for (const one of sent.answers) {
    const row = byVersion.get(one.version_id) ?? { id: one.version_id, label: one.tag, count: 0 };
    row.count += one.count;
    byVersion.set(one.version_id, row);
  }
  // The percentages say nothing of requests that a key, an override or an object decided.
  const drawn = sent.answers.every((one) => one.reason === "percentage");
  const rows = [...byVersion.values()].sort((one, other) => other.count - one.count);
  return html`<div>
    ${
      sent.count > 1 &&
      html`<${Panel} title=${`${plural(sent.answered, "answer")} in ${milliseconds(sent.duration_ms)}`}>
        <${Bars} rows=${rows} shares=${drawn ? (told?.active?.versions ?? []) : []} />
        <div class="scroll-x">
          <table class="numbers">
            <thead>
              <tr>
                <th scope="col">Version</th><th scope="col">Reason</th><th scope="col">Status</th>
                <th scope="col">Count</th><th scope="col">Mean</th><th scope="col">P50</th><th scope="col">P95</th>
              </tr>
            </thead>
            <tbody>
              ${sent.answers.map(
                (one) => html`<tr key=${`${one.version_id} ${one.reason} ${one.status}`}>
                  <th scope="row"><${Who} id=${one.version_id} label=${one.tag} /></th>
                  <td class="text">${one.reason || "–"}</td>
                  <td>${one.status}</td>
                  <td>${count(one.count)}</td>
                  <td>${milliseconds(one.mean_ms)}</td>
                  <td>${milliseconds(one.p50_ms)}</td>
                  <td>${milliseconds(one.p95_ms)}</td>
                </tr>`,
              )}
            </tbody>
          </table>
        </div>
      <//>`
    }
    ${sent.failures.map(
      (one) =>
        html`<p key=${one.message} class="note bad">${plural(one.count, "request")} had no answer: ${one.message}</p>`,
    )}
    ${sent.first && html`<${Answer} answer=${sent.first} title=${sent.count > 1 ? "The first answer" : "Answer"} />`}
  </div>`;
}

function Who({ id, label }) {
  return id
    ? html`<${VersionTag} id=${id} label=${label} quiet />`
    : html`<span class="faint">the gateway itself</span>`;
}

/** How often each version answered, beside what the deployment asks. */
function Bars({ rows, shares }) {
  const total = rows.reduce((sum, one) => sum + one.count, 0);
  return html`<ul class="bars">
    ${rows.map((one) => {
      const part = (100 * one.count) / total;
      const asked = shares.find((share) => share.version_id === one.id)?.percentage;
      return html`<li key=${one.id}>
        <${Who} id=${one.id} label=${one.label} />
        <${Bar} id=${one.id} part=${part} asked=${asked} />
        <span class="number">${count(one.count)}</span>
        <span class="number bar-part">${part.toFixed(1)} %${asked !== undefined && html`<span class="faint"> asked ${exact(asked)} %</span>`}</span>
      </li>`;
    })}
  </ul>`;
}

function Bar({ id, part, asked }) {
  return html`<span class=${`bar colour-${colourOf(id)}`} aria-hidden="true">
    <span class="bar-fill" style=${{ width: `${part}%` }}></span>
    ${asked !== undefined && html`<span class="bar-asked" style=${{ left: `${asked}%` }}></span>`}
  </span>`;
}

function Answer({ answer, title }) {
  return html`<${Panel} title=${title}>
    <dl class="facts">
      <div><dt>Status</dt><dd><span class=${`chip ${answer.status < 400 ? "good" : answer.status < 500 ? "warn" : "bad"}`}>${answer.status}</span></dd></div>
      <div><dt>Version</dt><dd><${Who} id=${answer.version_id} label=${answer.tag} /></dd></div>
      <div><dt>Reason</dt><dd>${answer.reason || "–"}</dd></div>
      <div><dt>Point</dt><dd class="number">${answer.point === null ? "–" : exact(answer.point)}</dd></div>
      <div><dt>Duration</dt><dd class="number">${milliseconds(answer.duration_ms)}</dd></div>
      <div><dt>Body</dt><dd class="number">${bytes(answer.body_bytes)}</dd></div>
    </dl>
    <h3>Headers</h3>
    <dl class="headers">
      ${answer.headers.map(([name, value], index) => html`<div key=${index}><dt>${name}</dt><dd>${value}</dd></div>`)}
    </dl>
    <h3>Body</h3>
    ${answer.body ? html`<pre class="body">${answer.body}</pre>` : html`<p class="faint">empty, or no text</p>`}
    ${answer.truncated && html`<p class="hint">Only its beginning is shown.</p>`}
  <//>`;
}
