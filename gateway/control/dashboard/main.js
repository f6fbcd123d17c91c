// The page: its frame, which view is shown, and what is said while the gateway is away.

import { Faults } from "./faults.js";
import { count } from "./format.js";
import { Component, html, render, useEffect, useRef, useState } from "./lib.js";
import { beat, connection, refusal, retryAt, status, workers } from "./live.js";
import { Command, Empty, Failure, Icon, Loading, SplitBar, Toast } from "./parts.js";
import { go, hrefOf, route, VIEWS } from "./routes.js";
import { THEMES, theme } from "./theme.js";
import { Deploy } from "./views/deploy.js";
import { Objects } from "./views/objects.js";
import { Overview } from "./views/overview.js";
import { Skew } from "./views/skew.js";
import { Tail } from "./views/tail.js";
import { Try } from "./views/try.js";
import { Versions } from "./views/versions.js";

const PAGES = {
  overview: Overview,
  deploy: Deploy,
  tail: Tail,
  skew: Skew,
  objects: Objects,
  versions: Versions,
  try: Try,
};
const NAMES = {
  overview: "Overview",
  deploy: "Deploy",
  tail: "Tail",
  skew: "Skew",
  objects: "Objects",
  versions: "Versions",
  try: "Try it",
};

function App() {
  return html`<a class="skip" href="#main" onClick=${skip}>Skip to content</a>
    <div class="frame">
      <${Top} />
      <${Sidebar} />
      <div class="middle">
        <${Banner} />
        <${Faults} />
        <main id="main" tabindex="-1"><${Page} /></main>
      </div>
      <${Tabs} />
    </div>
    <${Toast} />`;
}

function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

function Top() {
  const { worker, view } = route.value;
  return html`<header class="top">
    <a class="brand" href=${hrefOf(worker, "overview")}><${Brand} /><span>gradual-gateway</span></a>
    <label class="picker">
      <span class="hidden">Worker</span>
      <select value=${worker} onChange=${(event) => go(event.currentTarget.value, view)}>
        ${workers.value.map((one) => html`<option key=${one.name} value=${one.name}>${one.name}</option>`)}
      </select>
    </label>
    <${Connection} />
    <${Switch} />
  </header>`;
}

function Brand() {
  return html`<svg width="22" height="22" viewBox="0 0 32 32" aria-hidden="true" focusable="false" class="brand-mark">
    <path d="M3 16h9" /><path class="one" d="M12 16c6 0 6-8 17-8" /><path class="other" d="M12 16c6 0 6 8 17 8" />
  </svg>`;
}

const CONNECTION_WORDS = { connecting: "connecting", live: "connected", lost: "disconnected" };

function Connection() {
  const state = connection.value;
  const pid = status.value?.pid;
  return html`<span class=${`connection ${state}`} title=${pid ? `process ${pid}, edge ${status.value.url}` : ""}>
    <span class="dot" aria-hidden="true"></span><span class="connection-word">${CONNECTION_WORDS[state]}</span>
  </span>`;
}

function Switch() {
  const now = theme.value;
  const next = THEMES[(THEMES.indexOf(now) + 1) % THEMES.length];
  return html`<button
    type="button"
    class="icon-button"
    aria-label=${`Colours: ${now}; switch to ${next}`}
    title=${`Colours: ${now}`}
    onClick=${() => {
      theme.value = next;
    }}
  >
    <${Icon} name=${now} />
  </button>`;
}

function Sidebar() {
  const { worker, view } = route.value;
  return html`<div class="side"><div class="sidebar">
    <nav aria-label="Views">
      <ul class="views">
        ${VIEWS.map(
          (name) => html`<li key=${name}>
            <a href=${hrefOf(worker, name)} aria-current=${name === view ? "page" : undefined}>
              <${Icon} name=${name} />${NAMES[name]}
            </a>
          </li>`,
        )}
      </ul>
    </nav>
    <nav aria-label="Workers" class="workers">
      <h2>Workers <span class="tally">${count(workers.value.length)}</span></h2>
      <ul>
        ${workers.value.map(
          (one) => html`<li key=${one.name}>
            <a href=${hrefOf(one.name, view)} aria-current=${one.name === worker ? "true" : undefined}>
              <span class="worker-name">
                ${one.name}
                ${
                  one.versions.some((version) => version.percentage !== null && version.state === "crashed") &&
                  html`<span class="alert-dot" title="a deployed version crashed"></span>`
                }
              </span>
              <${SplitBar} small shares=${one.active?.versions ?? []} label="Split" />
            </a>
          </li>`,
        )}
      </ul>
    </nav>
    <footer class="about">
      ${status.value && html`<span>edge ${status.value.url.replace("http://", "")}</span>`}
      ${status.value?.seed !== null && status.value && html`<span>seed ${status.value.seed}</span>`}
      <a href="/api/openapi.yaml">API</a> <a href="/metrics">Metrics</a>
    </footer>
  </div></div>`;
}

/** The same links at the bottom edge, where a thumb reaches them; shown instead of the sidebar. */
function Tabs() {
  const { worker, view } = route.value;
  return html`<nav class="tabs" aria-label="Views">
    ${VIEWS.map(
      (
        name,
      ) => html`<a key=${name} href=${hrefOf(worker, name)} aria-current=${name === view ? "page" : undefined}>
        <${Icon} name=${name} size=${20} /><span>${NAMES[name]}</span>
      </a>`,
    )}
  </nav>`;
}

function Banner() {
  const lost = connection.value === "lost";
  const due = retryAt.value;
  const [, tick] = useState(0);
  useEffect(() => {
    if (!lost) return undefined;
    const timer = setInterval(() => tick((count) => count + 1), 500);
    return () => clearInterval(timer);
  }, [lost]);
  if (!lost) return html`<div role="alert"></div>`;
  const wait = Math.max(0, Math.ceil((due - Date.now()) / 1000));
  return html`<div role="alert">
    <div class="banner">
      <p>
        <strong>The gateway does not answer.</strong> What you see is what was last known. Trying again
        ${wait > 0 ? html` in <span class="number">${wait}</span> s` : " now"}; start it with <code>gateway run</code>.
      </p>
      <button type="button" onClick=${beat}>Try now</button>
    </div>
  </div>`;
}

class Guard extends Component {
  state = { error: null };

  componentDidCatch(error) {
    console.error(error);
    this.setState({ error });
  }

  render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    const told = { message: `This view failed: ${error.message}`, remedy: "Reload the page." };
    return html`<${Failure} error=${told} onRetry=${() => this.setState({ error: null })} />`;
  }
}

function Page() {
  const { worker, view, known } = route.value;
  const heading = useRef(null);
  const place = `${worker}/${view}`;
  const before = useRef(place);
  useEffect(() => {
    document.title = `${NAMES[view]} · ${worker || "gradual-gateway"}`;
    // Who followed a link is told where it led; who opened the page keeps the browser's own focus.
    if (before.current !== place) heading.current?.querySelector("h1")?.focus({ preventScroll: true });
    before.current = place;
    scrollTo(0, 0);
  }, [place, view, worker]);

  if (refusal.value && !status.value) return html`<${Failure} error=${refusal.value} onRetry=${beat} />`;
  if (!status.value) return html`<${Loading} lines=${6} />`;
  if (workers.value.length === 0) return html`<${NoWorker} />`;
  if (!known) return html`<${Gone} worker=${worker} />`;
  const View = PAGES[view];
  return html`<div ref=${heading}>
    <${Guard} key=${place}><${View} worker=${worker} /><//>
  </div>`;
}

function NoWorker() {
  const { control } = status.value;
  return html`<h1 tabindex="-1">No Worker yet</h1>
    <${Empty} title="Nothing is deployed on this edge.">
      <p>Deploy one with your own wrangler:</p>
      <${Command} text=${`export CLOUDFLARE_API_BASE_URL=${control}/client/v4 CLOUDFLARE_API_TOKEN=local CLOUDFLARE_ACCOUNT_ID=local`} />
      <${Command} text="npx wrangler deploy" />
      <p>or name versions in a file:</p>
      <${Command} text="gateway run -c gateway.yaml" />
    <//>`;
}

function Gone({ worker }) {
  return html`<h1 tabindex="-1">${worker}</h1>
    <${Empty} title="This gateway has no Worker of that name.">
      <p>It may have been deleted, or it lives on another edge.</p>
      <p><a href=${hrefOf(workers.value[0].name, "overview")}>Go to ${workers.value[0].name}</a></p>
    <//>`;
}

beat();
render(html`<${App} />`, document.getElementById("app"));
