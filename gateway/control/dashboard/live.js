// What the page knows of the gateway, kept up to date; notices when it goes and when it is back.

import { get, readText, Unreachable } from "./api.js";
import { batch, computed, signal, useEffect, useRef, useState } from "./lib.js";

const BEAT_MS = 2000;
const FIRST_RETRY_MS = 400;
const LAST_RETRY_MS = 5000;
const BEAT_TIMEOUT_MS = 5000;

/** The last answer of `/api/status`; `null` before the first. */
export const status = signal(null);

/** `connecting`, `live` or `lost`. */
export const connection = signal("connecting");

/** When the next try is, in the time of `Date.now`; 0 while connected. */
export const retryAt = signal(0);

/** Goes up each time the gateway is back: what was read before may be of another process. */
export const epoch = signal(0);

/** What `/api/status` refused with, where it did. */
export const refusal = signal(null);

export const workers = computed(() => status.value?.workers ?? []);

let seen = "";
let failures = 0;
let timer = 0;
let beating = false;

/** Asks for the status now, and goes on asking. */
export async function beat() {
  if (beating) return;
  beating = true;
  clearTimeout(timer);
  let wait = BEAT_MS;
  try {
    const text = await readText("/api/status", { timeout: BEAT_TIMEOUT_MS });
    batch(() => take(text));
    failures = 0;
  } catch (error) {
    if (error instanceof Unreachable) {
      wait = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 1.6 ** failures);
      failures += 1;
      batch(() => {
        connection.value = "lost";
        retryAt.value = Date.now() + wait;
      });
    } else {
      refusal.value = error;
    }
  }
  beating = false;
  timer = setTimeout(beat, document.hidden ? LAST_RETRY_MS : wait);
}

function take(text) {
  refusal.value = null;
  retryAt.value = 0;
  const before = status.peek();
  if (text !== seen) {
    seen = text;
    status.value = JSON.parse(text);
  }
  if (connection.peek() === "lost" || (before && before.pid !== status.peek().pid)) epoch.value += 1;
  connection.value = "live";
}

/** Tells that a request got no answer; the banner shows at once, not with the next beat. */
export function noticeLoss(error) {
  if (error instanceof Unreachable && connection.peek() === "live") beat();
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) beat();
});

/**
 * Loads something, again and again.
 *
 * @param load Gets an AbortSignal, returns a promise.
 * @param every Milliseconds between an answer and the next question; 0 asks once.
 * @param deps What makes it another question.
 * @returns `data` (of the question before while the next has no answer), `error`, `loading`, and `reload`.
 */
export function usePoll(load, every, deps) {
  const [state, setState] = useState({ data: undefined, error: null, loading: true });
  const [round, setRound] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  const now = epoch.value;
  // the caller says what makes it another question
  useEffect(() => {
    const abort = new AbortController();
    let next = 0;
    async function run() {
      if (every && (document.hidden || connection.peek() === "lost")) {
        next = setTimeout(run, every);
        return;
      }
      try {
        const data = await latest.current(abort.signal);
        if (!abort.signal.aborted) setState({ data, error: null, loading: false });
      } catch (error) {
        if (abort.signal.aborted) return;
        noticeLoss(error);
        // While the gateway is away the banner says so; the last numbers stay, and so does the question.
        if (!(error instanceof Unreachable)) setState((old) => ({ ...old, error, loading: false }));
      }
      if (every && !abort.signal.aborted) next = setTimeout(run, every);
    }
    setState((old) => ({ ...old, error: null, loading: true }));
    run();
    return () => {
      abort.abort();
      clearTimeout(next);
    };
  }, [...deps, every, now, round]);
  return { ...state, reload: () => setRound((count) => count + 1) };
}

/** Loads something once, and again when the gateway is back. */
export const useLoad = (load, deps) => usePoll(load, 0, deps);

/** Loads a path of the API again and again. */
export const usePath = (path, every = 0) => usePoll((signal) => get(path, { signal }), every, [path]);
