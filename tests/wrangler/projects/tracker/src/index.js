// Tells which version runs where: that of the handler, and that of the Durable Object it calls.

import { DurableObject } from "cloudflare:workers";

export class VersionTracker extends DurableObject {
  #memoryCount = 0;

  constructor(ctx, env) {
    super(ctx, env);
    ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS calls (version TEXT NOT NULL)");
  }

  /** What this instance is, and how often it was asked: since it was made, and ever. */
  info() {
    const { sql } = this.ctx.storage;
    const version = this.env.CF_VERSION_METADATA.id;
    this.#memoryCount += 1;
    sql.exec("INSERT INTO calls VALUES (?)", version);
    const storedCount = sql.exec("SELECT count(*) AS calls FROM calls").one().calls;
    return { id: this.ctx.id.toString(), version, memoryCount: this.#memoryCount, storedCount };
  }

  refuse(text) {
    throw new RangeError(`as asked: ${text}`);
  }

  async wake() {
    await this.ctx.storage.setAlarm(Date.now());
  }

  alarm() {
    console.log("alarm", this.ctx.id.toString());
  }
}

const trackerOf = (env, name) => env.TRACKERS.get(env.TRACKERS.idFromName(name));

const pages = {
  /** Without any object. */
  version: (env) => ({ version: env.CF_VERSION_METADATA, release: env.RELEASE, token: env.TOKEN ?? null }),

  /** The object of a name, as one caller among others sees it. */
  async o(env, name) {
    return { handler: env.CF_VERSION_METADATA.id, object: await trackerOf(env, name).info() };
  },

  /** An exception in the object that its caller catches. */
  async refuse(env, name) {
    const said = await trackerOf(env, name)
      .refuse(name)
      .catch((error) => error.message);
    return { said };
  },

  /** An alarm that is due now. */
  async wake(env, name) {
    await trackerOf(env, name).wake();
    return { woken: name };
  },

  /** Something to read in `wrangler tail`. */
  log(env, text) {
    console.log("page", text, { release: env.RELEASE });
    return { logged: text };
  },

  /** An exception that nobody catches. */
  fail(_, text) {
    throw new TypeError(`as asked: ${text}`);
  },
};

export default {
  async fetch(request, env) {
    const [page, argument] = new URL(request.url).pathname.slice(1).split("/");
    if (!Object.hasOwn(pages, page)) return new Response("There is no such page.\n", { status: 404 });
    return Response.json(await pages[page](env, decodeURIComponent(argument ?? "")));
  },

  async scheduled(event) {
    console.log("cron", event.cron);
  },
};
