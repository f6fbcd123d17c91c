// Where the page is: `#/<worker>/<view>?<query>`.

import { computed, signal } from "./lib.js";
import { workers } from "./live.js";

export const VIEWS = ["overview", "deploy", "tail", "skew", "objects", "versions", "try"];

const hash = signal(location.hash);
addEventListener("hashchange", () => {
  hash.value = location.hash;
});

const parsed = computed(() => parse(hash.value));

/** The view, the query, and the Worker: the one named, or the first there is. */
export const route = computed(() => {
  const { worker, view, query } = parsed.value;
  const known = workers.value.some((one) => one.name === worker);
  return { worker: worker || workers.value[0]?.name || "", known: known || !worker, view, query };
});

export function parse(text) {
  const [path, query = ""] = text.replace(/^#\/?/, "").split("?");
  const [worker = "", view = ""] = path.split("/").map(decoded);
  return { worker, view: VIEWS.includes(view) ? view : "overview", query: new URLSearchParams(query) };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function hrefOf(worker, view, query = {}) {
  const given = new URLSearchParams(Object.entries(query).filter(([, value]) => value));
  return `#/${encodeURIComponent(worker)}/${view}${given.size ? `?${given}` : ""}`;
}

export function go(worker, view, query) {
  location.hash = hrefOf(worker, view, query);
}

/** Changes the address without a step in the history: filters that are being typed. */
export function amend(query) {
  const { worker, view } = route.peek();
  history.replaceState(null, "", hrefOf(worker, view, query));
  hash.value = location.hash;
}
