// Beside the user's modules: what stands around each Durable Object class. It keeps an object from running where it
// does not belong, and lets the gateway end it and hand its alarm over.

import { DurableObject } from "cloudflare:workers";

const ADMIN = "x-gateway-admin";
const EVENTS = new Set(["fetch", "alarm", "webSocketMessage", "webSocketClose", "webSocketError"]);

// R56, R57.
const RESET = "Durable Object reset because its code was updated.";
const SOCKET_RESET = "Durable Object connection closed because the object was reset.";

const state = () => globalThis[Symbol.for("gateway.state")];

/**
 * Schedule an object's alarm here, not before a time. Whether it has one its own database says: what the old owner's
 * scheduler knew may have fired a moment ago.
 */
async function adopt(storage, notBefore) {
  const due = await storage.getAlarm();
  if (due === null) return;
  const time = Math.max(due, notBefore);
  // Setting the very time that the database has would not reach the scheduler.
  await storage.setAlarm(time + 1);
  await storage.sync();
  await storage.setAlarm(time);
  await storage.sync();
}

async function administer(ctx, request) {
  const { op, alarm } = await request.json();
  switch (op) {
    case "release":
      await ctx.storage.sync();
      ctx.abort(RESET);
      break;
    case "adopt":
      await adopt(ctx.storage, alarm);
      break;
    case "abort":
      ctx.abort(RESET);
  }
  return new Response();
}

/** Stands in for the user's object while the gateway moves it. */
class Admin extends DurableObject {
  fetch(request) {
    return administer(this.ctx, request);
  }

  alarm() {
    throw new Error("the object is being moved");
  }
}

/** workerd's trace has no exception of an object's RPC method: only its caller is told. */
function report(error) {
  const { name, message, stack } = error instanceof Error ? error : { name: "Error", message: String(error) };
  state().tell("gateway.exception", { name, message, stack });
}

function reporting(method, target) {
  return (...args) => {
    let result;
    try {
      result = method.apply(target, args);
    } catch (error) {
      report(error);
      throw error;
    }
    if (!(result instanceof Promise)) return result;
    return result.catch((error) => {
      report(error);
      throw error;
    });
  };
}

/** The user's object as workerd sees it; inside, `this` is the object itself. */
function guarded(object, ctx, key) {
  const methods = new Map();
  return new Proxy(object, {
    get(target, property) {
      const value = Reflect.get(target, property, target);
      if (typeof value !== "function" || typeof property === "symbol" || property === "constructor") {
        if (property !== "fetch") return value;
      }
      let method = methods.get(property);
      if (!method || method.of !== value) {
        const call = EVENTS.has(property) ? (...args) => value.apply(target, args) : reporting(value, target);
        method = { of: value, call: property === "fetch" ? administered(value && call, ctx, key) : call };
        methods.set(property, method);
      }
      return method.call;
    },
  });
}

function administered(fetch, ctx, key) {
  return (request, ...rest) => {
    const { admin } = state();
    if (admin.size > 0 && admin.has(key) && request.headers.has(ADMIN)) return administer(ctx, request);
    if (!fetch) throw new TypeError("Handler does not export a fetch() function.");
    return fetch(request, ...rest);
  };
}

/**
 * An object that was started where it does not belong: through ctx.exports, or by an alarm that it left behind when it
 * moved. It passes calls on; the alarm goes nowhere, since the object took it along.
 */
function elsewhere(ctx, key, id) {
  const S = state();
  const there = () => S.remote(S.worker, S.owner(id), key, id, ctx.id.name);
  const events = {
    fetch: administered((request) => there().fetch(request), ctx, `${key}:${id}`),
    alarm: () => {},
    webSocketMessage: (socket) => socket.close(1012, SOCKET_RESET),
    webSocketClose: () => {},
    webSocketError: () => {},
  };
  return new Proxy(
    {},
    {
      get(_target, property) {
        if (Object.hasOwn(events, property)) return events[property];
        if (typeof property === "symbol" || property === "then") return undefined;
        // A native property serves calls, reads and pipelining alike; wrapped in a function it would not.
        return there()[property];
      },
    },
  );
}

/**
 * Wrap a class that the user exports.
 * @param name Name it is bound by. @param key Unique key of its namespace.
 */
export function wrapClass(name, key, User) {
  if (typeof User !== "function") return missing(name);
  const Wrapped = class extends User {
    constructor(ctx, env) {
      const S = state();
      const id = String(ctx.id);
      const whole = `${key}:${id}`;
      if (S.admin.has(whole)) return new Admin(ctx, env);
      if (S.isMoving(id)) {
        // At once, or its file would be open while it is handed over. An alarm is tried again by workerd.
        ctx.abort(RESET);
        throw new Error(RESET);
      }
      if (S.owner(id) !== S.version) return elsewhere(ctx, key, id);
      S.touch(key, id, ctx.id.name);
      noteSockets(ctx, whole);
      super(ctx, env);
      return guarded(this, ctx, whole);
    }
  };
  Object.defineProperty(Wrapped, "name", { value: User.name });
  return Wrapped;
}

function noteSockets(ctx, whole) {
  const accept = ctx.acceptWebSocket;
  Object.defineProperty(ctx, "acceptWebSocket", {
    value: (...args) => {
      state().sockets.add(whole);
      return accept.apply(ctx, args);
    },
    configurable: true,
  });
}

// R54: a version that does not have the class may still be asked for it.
function missing(name) {
  return class extends DurableObject {
    constructor(ctx, env) {
      super(ctx, env);
      throw new TypeError(`No such Durable Objects class: this version does not export "${name}".`);
    }
  };
}
