// The Worker that most tests of workerd deploy, the same code in every version: which version runs is told by
// env.VERSION, its version_metadata binding.
//
//   /rpc?ns=COUNTER&name=x&do=look&args=[]   call an object's method
//   /try/<what>?name=x                       one way to use an object, see WAYS
//   /object/<path>?name=x                    the request itself goes to the object, WebSockets too

import { DurableObject, env as globalEnv, RpcTarget, WorkerEntrypoint } from "cloudflare:workers";

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class Chain extends RpcTarget {
  constructor(text) {
    super();
    this.text = text;
  }
  get shown() {
    return `shown ${this.text}`;
  }
  next(word) {
    return new Chain(`${this.text}>${word}`);
  }
  value() {
    return this.text;
  }
}

export class Counter extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.memoryCount = 0;
    this.token = crypto.randomUUID();
    ctx.blockConcurrencyWhile(async () => {
      const { sql } = ctx.storage;
      sql.exec("CREATE TABLE IF NOT EXISTS uses (n INTEGER)");
      sql.exec("CREATE TABLE IF NOT EXISTS fired (version TEXT, due INTEGER)");
      this.storedCount = sql.exec("SELECT count(*) n FROM uses").one().n;
      if (env.WITNESS) await this.tell("begin");
    });
  }

  get version() {
    return this.env.VERSION.id;
  }

  look() {
    return {
      id: String(this.ctx.id),
      name: this.ctx.id.name ?? null,
      version: this.version,
      memoryCount: this.memoryCount,
      storedCount: this.storedCount,
      token: this.token,
    };
  }

  count() {
    this.memoryCount += 1;
    this.ctx.storage.sql.exec("INSERT INTO uses VALUES (1)");
    this.storedCount = this.ctx.storage.sql.exec("SELECT count(*) n FROM uses").one().n;
    return this.look();
  }

  async countBeforeWitness() {
    const counted = this.count();
    await this.tell("use");
    return counted;
  }

  // What is sent waits until what was written is safe on disk (workerd's output gate).
  async tell(what) {
    const told = new URLSearchParams({ what, ...this.look() });
    await (await fetch(`${this.env.WITNESS}/?${told}`)).text();
  }

  async arm(ms) {
    await this.ctx.storage.setAlarm(Date.now() + ms);
    return this.ctx.storage.getAlarm();
  }
  armedAt() {
    return this.ctx.storage.getAlarm();
  }
  alarm() {
    this.ctx.storage.sql.exec("INSERT INTO fired VALUES (?, ?)", this.version, Date.now());
  }
  fired() {
    return this.ctx.storage.sql
      .exec("SELECT version FROM fired")
      .toArray()
      .map(({ version }) => version);
  }

  async slow(ms) {
    this.memoryCount += 1;
    await sleep(ms);
    return this.version;
  }
  chain() {
    return new Chain(this.version);
  }
  add(a, b) {
    return a + b;
  }
  async callBack(back) {
    return `${this.version} got ${await back("ping")}`;
  }
  fail(message) {
    const error = new RangeError(message);
    error.code = 418;
    throw error;
  }
  stream() {
    return new Response("one two three").body;
  }
  async length(stream) {
    return (await new Response(stream).arrayBuffer()).byteLength;
  }
  async askOther(name) {
    return { here: this.version, there: (await this.env.COUNTER.getByName(name).look()).version };
  }
  sockets() {
    return this.ctx.getWebSockets("tagged").length;
  }
  fill(bytes) {
    this.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS filling (data BLOB)");
    this.ctx.storage.sql.exec("INSERT INTO filling VALUES (zeroblob(?))", bytes);
  }
  spin() {
    for (;;);
  }

  async fetch(request) {
    if (request.headers.get("upgrade") === "websocket") {
      const [ours, theirs] = Object.values(new WebSocketPair());
      this.ctx.acceptWebSocket(theirs, ["tagged"]);
      theirs.serializeAttachment({ born: this.version });
      return new Response(null, { status: 101, webSocket: ours });
    }
    const headers = Object.fromEntries(request.headers);
    const { method, url, cf } = request;
    return Response.json({ object: this.look(), method, url, headers, cf, body: await request.text() });
  }
  webSocketMessage(socket, message) {
    this.memoryCount += 1;
    const { version, memoryCount } = this;
    socket.send(JSON.stringify({ message, version, memoryCount, attachment: socket.deserializeAttachment() }));
  }
  webSocketClose(socket, code) {
    socket.close(code, "bye");
  }
}

// KV-backed where its migration says so, and without DurableObject as its base.
export class Plain {
  constructor(ctx, env) {
    this.held = ctx;
    this.version = env.VERSION.id;
    this.memoryCount = 0;
  }
  async fetch() {
    const storedCount = ((await this.held.storage.get("count")) ?? 0) + 1;
    await this.held.storage.put("count", storedCount);
    this.memoryCount += 1;
    const { version, memoryCount } = this;
    return Response.json({ version, memoryCount, storedCount, sql: sqlOf(this.held.storage) });
  }
}

function sqlOf(storage) {
  try {
    storage.sql.exec("SELECT 1");
    return true;
  } catch {
    return false;
  }
}

export class Named extends WorkerEntrypoint {
  whoami() {
    return { version: this.env.VERSION.id, props: this.ctx.props };
  }
  fetch(request) {
    return Response.json({ ...this.whoami(), url: request.url });
  }
}

const WAYS = {
  async fetch({ stub }) {
    const answer = await stub.fetch("http://inside/some/path?q=1", { method: "POST", body: "hello" });
    const { object, method, url, body } = await answer.json();
    return { version: object.version, method, url, body };
  },
  rpc: ({ stub }) => stub.add(2, 3),
  getter: ({ stub }) => stub.version,
  pipeline: ({ stub }) => stub.chain().next("a").next("b").value(),
  getterOfResult: ({ stub }) => stub.chain().next("a").shown,
  async dispose({ stub }) {
    using chain = await stub.chain();
    return chain.next("kept").value();
  },
  callback: ({ stub, env }) => stub.callBack(async (word) => `${word} from ${env.VERSION.id}`),
  streamOut: async ({ stub }) => new Response(await stub.stream()).text(),
  streamIn: ({ stub }) => stub.length(new Response("x".repeat(300_000)).body),
  async exception({ stub }) {
    try {
      return await stub.fail("told so");
    } catch (error) {
      const { name, message, code, remote } = error;
      return { name, message, code, remote, isRange: error instanceof RangeError };
    }
  },
  noSuchMethod: ({ stub }) => stub.nothing(),
  chainOfObjects: ({ stub, url }) => stub.askOther(url.searchParams.get("other")),
  importedEnv: ({ name }) => globalEnv.COUNTER.getByName(name).version,
  ctxExports: ({ ctx, name }) => ctx.exports.Counter.getByName(name).version,
  cohort: ({ env, name }) =>
    env.COUNTER.get(env.COUNTER.idFromName(name), { version: { cohort: "team" } }).version,
  async ids({ env, name }) {
    const { COUNTER } = env;
    const id = COUNTER.idFromName(name);
    const again = COUNTER.idFromString(String(id));
    const unique = COUNTER.newUniqueId();
    return {
      id: String(id),
      equal: id.equals(again) && !id.equals(unique),
      idName: id.name,
      stub: [String(COUNTER.get(id).id), COUNTER.get(id).name],
      byString: (await COUNTER.get(again).look()).id,
      unique: [String(unique), (await COUNTER.get(unique).look()).id, COUNTER.get(unique).name ?? null],
      kind: Object.prototype.toString.call(COUNTER.get(id)),
    };
  },
  async jurisdiction({ env, name }) {
    const europe = env.COUNTER.jurisdiction("eu");
    const unique = env.COUNTER.newUniqueId({ jurisdiction: "eu" });
    const met = [await europe.getByName(name).look(), await europe.get(unique).look()];
    return met.map(({ id }) => id).join() === [europe.idFromName(name), unique].join();
  },
  async plain({ env, name }) {
    return (await env.PLAIN.get(env.PLAIN.idFromName(name)).fetch("http://inside/")).json();
  },
  async useMany({ env, url }) {
    const count = Number(url.searchParams.get("count"));
    const uses = [];
    for (let number = 0; number < count; number += 1) uses.push(env.COUNTER.getByName(`many-${number}`).count());
    return (await Promise.all(uses)).filter(({ storedCount }) => storedCount === 1).length;
  },
  async keptStub({ stub, env, url }) {
    await stub.look();
    // The test makes the object move meanwhile.
    await (await fetch(`${url.searchParams.get("wait")}`)).text();
    const again = () =>
      stub.look().then(
        ({ version }) => version,
        ({ message }) => message,
      );
    const old = [await again(), await again()];
    return { old, fresh: await env.COUNTER.getByName(url.searchParams.get("name")).version };
  },
};

const PATHS = {
  async rpc(_request, env, url) {
    const { ns = "COUNTER", name = "x", do: method, args = "[]" } = Object.fromEntries(url.searchParams);
    return Response.json(await settled(() => env[ns].getByName(name)[method](...JSON.parse(args))));
  },
  async try(_request, env, url, ctx) {
    const name = url.searchParams.get("name") ?? "x";
    const stub = env.COUNTER.getByName(name);
    const way = WAYS[url.pathname.split("/")[2]];
    return Response.json(await settled(() => way({ stub, env, ctx, name, url })));
  },
  object: (request, env, url) => env.COUNTER.getByName(url.searchParams.get("name") ?? "x").fetch(request),
  async service(request, env, url) {
    const headers = new Headers(request.headers);
    const how = {
      rpc: () => env.NAMED.whoami(),
      fetch: async () => (await env.SERVICE.fetch("http://callee/version")).json(),
      forward: async () => (await env.SERVICE.fetch(new Request("http://callee/version", request))).json(),
      named: async () => (await env.NAMED.fetch("http://callee/there", { headers })).json(),
    }[url.pathname.split("/")[2]];
    return Response.json(await settled(how));
  },
  facts(request, env, _url, ctx) {
    const { VERSION, TEXT, JSON: json, SECRET } = env;
    const headers = Object.fromEntries(request.headers);
    const { cf } = request;
    const names = Object.keys(env).sort();
    return Response.json({
      VERSION,
      TEXT,
      json,
      SECRET,
      names,
      cf,
      headers,
      url: request.url,
      version: ctx.version,
    });
  },
  version: (_request, env) => Response.json({ result: env.VERSION.id, version: env.VERSION.id }),
  throw() {
    throw new TypeError("thrown by the handler");
  },
  spin() {
    for (;;);
  },
  async slow(_request, env, url) {
    await sleep(Number(url.searchParams.get("ms")));
    return new Response(env.VERSION.id);
  },
};

async function settled(act) {
  try {
    return { result: await act() };
  } catch (error) {
    const { name, message, remote = null, retryable = null } = error;
    return { error: message, name, remote, retryable };
  }
}

export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    const act = PATHS[url.pathname.split("/")[1]] ?? PATHS.version;
    const answer = await act(request, env, url, ctx);
    if (answer.status === 101) return answer;
    const shown = new Response(answer.body, answer);
    shown.headers.set("handler", env.VERSION.id);
    return shown;
  },
};
