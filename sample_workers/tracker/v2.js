// Version 2 of the tracker: it also remembers when an object was visited last.
//
// While both versions are deployed, its handler may call an object that still runs version 1, and the handler of
// version 1 an object that runs this one. So `visit` keeps its name and what it returned; it only returns more.
import { DurableObject } from "cloudflare:workers";

const EDITION = "second edition";

export class VersionTracker extends DurableObject {
  sinceStart = 0;

  async visit() {
    const visits = (this.ctx.storage.kv.get("visits") ?? 0) + 1;
    const lastVisit = this.ctx.storage.kv.get("lastVisit") ?? null; // objects from version 1 have none yet
    this.ctx.storage.kv.put("visits", visits);
    this.ctx.storage.kv.put("lastVisit", new Date().toISOString());
    this.sinceStart += 1;
    console.log(`visit ${visits} of ${this.ctx.id.name ?? this.ctx.id}`);
    return { edition: EDITION, version: labelOf(this.env), visits, sinceStart: this.sinceStart, lastVisit };
  }
}

export default {
  async fetch(request, env) {
    const name = nameIn(request);
    if (name === "") {
      return new Response(help(new URL(request.url).origin), { headers: { "Content-Type": "text/plain" } });
    }
    const object = await env.TRACKER.getByName(name).visit();
    const greeting = object.lastVisit ? `${name} was here ${object.lastVisit}` : `${name} is new to us`;
    return Response.json({ worker: { edition: EDITION, version: labelOf(env) }, name, greeting, object });
  },

  async scheduled(event) {
    console.log(`cron ${event.cron} on the ${EDITION}`);
  },
};

function nameIn(request) {
  return decodeURIComponent(new URL(request.url).pathname.slice(1));
}

/** What people call the version that this code runs as: its tag, or the short id. */
function labelOf(env) {
  return env.CF_VERSION_METADATA.tag || env.CF_VERSION_METADATA.id.slice(0, 8);
}

function help(origin) {
  return `The tracker, ${EDITION}. Visit ${origin}/foo, ${origin}/bar or any other name.\n`;
}
