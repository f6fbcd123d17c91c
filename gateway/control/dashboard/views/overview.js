// What a Worker's versions do now, beside what was asked of them.

import { get, pathOf } from "../api.js";
import { Chart, Interval } from "../chart.js";
import {
  ago,
  bytes,
  count,
  exact,
  milliseconds,
  percent,
  plural,
  rate,
  roughPercent,
  seconds,
  time,
} from "../format.js";
import { html, useState } from "../lib.js";
import { connection, useLoad, usePoll } from "../live.js";
import {
  Answered,
  Command,
  Empty,
  Icon,
  Panel,
  Segmented,
  SplitBar,
  StateChip,
  Time,
  VersionTag,
} from "../parts.js";
import { RollbackButton } from "../rollback.js";
import { hrefOf } from "../routes.js";
import { versionOf, workerOf } from "../versions.js";

const WINDOWS = [
  { value: "60", label: "1 min", title: "The last minute" },
  { value: "300", label: "5 min", title: "The last five minutes" },
  { value: "3600", label: "1 h", title: "The last hour" },
  { value: "deployment", label: "Deployment", title: "Since the active deployment began" },
];
const PERCENTILES = [
  { value: "p50_ms", label: "P50" },
  { value: "p95_ms", label: "P95" },
  { value: "p99_ms", label: "P99" },
];
const EVERY_MS = 1000;
const HEALTH_EVERY_MS = 5000;

export function Overview({ worker }) {
  const [span, setSpan] = useState("60");
  const metrics = usePoll((signal) => get(`${pathOf(worker, "metrics")}?window=${span}`, { signal }), EVERY_MS, [
    worker,
    span,
  ]);
  const drawn = span === "deployment" ? "3600" : span;
  const series = usePoll((signal) => get(`${pathOf(worker, "series")}?window=${drawn}`, { signal }), EVERY_MS, [
    worker,
    drawn,
  ]);
  const told = workerOf(worker);
  const stale = connection.value === "lost" ? "stale" : "";
  return html`<${Head} worker=${worker} told=${told}>
      <${Segmented} label="Window" options=${WINDOWS} value=${span} onChange=${setSpan} />
    <//>
    <div class=${`overview ${stale}`}>
      <${Answered} state=${metrics} lines=${6}>
        ${(data) =>
          data.versions.length === 0
            ? html`<${NoVersion} worker=${worker} />`
            : html`<${Tiles} data=${data} series=${series.data} />
                <${Split} data=${data} told=${told} narrow=${() => setSpan("deployment")} />
                <${Health} worker=${worker} data=${data} />
                <${Table} data=${data} worker=${worker} />`}
      <//>
      <${Answered} state=${series} lines=${6}>${(data) => html`<${Charts} data=${data} told=${told} worker=${worker} />`}<//>
    </div>`;
}

function Head({ worker, told, children }) {
  const active = told?.active;
  return html`<div class="page-head">
    <div class="page-title">
      <h1 tabindex="-1">${worker}</h1>
      ${
        told &&
        html`<a class="out" href=${told.url} target="_blank" rel="noreferrer"
          >${told.url.replace("http://", "")}<${Icon} name="open" size=${14} /></a
        >`
      }
      <p class="sub">
        ${
          active
            ? html`Deployment <strong class="number">#${active.number}</strong>, <${Time} value=${active.created_on} />
              ${active.triggered_by !== "deployment" && html`, by ${active.triggered_by}`}${
                active.message && html`: <q class="message">${active.message}</q>`
              }`
            : "Nothing is deployed"
        }
      </p>
    </div>
    <div class="page-actions">
      ${children}
      <a class="button" href=${hrefOf(worker, "deploy")}><${Icon} name="deploy" size=${16} />Change split</a>
      <${RollbackButton} worker=${worker} />
    </div>
  </div>`;
}

function NoVersion({ worker }) {
  return html`<${Empty} title="This Worker has no version yet." command=${`npx wrangler versions upload --name ${worker}`}>
    Upload one, or name one in the configuration.
  <//>`;
}

function Tiles({ data, series }) {
  const sum = (pick) => data.versions.reduce((total, one) => total + (pick(one) ?? 0), 0);
  const requests = sum((one) => one.requests);
  const failed = sum((one) => (one.requests * (one.error_percentage ?? 0)) / 100);
  const slowest = Math.max(...data.versions.map((one) => one.p95_ms ?? -1));
  const own = Object.entries(data.own_answers);
  return html`<dl class="tiles">
    <${Tile} name="Requests/s" value=${rate(series ? nowOf(series) : requests / Math.max(1, data.window_seconds))} />
    <${Tile} name="Requests" value=${count(requests)} />
    <${Tile} name="Errors" value=${requests ? percent((100 * failed) / requests) : "–"} bad=${failed > 0} />
    <${Tile} name="Slowest P95" value=${milliseconds(slowest < 0 ? null : slowest)} />
    <${Tile} name="In flight" value=${count(sum((one) => one.in_flight))} />
    <${Tile} name="WebSockets" value=${count(sum((one) => one.websockets))} />
    <${Tile}
      name="Own answers"
      title="Answers that the gateway itself gave, for no version could be found"
      value=${own.length ? own.map(([code, times]) => `${code} × ${count(times)}`).join(", ") : "none"}
    />
  </dl>`;
}

/** Returns the requests a second in the newest step that is over. */
function nowOf(series) {
  const lines = Object.values(series.versions).map((one) => one.requests_per_second);
  const at = series.times.length - (series.times.length > 1 ? 2 : 1);
  return lines.reduce((total, line) => total + (line[at] ?? 0), 0);
}

function Tile({ name, value, title, bad = false }) {
  return html`<div class="tile" title=${title}>
    <dt>${name}</dt>
    <dd class=${bad ? "bad" : ""}>${value}</dd>
  </div>`;
}

function Split({ data, told, narrow }) {
  const asked = told?.active?.versions ?? [];
  const observed = data.versions
    .filter((one) => one.observed_percentage)
    .map((one) => ({ version_id: one.version_id, tag: one.label, percentage: one.observed_percentage }));
  const order = asked.map((one) => one.version_id);
  observed.sort((one, other) => order.indexOf(one.version_id) - order.indexOf(other.version_id));
  const earlier =
    data.window !== "deployment" && told?.active && new Date(told.active.created_on) > new Date(data.from);
  return html`<${Panel}
    title="Split"
    aside=${
      earlier &&
      html`this window began before deployment #${told.active.number};${" "}
        <button type="button" class="link" onClick=${narrow}>only since then</button>`
    }
  >
    <div class="split-rows">
      <span>Asked</span>
      ${asked.length ? html`<${SplitBar} shares=${asked} label="Asked" />` : html`<span class="faint">nothing is deployed</span>`}
      <span>Observed</span>
      ${
        observed.length
          ? html`<${SplitBar} shares=${observed.map((one) => ({ ...one, percentage: Number(one.percentage.toFixed(1)) }))} label="Observed" />`
          : html`<span class="faint">no request was drawn or keyed in this window</span>`
      }
    </div>
  <//>`;
}

const VERDICTS = {
  safe: { tone: "good", word: "Safe to increase" },
  wait: { tone: "idle", word: "Wait: too few requests" },
  roll_back: { tone: "bad", word: "Roll back" },
};

/** The verdict on the newer of two deployed versions. */
function Health({ worker, data }) {
  const pair = data.versions.filter((one) => one.asked_percentage !== null);
  pair.sort((one, other) => (versionOf(one.version_id)?.number ?? 0) - (versionOf(other.version_id)?.number ?? 0));
  if (pair.length !== 2) return null;
  return html`<${Verdict} worker=${worker} baseline=${pair[0]} candidate=${pair[1]} />`;
}

function Verdict({ worker, baseline, candidate }) {
  const query = new URLSearchParams({
    baseline: baseline.version_id,
    candidate: candidate.version_id,
    window: "300",
  });
  const state = usePoll((signal) => get(`${pathOf(worker, "health")}?${query}`, { signal }), HEALTH_EVERY_MS, [
    worker,
    baseline.version_id,
    candidate.version_id,
  ]);
  const verdict = VERDICTS[state.data?.verdict];
  if (!verdict) return null;
  return html`<section class=${`verdict ${verdict.tone}`} aria-label="Health">
    <strong>${verdict.word}</strong>
    <${VersionTag} id=${candidate.version_id} label=${candidate.label} /> against
    <${VersionTag} id=${baseline.version_id} label=${baseline.label} />
    <span class="verdict-reason">${sentence(state.data.reason)}</span>
  </section>`;
}

/** Returns a reason without the verdict that it may begin with, for that stands before it. */
function sentence(reason) {
  return reason.replace(/^(safe[^:]*|wait|roll back): /i, "");
}

const CAUSES = {
  worker_5xx: "answered 5xx",
  exception: "threw an exception",
  unreachable: "unreachable",
  timed_out: "timed out",
  cut: "answer cut",
};

function Table({ data, worker }) {
  const shown = data.versions.filter(
    (one) => one.asked_percentage !== null || one.requests > 0 || one.in_flight > 0,
  );
  const hidden = data.versions.length - shown.length;
  const idle = shown.every((one) => one.requests === 0);
  return html`<${Panel}
    title="Versions"
    class="wide"
    aside=${hidden > 0 && html`<a href=${hrefOf(worker, "versions")}>${plural(hidden, "version")} without traffic</a>`}
  >
    <div class="scroll-x">
      <table class="numbers cards">
        <thead>
          <tr>
            <th scope="col">Version</th>
            <th scope="col">State</th>
            <th scope="col">Asked</th>
            <th scope="col">Observed</th>
            <th scope="col"><span class="hidden">Asked and observed on 0 to 100</span></th>
            <th scope="col">Requests</th>
            <th scope="col">Errors</th>
            <th scope="col">P50</th>
            <th scope="col">P95</th>
            <th scope="col">P99</th>
            <th scope="col">In flight</th>
            <th scope="col">CPU</th>
            <th scope="col">Memory</th>
          </tr>
        </thead>
        <tbody>
          ${shown.map((one) => html`<${Row} key=${one.version_id} one=${one} />`)}
        </tbody>
      </table>
    </div>
    ${idle && html`<${NoTraffic} worker=${worker} />`}
  <//>`;
}

function Row({ one }) {
  const causes = Object.entries(one.errors).filter(([, times]) => times > 0);
  const known = versionOf(one.version_id);
  return html`<tr>
    <th scope="row"><${VersionTag} id=${one.version_id} label=${one.label} /></th>
    <td data-name="State"><${StateChip} state=${known?.state ?? one.state} trouble=${known?.trouble} /></td>
    <td data-name="Asked">${one.asked_percentage === null ? "–" : `${exact(one.asked_percentage)} %`}</td>
    <td data-name="Observed" data-observed=${one.observed_percentage}>${roughPercent(one.observed_percentage)}</td>
    <td class="graphic">
      <${Interval}
        id=${one.version_id}
        asked=${one.asked_percentage}
        observed=${one.observed_percentage}
        low=${one.observed_low}
        high=${one.observed_high}
      />
    </td>
    <td data-name="Requests">${count(one.requests)}</td>
    <td
      data-name="Errors"
      class=${one.error_percentage > 0 ? "bad" : ""}
      title=${causes.map(([cause, times]) => `${CAUSES[cause] ?? cause}: ${count(times)}`).join("\n")}
    >
      ${percent(one.error_percentage)}
      ${one.errors.worker_5xx > 0 && html`<span class="extra"> +${count(one.errors.worker_5xx)} 5xx</span>`}
    </td>
    <td data-name="P50">${milliseconds(one.p50_ms)}</td>
    <td data-name="P95">${milliseconds(one.p95_ms)}</td>
    <td data-name="P99">${milliseconds(one.p99_ms)}</td>
    <td data-name="In flight">
      ${count(one.in_flight)}${one.websockets > 0 && html`<span class="extra"> +${count(one.websockets)} ws</span>`}
    </td>
    <td data-name="CPU">${seconds(one.cpu_seconds)}</td>
    <td data-name="Memory">${bytes(one.memory_bytes)}</td>
  </tr>`;
}

function NoTraffic({ worker }) {
  const url = workerOf(worker)?.url;
  return html`<${Empty} title="No request in this window.">
    <p>Send some from <a href=${hrefOf(worker, "try")}>Try it</a>, or at the terminal:</p>
    <${Command} text=${`for i in $(seq 300); do curl -s ${url}/ > /dev/null; done`} />
  <//>`;
}

function Charts({ data, told, worker }) {
  const history = useLoad((signal) => get(pathOf(worker, "deployments"), { signal }), [worker, told?.active?.id]);
  const [percentile, setPercentile] = useState("p95_ms");
  const deployed = new Set((told?.active?.versions ?? []).map((one) => one.version_id));
  const entries = Object.entries(data.versions).filter(
    ([id, one]) => deployed.has(id) || one.requests_per_second.some((value) => value > 0),
  );
  entries.sort(([one], [other]) => (versionOf(one)?.number ?? 0) - (versionOf(other)?.number ?? 0));
  const lines = (name) => entries.map(([id, one]) => ({ id, label: one.label, values: one[name] }));
  const asked = entries.map(([id, one]) => ({
    id,
    label: one.label,
    dashed: true,
    values: askedOver(data, history.data?.deployments ?? [], id),
  }));
  const common = { times: data.times, marks: data.deployments };
  return html`<div class="charts">
      <${Chart}
        ...${common}
        title="Share observed"
        series=${[...lines("observed_percentage"), ...asked]}
        top=${100}
        show=${(value) => (value === null || value === undefined ? "–" : `${Math.round(value)} %`)}
        aside=${html`<span class="key"><span class="key-dash" aria-hidden="true"></span>asked</span>`}
      />
      <${Chart} ...${common} title="Requests/s" series=${lines("requests_per_second")} show=${rate} />
      <${Chart}
        ...${common}
        title="Wall time"
        series=${lines(percentile)}
        show=${milliseconds}
        aside=${html`<${Segmented} label="Percentile" options=${PERCENTILES} value=${percentile} onChange=${setPercentile} />`}
      />
      <${Chart} ...${common} title="Errors/s" series=${lines("errors_per_second")} show=${rate} />
    </div>
    <${Marks} data=${data} />`;
}

/** Returns what was asked of a version at each time; `deployments` begins with the newest. */
function askedOver(data, deployments, id) {
  const began = deployments.map((one) => ({
    at: new Date(one.created_on).getTime() / 1000,
    versions: one.versions,
  }));
  return data.times.map((at) => {
    const then = began.find((one) => one.at <= at + data.step_seconds);
    return then ? (then.versions.find((one) => one.version_id === id)?.percentage ?? 0) : null;
  });
}

function Marks({ data }) {
  const inside = data.deployments.filter((one) => one.at >= data.times[0]).sort((one, other) => other.at - one.at);
  if (inside.length === 0) return null;
  return html`<${Panel} title="Deployments in this window">
    <ul class="marks">
      ${inside.map(
        (one) => html`<li key=${one.number}>
          <strong class="number">#${one.number}</strong>
          <time title=${time(one.at * 1000)}>${ago(one.at * 1000)}</time>
          <span>${one.triggered_by}</span>
          <${SplitBar} small shares=${one.versions} label="Split" />
          <span class="mark-shares">
            ${one.versions.map(
              (share) => html`<span key=${share.version_id}>
                <${VersionTag} id=${share.version_id} label=${share.label} quiet /> ${exact(share.percentage)} %
              </span>`,
            )}
          </span>
          ${one.message && html`<q class="message">${one.message}</q>`}
        </li>`,
      )}
    </ul>
  <//>`;
}
