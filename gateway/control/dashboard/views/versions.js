// Every version of a Worker: where it came from, how it is run, how it fares; and what tells two apart.

import { bytes, exact } from "../format.js";
import { html, useState } from "../lib.js";
import { Copy, Empty, Field, Panel, StateChip, Time, VersionTag } from "../parts.js";
import { go, hrefOf } from "../routes.js";
import { labelOf, workerOf } from "../versions.js";
import { startWith } from "./try.js";

const SHOWN = 50;

export function Versions({ worker }) {
  const told = workerOf(worker);
  const [all, setAll] = useState(false);
  const { versions } = told;
  const shown = all ? versions : versions.slice(0, SHOWN);
  return html`<div class="page-head">
      <div class="page-title">
        <h1 tabindex="-1">Versions</h1>
        <p class="sub">A version never changes: other code is another version.</p>
      </div>
    </div>
    ${
      versions.length === 0
        ? html`<${Empty} title="No version was uploaded yet." command=${`npx wrangler versions upload --name ${worker}`} />`
        : html`<ul class="version-list">
            ${shown.map((one) => html`<${One} key=${one.id} worker=${worker} version=${one} />`)}
          </ul>`
    }
    ${versions.length > shown.length && html`<button type="button" class="more" onClick=${() => setAll(true)}>Show all ${versions.length}</button>`}
    ${versions.length > 1 && html`<${Compare} versions=${versions} />`}`;
}

function One({ worker, version }) {
  const crashed = version.state === "crashed";
  return html`<li class=${`panel version-card ${crashed ? "crashed" : ""}`}>
    <div class="version-head">
      <h2><${VersionTag} id=${version.id} /></h2>
      <${StateChip} state=${version.state} />
      ${version.percentage !== null && html`<span class="number share">${exact(version.percentage)} %</span>`}
      <span class="version-message">${version.message}</span>
      <span class="version-links">
        <a href=${hrefOf(worker, "tail", { version: version.id })}>Tail</a>
        <button
          type="button"
          class="link"
          onClick=${() => {
            startWith({ method: "GET", url: `${version.url}/`, headers: [] });
            go(worker, "try");
          }}
        >
          Try
        </button>
      </span>
    </div>
    ${version.trouble && html`<p class=${`note ${crashed ? "bad" : ""}`}>${version.trouble}</p>`}
    ${crashed && version.last_lines.length > 0 && html`<${Lines} lines=${version.last_lines} />`}
    <dl class="facts">
      <div><dt>Number</dt><dd class="number">${version.number}</dd></div>
      <div><dt>Uploaded</dt><dd><${Time} value=${version.created_on} /></dd></div>
      <div><dt>Source</dt><dd>${version.source}${version.author && ` · ${version.author}`}</dd></div>
      <div><dt>Runs as</dt><dd>${RUNS_AS[version.runtime.kind] ?? version.runtime.kind}</dd></div>
      <div class="long"><dt>Id</dt><dd class="mono break">${version.id}<${Copy} text=${version.id} label="Copy the id" /></dd></div>
    </dl>
    <details>
      <summary>Definition${!crashed && version.last_lines.length > 0 ? " and last lines" : ""}</summary>
      <table class="definition">
        <tbody>
          ${flatten(version.runtime)
            .filter(([, value]) => value !== "")
            .map(
              ([name, value]) =>
                html`<tr key=${name}><th scope="row">${name}</th><td class="break">${value}</td></tr>`,
            )}
          <tr><th scope="row">version URL</th><td class="break">${version.url}</td></tr>
        </tbody>
      </table>
      ${!crashed && version.last_lines.length > 0 && html`<${Lines} lines=${version.last_lines} />`}
    </details>
  </li>`;
}

const RUNS_AS = { url: "a server that runs elsewhere", command: "a command", workerd: "workerd" };

function Lines({ lines }) {
  return html`<figure class="lines">
    <figcaption>Its last lines</figcaption>
    <pre>${lines.join("\n")}</pre>
  </figure>`;
}

/** Returns a definition as names and texts, in order; what is nested is named by its path. */
export function flatten(value, name = "") {
  if (Array.isArray(value)) {
    if (value.every((one) => typeof one !== "object" || one === null)) return [[name, value.join(" ")]];
    return value.flatMap((one, index) => flatten(one, `${name} ${one?.name ?? index + 1}`));
  }
  if (typeof value === "object" && value !== null) {
    return Object.entries(value)
      .filter(([key]) => !(key === "name" && name))
      .flatMap(([key, one]) => flatten(one, name ? `${name} · ${key}` : key));
  }
  return [[name, name.endsWith("size_bytes") ? bytes(value) : String(value)]];
}

/** Returns the rows of a comparison: name, value in one, value in the other. */
export function compare(one, other) {
  const [left, right] = [new Map(flatten(one)), new Map(flatten(other))];
  return [...new Set([...left.keys(), ...right.keys()])].map((name) => ({
    name,
    left: left.get(name),
    right: right.get(name),
    same: left.get(name) === right.get(name),
  }));
}

const COMPARED = ({ tag, message, source, author, runtime }) => ({ tag, message, source, author, ...runtime });

function Compare({ versions }) {
  const [newer, setNewer] = useState(versions[0].id);
  const [older, setOlder] = useState(versions[1].id);
  const [whole, setWhole] = useState(false);
  const [left, right] = [older, newer].map((id) => versions.find((one) => one.id === id) ?? versions[0]);
  const rows = compare(COMPARED(left), COMPARED(right));
  const differing = rows.filter((row) => !row.same);
  const shown = whole ? rows : differing;
  const choose = (value, set, label) => html`<${Field} label=${label} hiddenLabel>
    <select value=${value} onChange=${(event) => set(event.currentTarget.value)}>
      ${versions.map((one) => html`<option key=${one.id} value=${one.id}>${labelOf(one)}${one.tag && ` (${one.id.slice(0, 8)})`}</option>`)}
    </select>
  <//>`;
  return html`<${Panel}
    title="Compare two versions"
    class="wide"
    aside=${html`<label class="check"><input type="checkbox" checked=${whole} onChange=${(event) => setWhole(event.currentTarget.checked)} />what is the same, too</label>`}
  >
    <table class="definition compared">
      <thead>
        <tr>
          <th scope="col">${differing.length} of ${rows.length} differ</th>
          <th scope="col">${choose(older, setOlder, "One version")}</th>
          <th scope="col">${choose(newer, setNewer, "Other version")}</th>
        </tr>
      </thead>
      <tbody>
        ${shown.map(
          (row) => html`<tr key=${row.name} class=${row.same ? "" : "differs"}>
            <th scope="row">${row.name}</th>
            <td class="break">${row.left ?? html`<span class="faint">not there</span>`}</td>
            <td class="break">${row.right ?? html`<span class="faint">not there</span>`}</td>
          </tr>`,
        )}
      </tbody>
    </table>
    ${shown.length === 0 && html`<p class="faint">These two are defined alike.</p>`}
  <//>`;
}
