// What happens now, line by line; a click on a request shows why it met its version.

import { get, pathOf, post } from "../api.js";
import { asItWas, Chain } from "../chain.js";
import { bytes, count, milliseconds, percent, rate, timeWithMilliseconds } from "../format.js";
import { effect, Fragment, html, useEffect, useMemo, useRef, useState } from "../lib.js";
import { beat, epoch, useLoad, usePoll } from "../live.js";
import { Answered, Command, Empty, Failure, Field, Icon, Segmented, VersionTag } from "../parts.js";
import { amend, go, route } from "../routes.js";
import { EventReader } from "../stream.js";
import { labelOf, workerOf } from "../versions.js";
import { startWith } from "./try.js";

const MOST_ROWS = 400;

/** Each new line moves all below it, so fewer are shown while lines come. */
const LIVE_ROWS = 100;
const SHOWN_EVERY_MS = 300;

/** A list that is pointed at stands still for so long: a click must meet the line it was meant for. */
const HELD_MS = 1000;
const REPLAYED = 50;
const COMFORTABLE_PER_SECOND = 75;
const TYPED_MS = 300;
const STATUSES = [
  { value: "", label: "All" },
  { value: "ok", label: "OK" },
  { value: "error", label: "Errors" },
];
const KINDS = [
  { value: "request", label: "Requests" },
  { value: "console", label: "Console" },
  { value: "exception", label: "Exceptions" },
  { value: "reset,deployment,version,websocket", label: "Lifecycle" },
];
const EVERY_KIND = KINDS.map((kind) => kind.value).join();
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

export function Tail({ worker }) {
  const query = route.value.query;
  const filters = {
    version: query.get("version") ?? "",
    status: query.get("status") ?? "",
    method: query.get("method") ?? "",
    search: query.get("search") ?? "",
    kinds: query.get("kinds") ?? "",
    redact: query.get("redact") ?? "",
  };
  const set = (changed) => amend({ ...filters, ...changed });
  const [paused, setPaused] = useState(false);
  const list = useRef(null);
  const tail = useTail(worker, filters, paused, list);
  const [chosen, setChosen] = useState(null);
  const shown = paused ? tail.rows : tail.rows.slice(0, LIVE_ROWS);

  function close() {
    setChosen(null);
    list.current?.querySelector(`[data-key="${chosen?.key}"]`)?.focus();
  }

  return html`<div class="page-head">
      <div class="page-title">
        <h1 tabindex="-1">Tail</h1>
        <p class="sub"><${Flow} tail=${tail} paused=${paused} /></p>
      </div>
      <div class="page-actions">
        <button type="button" aria-pressed=${paused} onClick=${() => setPaused(!paused)}>
          <${Icon} name=${paused ? "play" : "pause"} size=${16} />${paused ? "Resume" : "Pause"}
        </button>
        <button type="button" onClick=${tail.clear}>Clear</button>
      </div>
    </div>
    <${Filters} worker=${worker} filters=${filters} set=${set} />
    ${tail.error && html`<${Failure} error=${tail.error} onRetry=${tail.again} />`}
    <div class=${`tail ${chosen ? "with-detail" : ""}`}>
      <div class="tail-list" ref=${list} role="log" aria-label="Events" aria-live="off">
        ${shown.map(
          (row) =>
            html`<${Row} key=${row.key} row=${row} chosen=${row.key === chosen?.key} onChoose=${setChosen} />`,
        )}
        ${
          shown.length < tail.rows.length &&
          html`<p class="tail-more">
            ${count(tail.rows.length - shown.length)} older ones
            <button type="button" class="link" onClick=${() => setPaused(true)}>Pause to see them</button>
          </p>`
        }
        ${tail.rows.length === 0 && !tail.error && html`<${Nothing} worker=${worker} filters=${filters} state=${tail.state} />`}
      </div>
      ${chosen && html`<${Detail} key=${chosen.key} worker=${worker} row=${chosen} onClose=${close} />`}
    </div>`;
}

/** Reads events into a list that never grows beyond MOST_ROWS, and shows it a few times a second at most. */
function useTail(worker, filters, paused, list) {
  const [view, setView] = useState({ rows: [], waiting: 0 });
  const [state, setState] = useState({ word: "opening", error: null });
  const [sampling, setSampling] = useState(1);
  const [round, setRound] = useState(0);
  const held = useRef(null);
  held.current ??= { fresh: [], rows: [], number: 0, missed: 0, wake: () => {} };
  const stopped = useRef(paused);
  stopped.current = paused;
  const asked = useSettled(JSON.stringify(filters), TYPED_MS);
  const traffic = usePoll((signal) => get(`${pathOf(worker, "metrics")}?window=60`, { signal }), 2000, [worker]);
  const perSecond = perSecondOf(traffic.data);
  const expected = useRef(0);
  expected.current = perSecond;

  // How many there are says how large a sample to begin with.
  const begun = traffic.data !== undefined || traffic.error !== null;

  // `round` asks again
  useEffect(() => {
    if (!begun) return undefined;
    const wanted = JSON.parse(asked);
    const kinds = wanted.kinds || EVERY_KIND;
    const mine = held.current;
    mine.fresh = [];
    mine.rows = [];
    setView({ rows: [], waiting: 0 });
    const sink = {
      onEvents(events) {
        for (const event of events) take(mine, event);
        mine.wake();
      },
      onState: (word, error = null) => setState({ word, error }),
      onSampling: setSampling,
    };
    const begin = expected.current > COMFORTABLE_PER_SECOND ? COMFORTABLE_PER_SECOND / expected.current : 1;
    const read = () =>
      new EventReader({ ...wanted, worker, kinds, last: REPLAYED }, sink, Number(begin.toPrecision(2)));
    let reader = read();
    const heed = effect(() => {
      if (epoch.value) reader?.wake();
    });
    // A hidden page reads nothing: the browser lends it few connections, and nobody looks.
    function follow() {
      reader?.close();
      reader = document.hidden ? null : read();
    }
    document.addEventListener("visibilitychange", follow);
    return () => {
      heed();
      document.removeEventListener("visibilitychange", follow);
      reader?.close();
    };
  }, [worker, asked, round, begun]);

  useEffect(() => {
    let timer = 0;
    let pointed = -HELD_MS;
    const mine = held.current;
    const element = list.current;
    const point = () => {
      pointed = performance.now();
    };
    function paint() {
      timer = 0;
      if (mine.fresh.length === 0) return;
      const pointedAt = performance.now() - pointed < HELD_MS || element.querySelector(".row:focus-visible");
      if (stopped.current || pointedAt) {
        setView((old) => ({ ...old, waiting: mine.fresh.length }));
        if (!stopped.current) mine.wake();
        return;
      }
      mine.rows = [...mine.fresh.reverse(), ...mine.rows].slice(0, MOST_ROWS);
      mine.fresh = [];
      setView({ rows: mine.rows, waiting: 0 });
    }
    mine.wake = () => {
      timer ||= setTimeout(() => requestAnimationFrame(paint), SHOWN_EVERY_MS);
    };
    element.addEventListener("pointermove", point);
    return () => {
      clearTimeout(timer);
      mine.wake = () => {};
      element.removeEventListener("pointermove", point);
    };
  }, [list]);

  useEffect(() => {
    if (!paused) held.current.wake();
  }, [paused]);

  return {
    rows: view.rows,
    waiting: view.waiting,
    missed: held.current.missed,
    state: state.word,
    error: state.error,
    sampling,
    perSecond,
    clear() {
      held.current.rows = [];
      held.current.fresh = [];
      held.current.missed = 0;
      setView({ rows: [], waiting: 0 });
    },
    again: () => setRound((number) => number + 1),
  };
}

function take(mine, event) {
  if (event.kind === "missed") {
    mine.missed += event.data.count;
    return;
  }
  if (event.kind === "version" || event.kind === "deployment") beat();
  mine.number += 1;
  mine.fresh.push({ key: mine.number, kind: event.kind, ...event.data });
  // Nobody can look at more than this, not even after a pause.
  if (mine.fresh.length > MOST_ROWS) mine.fresh.splice(0, mine.fresh.length - MOST_ROWS);
}

function perSecondOf(metrics) {
  if (!metrics) return 0;
  const requests = metrics.versions.reduce((sum, one) => sum + one.requests, 0);
  return requests / Math.max(1, metrics.window_seconds);
}

/** Returns a text once it has not changed for a while. */
function useSettled(text, milliseconds) {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    if (text === settled) return undefined;
    const timer = setTimeout(() => setSettled(text), milliseconds);
    return () => clearTimeout(timer);
  }, [text, settled, milliseconds]);
  return settled;
}

function Flow({ tail, paused }) {
  const fresh = `${count(tail.waiting)}${tail.waiting >= MOST_ROWS ? " or more" : ""} new`;
  const parts = [`${rate(tail.perSecond)} requests/s in the last minute`];
  if (tail.sampling < 1) parts.push(`showing a sample of ${percent(tail.sampling * 100)}`);
  if (tail.missed > 0) parts.push(`${count(tail.missed)} missed: this reader was too slow`);
  if (paused) parts.push(`paused, ${fresh}`);
  else if (tail.waiting > 0) parts.push(`held, ${fresh}`);
  else if (tail.state === "waiting") parts.push("connecting again…");
  return html`<span class=${`flow ${paused ? "paused" : tail.state}`}><span class="dot" aria-hidden="true"></span>${parts.join(" · ")}</span>`;
}

function Filters({ worker, filters, set }) {
  const told = workerOf(worker);
  const kinds = new Set((filters.kinds || EVERY_KIND).split(","));
  function toggle(value, on) {
    const next = KINDS.filter((kind) => (kind.value === value ? on : kinds.has(kind.value.split(",")[0])));
    set({ kinds: next.length === KINDS.length || next.length === 0 ? "" : next.map((kind) => kind.value).join() });
  }
  return html`<div class="filters" role="search" aria-label="Filter events">
    <${Field} label="Search" hiddenLabel>
      <input
        type="search"
        placeholder="Search in URL, headers, messages"
        value=${filters.search}
        onInput=${(event) => set({ search: event.currentTarget.value })}
      />
    <//>
    <${Segmented} label="Status" options=${STATUSES} value=${filters.status} onChange=${(status) => set({ status })} />
    <${Field} label="Version" hiddenLabel>
      <select value=${filters.version} onChange=${(event) => set({ version: event.currentTarget.value })}>
        <option value="">Any version</option>
        ${told?.versions.map((one) => html`<option key=${one.id} value=${one.id}>${labelOf(one)}</option>`)}
      </select>
    <//>
    <${Field} label="Method" hiddenLabel>
      <select value=${filters.method} onChange=${(event) => set({ method: event.currentTarget.value })}>
        <option value="">Any method</option>
        ${METHODS.map((one) => html`<option key=${one} value=${one}>${one}</option>`)}
      </select>
    <//>
    <fieldset class="checks">
      <legend class="hidden">Kinds</legend>
      ${KINDS.map(
        (kind) => html`<label key=${kind.value}>
          <input
            type="checkbox"
            checked=${kinds.has(kind.value.split(",")[0])}
            onChange=${(event) => toggle(kind.value, event.currentTarget.checked)}
          />${kind.label}
        </label>`,
      )}
      <label title="Cookies, keys and tokens are shown as REDACTED (R113)">
        <input
          type="checkbox"
          checked=${filters.redact !== "false"}
          onChange=${(event) => set({ redact: event.currentTarget.checked ? "" : "false" })}
        />Redact
      </label>
    </fieldset>
  </div>`;
}

function Nothing({ worker, filters, state }) {
  if (state === "opening") return html`<${Empty} title="Listening…" />`;
  const filtered = Object.values(filters).some(Boolean);
  return html`<${Empty} title=${filtered ? "Nothing fits these filters yet." : "Nothing has happened yet."}>
    Send a request, and it appears here:
    <${Command} text=${`curl -s ${workerOf(worker)?.url}/`} />
  <//>`;
}

const STATUS_TONES = { 2: "good", 3: "idle", 4: "warn", 5: "bad" };

const isFailed = (row) => row.outcome && row.outcome !== "ok" && row.outcome !== "client_gone";

export function toneOf(row) {
  if (isFailed(row)) return "bad";
  return STATUS_TONES[Math.floor(row.status / 100)] ?? "idle";
}

function Row({ row, chosen, onChoose }) {
  return useMemo(
    () => html`<button
      type="button"
      class=${`row ${row.kind} ${chosen ? "chosen" : ""}`}
      data-key=${row.key}
      aria-expanded=${chosen}
      onClick=${() => onChoose(row)}
    >
      <time class="row-time">${timeWithMilliseconds(row.at)}</time>
      ${row.kind === "request" ? html`<${RequestCells} row=${row} />` : html`<${OtherCells} row=${row} />`}
    </button>`,
    [row, chosen, onChoose],
  );
}

function RequestCells({ row }) {
  return html`<${Fragment}>
    <span class=${`chip ${toneOf(row)}`}>${row.status || "cut"}</span>
    <span class="row-version">${row.version_id ? html`<${VersionTag} id=${row.version_id} label=${row.label} quiet />` : html`<span class="faint">gateway</span>`}</span>
    <span class="row-method">${row.method}</span>
    <span class="row-target" title=${row.host + row.target}><span class="row-host">${row.host}</span>${row.target}</span>
    <span class="row-reason">${row.reason || row.outcome}</span>
    <span class="row-duration number">${milliseconds(row.duration_ms)}</span>
  <//>`;
}

const TONES = {
  console: "idle",
  exception: "bad",
  reset: "busy",
  deployment: "good",
  version: "busy",
  websocket: "idle",
};

function OtherCells({ row }) {
  const tone = row.kind === "version" && row.state === "crashed" ? "bad" : TONES[row.kind];
  return html`<${Fragment}>
    <span class=${`chip ${tone}`}>${row.kind === "version" ? row.state : row.kind === "console" ? row.level : row.kind}</span>
    <span class="row-version">${row.version_id && html`<${VersionTag} id=${row.version_id} label=${row.label} quiet />`}</span>
    <span class="row-text">${sentenceOf(row)}</span>
  <//>`;
}

/** Returns what an event that is no request says, in one line. */
export function sentenceOf(row) {
  switch (row.kind) {
    case "console":
      return row.message;
    case "exception":
      return `${row.name}: ${row.message}`;
    case "reset":
      return `${row.class}/${row.name || row.id}: reset, moved with deployment ${row.deployment}`;
    case "deployment":
      return `deployment #${row.number}: ${row.versions
        .map((one) => `${one.tag || one.label || one.version_id.slice(0, 8)} ${one.percentage} %`)
        .join(", ")}${row.message ? ` (${row.message})` : ""}`;
    case "version":
      return row.trouble || `${row.state}${row.pid ? `, process ${row.pid}` : ""}`;
    case "websocket":
      return `${row.target}: open for ${milliseconds(row.duration_ms)}`;
    default:
      return row.kind;
  }
}

function Detail({ worker, row, onClose }) {
  const heading = useRef(null);
  useEffect(() => heading.current.focus(), []);
  return html`<aside class="detail" aria-label="Details" onKeyDown=${(event) => event.key === "Escape" && onClose()}>
    <header class="panel-head">
      <h2 tabindex="-1" ref=${heading}>${row.kind === "request" ? `${row.method} ${row.target}` : row.kind}</h2>
      <button type="button" class="icon-button" aria-label="Close" onClick=${onClose}><${Icon} name="close" /></button>
    </header>
    ${row.kind === "request" ? html`<${RequestDetail} worker=${worker} row=${row} />` : html`<${OtherDetail} row=${row} />`}
  </aside>`;
}

function RequestDetail({ worker, row }) {
  const url = `http://${row.host}${row.target}`;
  return html`<dl class="facts">
      <div><dt>Status</dt><dd><span class=${`chip ${toneOf(row)}`}>${row.status || "none"}</span></dd></div>
      <div><dt>Version</dt><dd>${row.version_id ? html`<${VersionTag} id=${row.version_id} label=${row.label} />` : "answered by the gateway itself"}</dd></div>
      <div><dt>Outcome</dt><dd class=${isFailed(row) ? "bad" : ""}>${row.outcome}</dd></div>
      <div><dt>Time</dt><dd class="number">${timeWithMilliseconds(row.at)}</dd></div>
      <div><dt>Wall time</dt><dd class="number">${milliseconds(row.duration_ms)}</dd></div>
      <div><dt>Request</dt><dd class="number">${bytes(row.request_bytes)}</dd></div>
      <div><dt>Answer</dt><dd class="number">${bytes(row.response_bytes)}</dd></div>
      ${row.fault && html`<div><dt>Fault</dt><dd>${row.fault}</dd></div>`}
      ${row.object && html`<div class="long"><dt>Object</dt><dd class="break">${row.object}</dd></div>`}
      <div class="long"><dt>Ray</dt><dd class="mono">${row.ray}</dd></div>
      <div class="long"><dt>URL</dt><dd class="mono break">${url}</dd></div>
    </dl>
    <h3>Why this version</h3>
    <${Why} worker=${worker} row=${row} url=${url} />
    <h3>Headers</h3>
    ${
      row.headers?.length
        ? html`<dl class="headers">
            ${row.headers.map(
              ([name, value], index) => html`<div key=${index}>
                <dt>${name}</dt>
                <dd class=${value === "REDACTED" ? "redacted" : ""}>${value}</dd>
              </div>`,
            )}
          </dl>`
        : html`<p class="faint">none</p>`
    }
    <div class="actions">
      <button
        type="button"
        onClick=${() => {
          startWith({ method: row.method, url, headers: row.headers ?? [] });
          go(worker, "try");
        }}
      >
        <${Icon} name="try" size=${16} />Try it again
      </button>
    </div>`;
}

function Why({ worker, row, url }) {
  const state = useLoad(
    async (signal) => {
      const [told, { deployments }] = await Promise.all([
        post("/api/explain", { url, method: row.method, headers: row.headers ?? [] }, { signal }),
        get(pathOf(row.worker || worker, "deployments"), { signal }),
      ]);
      const at = new Date(row.at).getTime();
      const then = deployments.find((one) => new Date(one.created_on).getTime() <= at);
      return { told, then, active: deployments[0] };
    },
    [row.key],
  );
  return html`<${Answered} state=${state}>
    ${({ told, then, active }) => {
      const shares = then?.versions ?? [];
      const redacted = (row.headers ?? []).some(([, value]) => value === "REDACTED");
      return html`<${Chain} told=${asItWas(told, row, shares)} shares=${shares} />
        ${
          then &&
          active &&
          then.number !== active.number &&
          html`<p class="note">Deployment #${then.number} decided; #${active.number} is active now.</p>`
        }
        ${
          redacted &&
          row.reason === "affinity" &&
          html`<p class="note">The key itself is redacted; the point is this request's own.</p>`
        }`;
    }}
  <//>`;
}

function OtherDetail({ row }) {
  const facts = Object.entries(row).filter(
    ([name, value]) =>
      !["key", "kind", "stack", "message", "versions"].includes(name) && value !== "" && value !== null,
  );
  return html`<pre class="message-text">${row.kind === "console" ? row.message : sentenceOf(row)}</pre>
    ${row.stack && html`<pre class="stack">${row.stack}</pre>`}
    <dl class="facts">
      ${facts.map(
        ([name, value]) =>
          html`<div key=${name} class="long"><dt>${name}</dt><dd class="break">${String(value)}</dd></div>`,
      )}
    </dl>`;
}
