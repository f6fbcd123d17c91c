// Beside the user's modules: how other processes and the gateway reach this one.

import { WorkerEntrypoint } from "cloudflare:workers";

const ADMIN = "x-gateway-admin";
const OBJECT = "x-gateway-object";
const AT_ONCE = 32;
const HANDLERS = new Set([
  "alarm",
  "tail",
  "trace",
  "scheduled",
  "queue",
  "test",
  "email",
  "then",
  "tailStream",
  "webSocketMessage",
  "webSocketClose",
  "webSocketError",
]);

const state = () => globalThis[Symbol.for("gateway.state")];

function nativeStub(key, id, name) {
  const S = state();
  const namespace = S.namespaces[key];
  if (!namespace) throw new TypeError(`No such Durable Objects class: this version has no namespace "${key}".`);
  S.touch(key, id, name);
  const named = name === null ? null : namespace.idFromName(name);
  return namespace.get(named !== null && String(named) === id ? named : namespace.idFromString(id));
}

/** Calls of objects that other versions' processes make, and of this one's own while an object moves. */
export class ObjectCalls extends WorkerEntrypoint {
  constructor(ctx, env) {
    super(ctx, env);
    return new Proxy(this, {
      get(target, property) {
        if (property === "fetch") return (request) => target.stub().then((stub) => stub.fetch(request));
        if (typeof property === "symbol" || property === "constructor" || HANDLERS.has(property)) {
          return typeof property === "symbol" ? Reflect.get(target, property) : undefined;
        }
        // A native property serves calls, reads and pipelining alike; wrapped in a function it would not.
        const now = target.stubNow();
        return now ? now[property] : (...args) => target.stub().then((stub) => stub[property](...args));
      },
    });
  }

  stubNow() {
    const { key, id, name } = this.ctx.props;
    const S = state();
    if (S.isMoving(id)) return null;
    return S.owner(id) === S.version ? nativeStub(key, id, name) : S.remote(S.worker, S.owner(id), key, id, name);
  }

  async stub() {
    const S = state();
    for (;;) {
      await S.settled(this.ctx.props.id);
      const now = this.stubNow();
      if (now) return now;
    }
  }
}

/** Requests that the edge sends to an object: /cdn-cgi/gateway/do/<worker>/<class>/<name>/<path>. */
export class ObjectRequests extends WorkerEntrypoint {
  async fetch(request) {
    const { key, name } = JSON.parse(request.headers.get(OBJECT));
    const S = state();
    const id = S.namespaces[key].idFromName(name);
    const headers = new Headers(request.headers);
    headers.delete(OBJECT);
    const inner = new Request(request, { headers });
    const sid = String(id);
    await S.settled(sid);
    const stub = S.runsHere(sid) ? nativeStub(key, sid, name) : S.remote(S.worker, S.owner(sid), key, sid, name);
    return stub.fetch(inner);
  }
}

function administer(key, id, message) {
  const namespace = state().namespaces[key];
  const body = JSON.stringify(message);
  return namespace
    .get(namespace.idFromString(id))
    .fetch("http://gateway/", { method: "POST", headers: { [ADMIN]: "1" }, body });
}

/** Do something to objects while nobody else can reach them; returns what went wrong, by "key:id". */
async function withObjects(objects, act) {
  const S = state();
  const trouble = {};
  for (let start = 0; start < objects.length; start += AT_ONCE) {
    await Promise.all(
      objects.slice(start, start + AT_ONCE).map(async (object) => {
        const whole = `${object.key}:${object.id}`;
        S.admin.add(whole);
        try {
          await act(object);
        } catch (error) {
          trouble[whole] = String(error);
        } finally {
          S.admin.delete(whole);
        }
      }),
    );
  }
  return trouble;
}

async function release({ key, id }) {
  state().sockets.delete(`${key}:${id}`);
  // Ending an object fails the call that asks for it.
  await administer(key, id, { op: "release" }).catch(() => {});
}

async function adopt({ key, id, alarm }) {
  await administer(key, id, { op: "adopt", alarm });
  await abort({ key, id });
}

async function abort({ key, id }) {
  state().sockets.delete(`${key}:${id}`);
  // Ending an object fails the call that asks for it.
  await administer(key, id, { op: "abort" }).catch(() => {});
}

/** The gateway's own socket. */
export class Control extends WorkerEntrypoint {
  async fetch(request) {
    const message = await request.json();
    return Response.json(await this[`on_${message.op}`](message));
  }

  on_ping() {
    return {};
  }

  on_collect() {
    const S = state();
    const touched = [...S.touched];
    S.touched.clear();
    return { touched };
  }

  on_prepare({ next }) {
    const S = state();
    S.prepare(next);
    return { ...this.on_collect(), sockets: [...S.sockets] };
  }

  async on_abort({ objects }) {
    return { trouble: await withObjects(objects, abort) };
  }

  async on_release({ objects }) {
    return { trouble: await withObjects(objects, release) };
  }

  async on_adopt({ objects }) {
    return { trouble: await withObjects(objects, adopt) };
  }

  on_commit() {
    state().commit();
    return {};
  }

  on_cancel() {
    state().cancel();
    return {};
  }

  on_tables({ tables }) {
    for (const [worker, table] of Object.entries(tables)) state().follow(worker, table);
    return {};
  }
}
