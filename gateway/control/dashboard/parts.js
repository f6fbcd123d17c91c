// Pieces that several views are made of.

import { exact, moment, plural } from "./format.js";
import { html, signal, useEffect, useId, useLayoutEffect, useRef, useState } from "./lib.js";
import { colourOf, movedRanges, rangesOf, versionOf } from "./versions.js";

const ICONS = {
  overview: "M3 17V9m5 8V4m5 13v-6m5 6V7",
  deploy: "M4 7h6m4 0h2M4 13h2m4 0h6M10 7a2 2 0 1 0 4 0 2 2 0 1 0-4 0M6 13a2 2 0 1 0 4 0 2 2 0 1 0-4 0",
  tail: "M4 5h12M4 9h8M4 13h10M4 17h5",
  skew: "M3 6.5h5M12 13.5h5M12.5 3.5l-5 13",
  objects: "M10 2.5 16.5 6v8L10 17.5 3.5 14V6zM3.5 6 10 9.7 16.5 6M10 9.7v7.8",
  versions: "M10 3 3 6.5l7 3.5 7-3.5zM3 10.2l7 3.5 7-3.5M3 13.8l7 3.5 7-3.5",
  try: "M17 3 3 8.5l5.5 2.5L11 17zM8.5 11 17 3",
  close: "m5 5 10 10M15 5 5 15",
  up: "M10 15V5m-4 4 4-4 4 4",
  down: "M10 5v10m-4-4 4 4 4-4",
  pause: "M7 4v12M13 4v12",
  play: "M6 4v12l10-6z",
  pin: "M10 11.5V17M6 3.5h8M7.5 3.5V8L5.5 11.5h9L12.5 8V3.5",
  light:
    "M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 1 0 0-7M10 2v1.5M10 16.5V18M2 10h1.5M16.5 10H18M4.3 4.3l1.1 1.1M14.6 14.6l1.1 1.1M4.3 15.7l1.1-1.1M14.6 5.4l1.1-1.1",
  dark: "M16 11.7A6.5 6.5 0 0 1 8.3 4a6.5 6.5 0 1 0 7.7 7.7z",
  system: "M3 4.5h14v9H3zM7.5 17h5M10 13.5V17",
  open: "M8 4H4v12h12v-4M11 4h5v5M16 4l-7 7",
  back: "M12.5 4 6.5 10l6 6",
  next: "m7.5 4 6 6-6 6",
  undo: "M7 4 3.5 7.5 7 11M3.5 7.5H12a4.5 4.5 0 0 1 0 9H8",
  copy: "M7.5 7.5h9v9h-9zM12.5 7.5v-4h-9v9h4",
  check: "m4 10.5 4 4L16 6",
};

export function Icon({ name, size = 18 }) {
  return html`<svg class="icon" width=${size} height=${size} viewBox="0 0 20 20" aria-hidden="true" focusable="false">
    <path d=${ICONS[name]} />
  </svg>`;
}

/** A version's name in its colour; the colour never stands alone. */
export function VersionTag({ id, label, quiet = false }) {
  const version = versionOf(id);
  const name = version ? version.tag || id.slice(0, 8) : label || id.slice(0, 8);
  return html`<span class=${`version colour-${colourOf(id)} ${quiet ? "quiet" : ""}`} title=${id}>
    <span class="swatch" aria-hidden="true"></span><span class="version-name">${name}</span>
  </span>`;
}

const STATE_TONES = { running: "good", crashed: "bad", starting: "busy", stopped: "idle", asleep: "idle" };

export function StateChip({ state, trouble = "" }) {
  return html`<span class=${`chip ${STATE_TONES[state] ?? "idle"}`} title=${trouble}>${state}</span>`;
}

/** Shares of 100 as one bar; `marks` are points to show on it. */
export function SplitBar({ shares, label, small = false, point = null }) {
  const ranges = rangesOf(shares);
  const said = shares.map((one) => `${one.tag || one.label} ${exact(one.percentage)} %`).join(", ");
  return html`<div class=${`split ${small ? "small" : ""}`} role="img" aria-label=${`${label}: ${said || "nothing"}`}>
    <div class="split-track">
      ${ranges.map(
        (one) => html`<div
          key=${one.version_id}
          class=${`split-part colour-${colourOf(one.version_id)}`}
          style=${{ left: `${one.low}%`, width: `${one.percentage}%` }}
          title=${`${one.tag || one.label}: ${exact(one.percentage)} %, [${exact(one.low)}, ${exact(one.high)})`}
        >
          ${
            !small &&
            html`<span class="split-short">${exact(one.percentage)} %</span>
              <span class="split-long">${one.tag || one.label} · ${exact(one.percentage)} %</span>`
          }
        </div>`,
      )}
    </div>
    ${point !== null && html`<div class="split-point" style=${{ left: `${point}%` }}><span>▲</span></div>`}
  </div>`;
}

/** What is now, what comes, and which part of [0, 100) meets another version then. */
export function Change({ before, after }) {
  const moved = before.length ? movedRanges(before, after) : [];
  const share = moved.reduce((sum, one) => sum + one.high - one.low, 0);
  return html`<div class="split-rows">
    <span>Now</span>
    ${before.length ? html`<${SplitBar} shares=${before} label="Now" />` : html`<span class="faint">nothing is deployed</span>`}
    <span>Then</span>
    <${SplitBar} shares=${after} label="Then" />
    <span>Moves</span>
    <div class="moves" role="img" aria-label=${`${exact(share)} % of all keys move`}>
      ${moved.map(
        ({ low, high }) => html`<span
          key=${low}
          style=${{ left: `${low}%`, width: `${high - low}%` }}
          title=${`[${exact(low)}, ${exact(high)})`}
        ></span>`,
      )}
    </div>
  </div>`;
}

/** One of a few, as radio buttons that look like one control. */
export function Segmented({ label, options, value, onChange }) {
  const name = useId();
  return html`<fieldset class="segmented">
    <legend class="hidden">${label}</legend>
    ${options.map(
      (
        option,
      ) => html`<label key=${option.value} class=${option.value === value ? "chosen" : ""} title=${option.title}>
        <input
          type="radio"
          class="hidden"
          name=${name}
          value=${option.value}
          checked=${option.value === value}
          onChange=${() => onChange(option.value)}
        />
        <span>${option.label}</span>
      </label>`,
    )}
  </fieldset>`;
}

export function Field({ label, hint, children, wide = false, hiddenLabel = false }) {
  return html`<label class=${`field ${wide ? "wide" : ""}`}>
    <span class=${hiddenLabel ? "hidden" : "field-name"}>${label}</span>
    ${children}
    ${hint && html`<span class="hint">${hint}</span>`}
  </label>`;
}

/** A section with a heading, and what belongs to its right. */
export function Panel({ title, aside, children, class: more = "", level = 2 }) {
  const id = useId();
  return html`<section class=${`panel ${more}`} aria-labelledby=${id}>
    <header class="panel-head">
      <${`h${level}`} id=${id}>${title}<//>
      ${aside && html`<div class="panel-aside">${aside}</div>`}
    </header>
    ${children}
  </section>`;
}

/** Nothing is here yet; says what fills it. */
export function Empty({ title, children, command }) {
  return html`<div class="state">
    <p class="state-title">${title}</p>
    ${children && html`<div class="state-text">${children}</div>`}
    ${command && html`<${Command} text=${command} />`}
  </div>`;
}

export function Command({ text }) {
  return html`<div class="command"><code>${text}</code><${Copy} text=${text} /></div>`;
}

export function Copy({ text, label = "Copy" }) {
  const [done, setDone] = useState(false);
  async function copy() {
    await navigator.clipboard.writeText(text);
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  }
  return html`<button type="button" class="icon-button small" onClick=${copy} aria-label=${done ? "Copied" : label}>
    <${Icon} name=${done ? "check" : "copy"} size=${15} />
  </button>`;
}

export function Failure({ error, onRetry }) {
  return html`<div class="state failed" role="alert">
    <p class="state-title">${error.message}</p>
    ${error.remedy && html`<p class="state-text">${error.remedy}</p>`}
    ${onRetry && html`<button type="button" onClick=${onRetry}>Try again</button>`}
  </div>`;
}

export function Loading({ lines = 3 }) {
  return html`<div class="loading" role="status" aria-label="Loading">
    ${Array.from({ length: lines }, (_, line) => html`<span key=${line}></span>`)}
  </div>`;
}

/** Shows what a question led to: its answer, its error, or that it is still open. */
export function Answered({ state, lines, children }) {
  if (state.data !== undefined) return children(state.data);
  if (state.error) return html`<${Failure} error=${state.error} onRetry=${state.reload} />`;
  return html`<${Loading} lines=${lines} />`;
}

/** A dialog of the browser's own: it holds the focus, and Escape closes it. */
export function Dialog({ title, onClose, children }) {
  const element = useRef(null);
  const id = useId();
  useLayoutEffect(() => {
    element.current.showModal();
  }, []);
  return html`<dialog ref=${element} aria-labelledby=${id} onClose=${onClose}>
    <header class="panel-head">
      <h2 id=${id}>${title}</h2>
      <button type="button" class="icon-button" aria-label="Close" onClick=${() => element.current.close()}>
        <${Icon} name="close" />
      </button>
    </header>
    ${children}
  </dialog>`;
}

/** A time as it is read: short, with all of it on demand. */
export function Time({ value }) {
  return html`<time datetime=${value} title=${value}>${moment(value)}</time>`;
}

export const toast = signal(null);

/** Says something in passing, to eyes and screen readers. */
export function say(text, tone = "good") {
  toast.value = { text, tone, at: Date.now() };
}

export function Toast() {
  const shown = toast.value;
  useEffect(() => {
    if (!shown) return undefined;
    const timer = setTimeout(() => {
      if (toast.peek() === shown) toast.value = null;
    }, 6000);
    return () => clearTimeout(timer);
  }, [shown]);
  return html`<div class="toast-place" role="status" aria-live="polite">
    ${shown && html`<div class=${`toast ${shown.tone}`}>${shown.text}</div>`}
  </div>`;
}

/** What a dry run told: how many keys and objects move, and what to know before. */
export function Consequences({ told }) {
  return html`<dl class="consequences">
      <div>
        <dt>Affinity keys that move</dt>
        <dd>${exact(told.moved_percentage)} %</dd>
      </div>
      <div>
        <dt>Known objects that move</dt>
        <dd>${told.moved_objects === null || told.moved_objects === undefined ? "not counted" : plural(told.moved_objects, "object")}</dd>
      </div>
    </dl>
    ${told.warnings.map((text) => html`<p key=${text} class="note warn">${text}</p>`)}`;
}
