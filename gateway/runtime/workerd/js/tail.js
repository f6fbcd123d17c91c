// Tells the gateway of finished invocations: of all while somebody listens, else only of those that failed.

import { WorkerEntrypoint } from "cloudflare:workers";

// Of a class wrapper: an object's RPC method threw, which workerd tells only the caller.
const EXCEPTION = "gateway.exception";

let listening; // as the gateway said last

const hasFailed = (event) =>
  (event.outcome !== "ok" && event.outcome !== "canceled") ||
  event.exceptions.length > 0 ||
  event.diagnosticsChannelEvents.some(({ channel }) => channel === EXCEPTION);

// What the gateway itself asks of an object that it moves.
const isOurs = ({ event }) => event?.request?.headers?.["x-gateway-admin"] !== undefined;

export default {
  async tail(all, env) {
    listening ??= env.LISTENING;
    // Failed ones first: to read a request's headers makes all of them, for each request.
    const wanted = (listening ? all : all.filter(hasFailed)).filter((event) => !isOurs(event));
    if (wanted.length === 0) return;
    const body = JSON.stringify({ version: env.VERSION, events: wanted });
    await env.GATEWAY.fetch("http://gateway/tail", { method: "POST", body });
  },
};

/** The gateway's own socket. */
export class Control extends WorkerEntrypoint {
  async fetch(request) {
    ({ listening } = await request.json());
    return Response.json({});
  }
}
