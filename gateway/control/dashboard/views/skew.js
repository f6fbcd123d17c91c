// Version skew that was found in live traffic: which requests did not fit together, why, and what helps.

import { get, queryOf, send } from "../api.js";
import { count, exact, plural } from "../format.js";
import { html, useEffect, useRef, useState } from "../lib.js";
import { usePoll, workers } from "../live.js";
import { Answered, Command, Dialog, Empty, Failure, Field, Icon, say, Time, VersionTag } from "../parts.js";
import { amend, go, route } from "../routes.js";
import { SkewChain } from "../skew-chain.js";
import { aboutOf, KINDS, STORIES } from "../skew-drawing.js";

const REFRESH_MS = 2000;
const SHOWN = 100;
const EVERY = "every";

const INFERRED = {
  session: "that one client sent both: by address and user agent alone",
  page: "which page asked: several could have, or only the origin was sent",
  file: "that the page’s own version has the file: nobody asked it yet",
  caller: "that the page itself called the object",
};

export function Skew({ worker }) {
  const { query } = route.value;
  const kind = KINDS.includes(query.get("kind")) ? query.get("kind") : "";
  const every = query.get("of") === EVERY;
  const open = query.get("incident") ?? "";
  const path = `/api/skew${queryOf({ worker: every ? "" : worker, kind })}`;
  const state = usePoll((signal) => get(path, { signal }), REFRESH_MS, [path]);
  const [asking, setAsking] = useState(false);
  const list = useRef(null);
  const set = (changed) => amend({ kind, of: every ? EVERY : "", incident: open, ...changed });

  function close() {
    const opener = list.current?.querySelector("[aria-expanded=true]");
    set({ incident: "" });
    opener?.focus();
  }

  return html`<div class="page-head skew-head">
      <div class="page-title">
        <h1 tabindex="-1">Skew</h1>
        <p class="sub">Requests that belong together, and met different versions.${state.data && html` <${Looked} data=${state.data} />`}</p>
      </div>
      <div class="page-actions">
        <button type="button" disabled=${!state.data} onClick=${() => setAsking(true)}>Forget…</button>
      </div>
    </div>
    <${Filters} ...${{ worker, every, kind, set }} loading=${state.loading && state.data} />
    <${Answered} state=${state} lines=${6}>
      ${(data) =>
        html`${data.unseen_requests > 0 && html`<${Unseen} number=${data.unseen_requests} />`}
          ${open && html`<${Opened} key=${open} incident=${data.incidents.find((one) => one.id === open)} onClose=${close} />`}
          <div ref=${list}>
            ${
              data.incidents.length === 0
                ? html`<${Nothing} data=${data} kind=${kind} worker=${every ? "" : worker} />`
                : html`<${List} incidents=${data.incidents} ...${{ open, every }} onOpen=${(id) => set({ incident: id })} />`
            }
          </div>`}
    <//>
    ${
      asking &&
      html`<${Dialog} title="Forget what was found" onClose=${() => setAsking(false)}>
        <${Forget}
          close=${() => setAsking(false)}
          onDone=${() => {
            set({ incident: "" });
            state.reload();
          }}
        />
      <//>`
    }`;
}

function Looked({ data }) {
  if (!data.enabled) return null;
  return html`<span class="number">${plural(data.requests, "request")} looked at</span> since <${Time} value=${data.since} />.`;
}

function Unseen({ number }) {
  return html`<p class="note warn skew-unseen">
    ${plural(number, "request")} came faster than they could be looked at. Skew among them is missed, never made up.
  </p>`;
}

function Filters({ worker, every, kind, set, loading }) {
  function choose(value) {
    if (value === EVERY) set({ of: EVERY });
    else if (value === worker) set({ of: "" });
    else go(value, "skew", { kind });
  }
  return html`<div class="filters" role="search" aria-label="Filter incidents">
    <${Field} label="Worker" hiddenLabel>
      <select value=${every ? EVERY : worker} onChange=${(event) => choose(event.currentTarget.value)}>
        <option value=${EVERY}>Every Worker</option>
        ${workers.value.map((one) => html`<option key=${one.name} value=${one.name}>${one.name}</option>`)}
      </select>
    <//>
    <${Field} label="Kind" hiddenLabel>
      <select value=${kind} onChange=${(event) => set({ kind: event.currentTarget.value })}>
        <option value="">Every kind</option>
        ${KINDS.map((one) => html`<option key=${one} value=${one}>${STORIES[one].name}</option>`)}
      </select>
    <//>
    ${loading && html`<span class="spinner" role="status" aria-label="Loading"></span>`}
  </div>`;
}

function Nothing({ data, kind, worker }) {
  if (!data.enabled)
    return html`<${Empty} title="Nothing is looked for.">
      Switch it on in the configuration:
      <${Command} text="skew: {enabled: true}" />
    <//>`;
  const place = worker ? ` of ${worker}` : "";
  const sort = kind ? `${STORIES[kind].name.toLowerCase()}` : "skew";
  return html`<${Empty} title=${`No ${sort} was found${place}.`}>
    <p>${
      data.requests === 0
        ? "No request was looked at yet. Open a page of the Worker in a browser: what it asks for is followed by itself."
        : `${plural(data.requests, "request")} of all Workers were looked at; whatever belongs together met one version.`
    }</p>
  <//>`;
}

function List({ incidents, open, every, onOpen }) {
  const [all, setAll] = useState(false);
  // By when they began: those that go on being seen must not move under the pointer.
  const ordered = [...incidents].sort(
    (one, other) => other.first_seen.localeCompare(one.first_seen) || one.id.localeCompare(other.id),
  );
  const shown = all ? ordered : ordered.slice(0, SHOWN);
  return html`<section class="panel" aria-label="Incidents">
    <table class="object-table skew-table cards">
      <thead>
        <tr>
          <th scope="col">What</th>
          <th scope="col">Kind</th>
          ${every && html`<th scope="col">Worker</th>`}
          <th scope="col">Versions</th>
          <th scope="col">Cause</th>
          <th scope="col">Inferred</th>
          <th scope="col">Count</th>
          <th scope="col">Last seen</th>
        </tr>
      </thead>
      <tbody>
        ${shown.map((one) => html`<${Row} key=${one.id} ...${{ one, every, onOpen }} open=${one.id === open} />`)}
      </tbody>
    </table>
    ${
      shown.length < ordered.length &&
      html`<button type="button" class="more" onClick=${() => setAll(true)}>Show all ${count(ordered.length)}</button>`
    }
  </section>`;
}

function Row({ one, every, open, onOpen }) {
  return html`<tr class=${open ? "chosen" : ""}>
    <th scope="row">
      <button type="button" class="object-name mono" aria-expanded=${open} onClick=${() => onOpen(one.id)}>${aboutOf(one)}</button>
    </th>
    <td data-name="Kind">${STORIES[one.kind].name}</td>
    ${every && html`<td data-name="Worker">${one.worker}</td>`}
    <td data-name="Versions"><${Pair} incident=${one} /></td>
    <td data-name="Cause">${one.cause}</td>
    <td data-name="Inferred">${one.inferred.length ? one.inferred.join(", ") : html`<span class="faint">nothing</span>`}</td>
    <td data-name="Count" class="number">${count(one.count)}</td>
    <td data-name="Last seen"><${Time} value=${one.last_seen} /></td>
  </tr>`;
}

function Pair({ incident: { before, after } }) {
  return html`<span class="skew-pair">
    <${VersionTag} id=${before.version_id} label=${before.label} quiet /><span aria-hidden="true">→</span><span class="hidden">then</span>
    <${VersionTag} id=${after.version_id} label=${after.label} quiet />
  </span>`;
}

function Opened({ incident, onClose }) {
  const panel = useRef(null);
  useEffect(() => {
    panel.current.querySelector("h2").focus({ preventScroll: true });
    panel.current.scrollIntoView({ block: "nearest" });
  }, []);
  return html`<section
    class="panel skew-open"
    aria-label="One incident"
    ref=${panel}
    onKeyDown=${(event) => event.key === "Escape" && onClose()}
  >
    <header class="panel-head">
      <h2 tabindex="-1">
        ${incident ? html`${STORIES[incident.kind].name}: <span class="mono">${aboutOf(incident)}</span>` : "Not told any more"}
      </h2>
      <button type="button" class="icon-button" aria-label="Close" onClick=${onClose}><${Icon} name="close" /></button>
    </header>
    ${incident ? html`<${Told} incident=${incident} />` : html`<${Gone} />`}
  </section>`;
}

function Gone() {
  return html`<${Empty} title="This incident is not among those that are told.">
    It was forgotten, another answer showed it to be none, or a filter leaves it out.
  <//>`;
}

function Told({ incident }) {
  return html`<${SkewChain} incident=${incident} />
    <div class="skew-told">
      <div>
        <h3>Cause</h3>
        <p>${incident.sentence}</p>
      </div>
      <div>
        <h3>Remedy</h3>
        <p>${incident.remedy}</p>
        <p class="skew-rules">
          <span class="chip">${incident.cause}</span>
          ${incident.rules.map((rule) => html`<span key=${rule} class="chip" title="Rule of the documentation">${rule}</span>`)}
        </p>
      </div>
    </div>
    <dl class="facts">
      <div><dt>Seen</dt><dd class="number">${plural(incident.count, "time")}</dd></div>
      <div><dt>First seen</dt><dd><${Time} value=${incident.first_seen} /></dd></div>
      <div><dt>Last seen</dt><dd><${Time} value=${incident.last_seen} /></dd></div>
      <div><dt>Worker</dt><dd>${incident.worker}</dd></div>
      ${
        incident.inferred.length > 0 &&
        html`<div class="long"><dt>Inferred, not known</dt>
          ${incident.inferred.map((one) => html`<dd key=${one}>${INFERRED[one] ?? one}</dd>`)}
        </div>`
      }
    </dl>
    <details>
      <summary>Both requests in full</summary>
      <${Requests} incident=${incident} />
    </details>`;
}

const ROWS = [
  ["Version", (one) => html`<${VersionTag} id=${one.version_id} label=${one.label} />`],
  ["Version id", (one) => one.version_id],
  ["Request", (one) => `${one.method} ${one.host}${one.path}`],
  ["Status", (one) => one.status],
  ["Content type", (one) => one.content_type],
  ["Reason", (one) => one.reason],
  ["Point", (one) => (one.point === null ? "" : exact(one.point))],
  ["Object", (one) => one.object],
  ["Deployment", (one) => (one.deployment === null ? "" : `#${one.deployment}`)],
  ["At", (one) => one.at],
  ["Ray", (one) => one.ray],
];

function Requests({ incident: { kind, before, after } }) {
  return html`<table class="definition compared">
    <thead>
      <tr>
        <th scope="col"><span class="hidden">What</span></th>
        <th scope="col">${STORIES[kind].before}</th>
        <th scope="col">${STORIES[kind].after}</th>
      </tr>
    </thead>
    <tbody>
      ${ROWS.map(([name, tell]) => {
        const [first, second] = [tell(before), tell(after)];
        if (!(first || second)) return null;
        return html`<tr key=${name}>
          <th scope="row">${name}</th>
          <td class="break">${first}</td>
          <td class="break">${second}</td>
        </tr>`;
      })}
    </tbody>
  </table>`;
}

function Forget({ close, onDone }) {
  const [failure, setFailure] = useState(null);
  const [busy, setBusy] = useState(false);
  const button = useRef(null);
  useEffect(() => button.current?.focus(), []);

  async function forget(event) {
    event.preventDefault();
    setBusy(true);
    setFailure(null);
    try {
      const { forgotten } = await send("DELETE", "/api/skew", {});
      say(`Forgot ${plural(forgotten, "incident")}.`);
      close();
      onDone();
    } catch (error) {
      setFailure(error);
      setBusy(false);
    }
  }

  return html`<form class="dialog-body" onSubmit=${forget}>
    <p>All incidents of every Worker go, and what was learnt of pages, files and sessions. What comes from now on is looked at anew.</p>
    ${failure && html`<${Failure} error=${failure} />`}
    <div class="dialog-actions">
      <button type="button" onClick=${close}>Cancel</button>
      <button type="submit" class="primary danger" ref=${button} disabled=${busy}>${busy ? "Forgetting…" : "Forget all"}</button>
    </div>
  </form>`;
}
