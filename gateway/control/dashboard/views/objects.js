// Which object is on which version: found, paged, looked into, pinned, compared.

import { get, pathOf, queryOf, send } from "../api.js";
import { bytes, count, exact, plural } from "../format.js";
import { html, useEffect, useRef, useState } from "../lib.js";
import { useLoad, usePoll } from "../live.js";
import {
  Answered,
  Command,
  Empty,
  Failure,
  Field,
  Icon,
  Panel,
  Segmented,
  say,
  Time,
  VersionTag,
} from "../parts.js";
import { amend, route } from "../routes.js";
import { workerOf } from "../versions.js";

const PAGE = 100;
const FIRST_PAGE = [""];
const TYPED_MS = 250;
const ID_BYTES = 32;
const DIFF_ROWS = 500;
const REFRESH_MS = 5000;
const MODES = [
  { value: "table", label: "Table" },
  { value: "diff", label: "Compare deployments" },
];

export function Objects({ worker }) {
  const told = workerOf(worker);
  const { query } = route.value;
  const classes = told?.classes ?? [];
  const chosen = classes.includes(query.get("class")) ? query.get("class") : classes[0];
  const [mode, setMode] = useState("table");
  return html`<div class="page-head">
      <div class="page-title">
        <h1 tabindex="-1">Objects</h1>
        <p class="sub">Each Durable Object is on exactly one version at a time${told && html` · assignment <strong>${told.assignment}</strong>`}.</p>
      </div>
      <div class="page-actions">
        ${
          classes.length > 0 &&
          html`<${Field} label="Class" hiddenLabel>
              <select value=${chosen} onChange=${(event) => amend({ class: event.currentTarget.value })}>
                ${classes.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
              </select>
            <//>
            <${Segmented} label="View" options=${MODES} value=${mode} onChange=${setMode} />`
        }
      </div>
    </div>
    ${
      classes.length === 0
        ? html`<${NoClass} />`
        : mode === "table"
          ? html`<${Table} key=${chosen} worker=${worker} name=${chosen} told=${told} />`
          : html`<${Diff} key=${chosen} worker=${worker} name=${chosen} told=${told} />`
    }`;
}

function NoClass() {
  return html`<${Empty} title="This Worker has no Durable Objects.">
    <p>Bind a class in wrangler.jsonc (<code>durable_objects.bindings</code>, with a migration), or in the configuration:</p>
    <${Command} text='durable_objects: {bindings: [{class: Cart, object: "path:/cart/{name}"}]}' />
  <//>`;
}

/** Returns the id before which about this part (0-1) of all ids lies: ids are hashes, so they lie evenly. */
export function idAt(part) {
  if (part <= 0) return "";
  const head = Math.min(0xffff_ffff, Math.floor(part * 2 ** 32));
  return head
    .toString(16)
    .padStart(8, "0")
    .padEnd(ID_BYTES * 2, "0");
}

function Table({ worker, name, told }) {
  const { query } = route.value;
  const [search, setSearch] = useState(query.get("search") ?? "");
  const settled = useSettled(search);
  const [number, setNumber] = useState("");
  // Another question begins at its first page, and is not asked first for the page where the one before stood.
  const question = JSON.stringify([settled, number]);
  const [turned, setTurned] = useState({ question, pages: FIRST_PAGE });
  const pages = turned.question === question ? turned.pages : FIRST_PAGE;
  useEffect(() => setTurned({ question, pages: FIRST_PAGE }), [question]);
  const [open, setOpen] = useState(query.get("object"));
  const after = pages.at(-1);
  const path = `${pathOf(worker, "objects")}${queryOf({ class: name, search: settled, after, limit: PAGE, deployment: number })}`;
  // What is read or searched stands still; only the first page follows what happens.
  const still = number !== "" || settled !== "" || pages.length > 1;
  const state = usePoll((signal) => get(path, { signal }), still ? 0 : REFRESH_MS, [path]);
  const table = useRef(null);

  function show(id) {
    setOpen(id);
    amend({ class: name, search: settled, object: id ?? "" });
  }
  function turn(next) {
    setTurned({ question, pages: next });
    table.current?.scrollIntoView({ block: "nearest" });
  }

  return html`<div class="filters">
      <${Field} label="Search" hiddenLabel>
        <input
          type="search"
          placeholder="Part of a name or id"
          value=${search}
          onInput=${(event) => setSearch(event.currentTarget.value)}
        />
      <//>
      <${Deployments} worker=${worker} label="Table as of" first="as it is now" value=${number} onChange=${setNumber} />
      ${state.loading && state.data && html`<span class="spinner" role="status" aria-label="Loading"></span>`}
    </div>
    <div class=${`objects ${open ? "with-detail" : ""}`} ref=${table}>
      <${Answered} state=${state} lines=${8}>
        ${(data) =>
          data.objects.length === 0 && pages.length === 1
            ? html`<${NoObject} name=${name} told=${told} search=${settled} />`
            : html`<section class="panel" aria-label=${`Objects of ${name}`}>
                <${Rows} objects=${data.objects} open=${open} onOpen=${show} past=${number !== ""} />
                <${Pager} data=${data} pages=${pages} turn=${turn} search=${settled} />
              </section>`}
      <//>
      ${
        open &&
        html`<${OneObject}
          key=${open}
          worker=${worker}
          name=${name}
          id=${open}
          told=${told}
          onClose=${() => show(null)}
          onChange=${state.reload}
        />`
      }
    </div>`;
}

function useSettled(text) {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), TYPED_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}

function NoObject({ name, told, search }) {
  if (search) return html`<${Empty} title=${`No object of ${name} has “${search}” in its name or id.`} />`;
  return html`<${Empty} title=${`No object of ${name} was used yet.`}>
    An object appears here with the first request to it:
    <${Command} text=${`curl -s ${told.url}/…`} />
  <//>`;
}

function Rows({ objects, open, onOpen, past }) {
  return html`<table class="object-table cards">
    <thead>
      <tr>
        <th scope="col">Name</th>
        <th scope="col">${past ? "Version then" : "Assigned"}</th>
        ${
          !past &&
          html`<th scope="col">Running</th>
            <th scope="col">Resets</th>
            <th scope="col">Size</th>
            <th scope="col">Last used</th>`
        }
      </tr>
    </thead>
    <tbody>
      ${objects.map(
        (one) => html`<tr key=${one.id} class=${one.id === open ? "chosen" : ""}>
          <th scope="row">
            <button type="button" class="object-name" aria-expanded=${one.id === open} onClick=${() => onOpen(one.id)}>
              ${one.name ?? html`<span class="faint">no name</span>`}
              <span class="object-id mono">${one.id.slice(0, 12)}…</span>
            </button>
          </th>
          <td data-name="Assigned">
            <${VersionTag} id=${one.assigned} label=${one.assigned_tag} quiet />
            ${one.pinned && html`<span class="pinned" title="pinned"><${Icon} name="pin" size=${14} /><span class="hidden">pinned</span></span>`}
          </td>
          ${
            !past &&
            html`<td data-name="Running">
                ${
                  one.running === one.assigned
                    ? html`<span class="faint">same</span>`
                    : html`<${VersionTag} id=${one.running} label=${one.running_tag} quiet />`
                }
              </td>
              <td data-name="Resets" class="number">${count(one.resets)}</td>
              <td data-name="Size" class="number">${bytes(one.storage_bytes)}</td>
              <td data-name="Last used"><${Time} value=${one.last_used} /></td>`
          }
        </tr>`,
      )}
    </tbody>
  </table>`;
}

function Pager({ data, pages, turn, search }) {
  const [slid, setSlid] = useState(null);
  const first = (pages.length - 1) * PAGE + 1;
  const jumped = pages.length > 1 && pages[1].endsWith("00000000");
  const part = pages.at(-1) ? Number.parseInt(pages.at(-1).slice(0, 8), 16) / 2 ** 32 : 0;
  const many = !search && data.total > PAGE * 3;
  const range =
    jumped || search
      ? plural(data.objects.length, "object")
      : data.objects.length
        ? `${count(first)}–${count(first + data.objects.length - 1)}`
        : "0";
  return html`<div class="pager">
    <button type="button" disabled=${pages.length === 1} onClick=${() => turn([""])}>First</button>
    <button type="button" disabled=${pages.length === 1} onClick=${() => turn(pages.slice(0, -1))}>
      <${Icon} name="back" size=${15} />Back
    </button>
    <button type="button" disabled=${!data.next} onClick=${() => turn([...pages, data.next])}>
      Next<${Icon} name="next" size=${15} />
    </button>
    <span class="number pager-range">${range} of ${count(data.total)}${search ? " found in all" : ""}</span>
    ${
      many &&
      html`<label class="jump">
        <span>Jump</span>
        <input
          type="range"
          min="0"
          max="1000"
          value=${slid ?? Math.round(part * 1000)}
          aria-label="Jump to a place among all objects"
          aria-valuetext=${`${((slid ?? part * 1000) / 10).toFixed(1)} percent of all objects lie before`}
          onInput=${(event) => setSlid(event.currentTarget.valueAsNumber)}
          onChange=${(event) => {
            const place = event.currentTarget.valueAsNumber / 1000;
            setSlid(null);
            turn(place === 0 ? [""] : ["", idAt(Math.min(place, 1 - PAGE / 2 / data.total))]);
          }}
        />
      </label>`
    }
  </div>`;
}

function Deployments({ worker, label, first, value, onChange }) {
  const state = usePoll((signal) => get(pathOf(worker, "deployments"), { signal }), 10_000, [worker]);
  return html`<${Field} label=${label} hiddenLabel>
    <select value=${value} onChange=${(event) => onChange(event.currentTarget.value)}>
      ${first && html`<option value="">${first}</option>`}
      ${(state.data?.deployments ?? []).map(
        (one) => html`<option key=${one.id} value=${String(one.number)}>
          #${one.number}: ${one.versions.map((share) => `${share.tag} ${exact(share.percentage)} %`).join(", ")}
        </option>`,
      )}
    </select>
  <//>`;
}

function OneObject({ worker, name, id, told, onClose, onChange }) {
  const path = pathOf(worker, "objects", name, id);
  const state = usePoll((signal) => get(path, { signal }), REFRESH_MS, [path]);
  const heading = useRef(null);
  useEffect(() => heading.current.focus(), []);
  return html`<aside class="detail" aria-label="One object" onKeyDown=${(event) => event.key === "Escape" && onClose()}>
    <header class="panel-head">
      <h2 tabindex="-1" ref=${heading}>${state.data?.object.name ?? name}</h2>
      <button type="button" class="icon-button" aria-label="Close" onClick=${onClose}><${Icon} name="close" /></button>
    </header>
    <${Answered} state=${state}>
      ${({ object, history }) =>
        html`<dl class="facts">
            <div><dt>Assigned</dt><dd><${VersionTag} id=${object.assigned} label=${object.assigned_tag} /></dd></div>
            <div><dt>Running on</dt><dd><${VersionTag} id=${object.running} label=${object.running_tag} /></dd></div>
            <div><dt>By deployment</dt><dd class="number">#${object.assigned_by}</dd></div>
            <div><dt>Point</dt><dd class="number">${exact(object.point)}</dd></div>
            <div><dt>Resets</dt><dd class="number">${count(object.resets)}</dd></div>
            <div><dt>Storage</dt><dd class="number">${object.storage_bytes === null ? "not kept by the gateway" : bytes(object.storage_bytes)}</dd></div>
            <div><dt>First used</dt><dd><${Time} value=${object.first_used} /></dd></div>
            <div><dt>Last used</dt><dd><${Time} value=${object.last_used} /></dd></div>
            <div class="long"><dt>Class</dt><dd>${object.class}</dd></div>
            <div class="long"><dt>Id</dt><dd class="mono break">${object.id}</dd></div>
          </dl>
          <${Pin}
            path=${path}
            object=${object}
            told=${told}
            onChange=${() => {
              state.reload();
              onChange();
            }}
          />
          <h3>History</h3>
          <ol class="history">
            ${[...history].reverse().map(
              (one, index) => html`<li key=${index}>
                <${VersionTag} id=${one.version_id} label=${one.tag} quiet />
                <span>${one.cause}</span>
                <span class="faint">deployment #${one.deployment}</span>
                <${Time} value=${one.at} />
              </li>`,
            )}
          </ol>`}
    <//>
  </aside>`;
}

function Pin({ path, object, told, onChange }) {
  const shares = told?.active?.versions ?? [];
  const [version, setVersion] = useState(object.pinned ?? object.assigned);
  const [failure, setFailure] = useState(null);
  const [busy, setBusy] = useState(false);

  async function act(method, body, done) {
    setBusy(true);
    setFailure(null);
    try {
      await send(method, `${path}/pin`, body);
      say(done);
      onChange();
    } catch (error) {
      setFailure(error);
    }
    setBusy(false);
  }

  return html`<form
      class="pin"
      onSubmit=${(event) => {
        event.preventDefault();
        act("PUT", { version }, "Pinned.");
      }}
    >
      <${Field} label="Keep it on">
        <select value=${version} onChange=${(event) => setVersion(event.currentTarget.value)}>
          ${shares.map((one) => html`<option key=${one.version_id} value=${one.version_id}>${one.tag}</option>`)}
        </select>
      <//>
      <button type="submit" disabled=${busy || object.pinned === version || shares.length === 0}>
        <${Icon} name="pin" size=${15} />${object.pinned ? "Pin there" : "Pin"}
      </button>
      ${
        object.pinned &&
        html`<button type="button" disabled=${busy} onClick=${() => act("DELETE", {}, "The rule decides again.")}>Unpin</button>
          <p class="hint">Pinned to <${VersionTag} id=${object.pinned} quiet />: it stays until unpinned, or until that version is no longer deployed.</p>`
      }
    </form>
    ${failure && html`<${Failure} error=${failure} />`}`;
}

function Diff({ worker, name, told }) {
  const active = told?.active?.number ?? 1;
  const [from, setFrom] = useState(String(Math.max(1, active - 1)));
  const [to, setTo] = useState(String(active));
  const query = queryOf({ class: name, from, to, limit: DIFF_ROWS });
  const state = useLoad(
    (signal) => get(`${pathOf(worker, "objects", "diff")}${query}`, { signal }),
    [worker, query],
  );
  return html`<div class="filters">
      <span>From</span><${Deployments} worker=${worker} label="From deployment" value=${from} onChange=${setFrom} />
      <span>to</span><${Deployments} worker=${worker} label="To deployment" value=${to} onChange=${setTo} />
    </div>
    <${Answered} state=${state}>
      ${({ changes, total }) =>
        total === 0
          ? html`<${Empty} title="No object has another version in these two deployments." />`
          : html`<${Panel} title=${plural(total, "object")} aside=${changes.length < total && `the first ${count(changes.length)} are shown`}>
              <table class="object-table cards">
                <thead>
                  <tr><th scope="col">Name</th><th scope="col">In #${from}</th><th scope="col">In #${to}</th></tr>
                </thead>
                <tbody>
                  ${changes.map(
                    (one) => html`<tr key=${one.id}>
                      <th scope="row" class="break">
                        ${one.name ?? html`<span class="faint">no name</span>`} <span class="object-id mono">${one.id.slice(0, 12)}…</span>
                      </th>
                      <td data-name=${`#${from}`}>${one.before ? html`<${VersionTag} id=${one.before} label=${one.before_tag} quiet />` : html`<span class="faint">not yet used</span>`}</td>
                      <td data-name=${`#${to}`}>${one.after ? html`<${VersionTag} id=${one.after} label=${one.after_tag} quiet />` : html`<span class="faint">gone</span>`}</td>
                    </tr>`,
                  )}
                </tbody>
              </table>
            <//>`}
    <//>`;
}
