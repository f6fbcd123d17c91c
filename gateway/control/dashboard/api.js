// Speaks to the gateway's API; every failure becomes one of two errors.

/** The gateway refused, and says why. */
export class ApiError extends Error {
  constructor(status, { code = 0, message = `the gateway answered ${status}`, remedy = "" } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.remedy = remedy;
  }
}

/** No answer came: the gateway is down, starts again, or is another one by now. */
export class Unreachable extends Error {}

const ANSWER_MS = 15_000;

/** A deployment is answered only once its versions run. */
export const DEPLOY_MS = 120_000;

/** Returns the text of an answer. */
export async function readText(path, { signal, timeout = ANSWER_MS, ...more } = {}) {
  const limits = [AbortSignal.timeout(timeout)];
  if (signal) limits.push(signal);
  let response;
  let text;
  try {
    response = await fetch(path, { ...more, signal: AbortSignal.any(limits) });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Unreachable(`no answer from the gateway: ${error.message}`);
  }
  if (!response.ok) throw new ApiError(response.status, errorOf(text));
  return text;
}

/** Returns what an error's text says; `undefined` where it is none of ours. */
export function errorOf(text) {
  try {
    return JSON.parse(text).error;
  } catch {
    return undefined;
  }
}

export async function get(path, options) {
  return JSON.parse(await readText(path, options));
}

/** Sends a body as JSON, which alone the API takes. */
export async function send(method, path, body, options) {
  const headers = { "Content-Type": "application/json" };
  return JSON.parse(await readText(path, { method, headers, body: JSON.stringify(body), ...options }));
}

export const post = (path, body, options) => send("POST", path, body, options);

/** Returns the path of something that belongs to a Worker; each part is encoded, whatever is in it. */
export function pathOf(worker, ...parts) {
  return `/api/workers/${[worker, ...parts].map(encodeURIComponent).join("/")}`;
}

/** Returns a query string without the members that are empty. */
export function queryOf(members) {
  const given = Object.entries(members).filter(
    ([, value]) => value !== "" && value !== null && value !== undefined,
  );
  return given.length ? `?${new URLSearchParams(given)}` : "";
}
