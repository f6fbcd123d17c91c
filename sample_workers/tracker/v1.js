// Version 1 of the tracker: each name is a Durable Object that counts its visits and says which version runs it.
import { DurableObject } from "cloudflare:workers";

const EDITION = "first edition";

export class VersionTracker extends DurableObject {
  sinceStart = 0; // memory: gone when the object is reset, as when its version changes

  async visit() {
    const visits = (this.ctx.storage.kv.get("visits") ?? 0) + 1;
    this.ctx.storage.kv.put("visits", visits); // storage: kept, whichever version runs the object
    this.sinceStart += 1;
    console.log(`visit ${visits} of ${this.ctx.id.name ?? this.ctx.id}`);
    return { edition: EDITION, version: labelOf(this.env), visits, sinceStart: this.sinceStart };
  }
}

export default {
  async fetch(request, env) {
    const name = nameIn(request);
    if (name === "") {
      return new Response(help(new URL(request.url).origin), { headers: { "Content-Type": "text/plain" } });
    }
    const object = await env.TRACKER.getByName(name).visit();
    return Response.json({ worker: { edition: EDITION, version: labelOf(env) }, name, object });
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
