// Extension module behind env.<NAMESPACE>: the version that runs an object is picked at each call, not at get().

import { ownerOf } from "gateway:ownership";
import { state } from "gateway:state";

// R57: what a stub says for good once its object was moved.
const GONE =
  "Connection closed: this Durable Object instance is no longer active. Reconnect or retry the request.";

// Only a name for the stub: structured clone then refuses it, as it refuses a native one.
class DurableObject {}

function target(space, id, options, seen) {
  const sid = String(id);
  const own = space.worker === state.worker;
  if (!own && !state.tables[space.worker]) {
    throw new TypeError("No such Durable Objects class: it was deleted, or its Worker has no active deployment.");
  }
  const owner = own ? state.owner(sid) : ownerOf(state.tables[space.worker], sid);
  const moving = own && state.isMoving(sid);
  if (seen.owner !== undefined && (moving || seen.owner !== owner)) {
    seen.gone = true;
  }
  if (seen.gone) {
    const error = new Error(GONE);
    error.retryable = true;
    error.remote = true;
    throw error;
  }
  if (!moving) seen.owner = owner;
  if (own && !moving && owner === state.version) {
    state.touch(space.key, sid, id.name);
    return space.native.get(id, options);
  }
  return state.remote(space.worker, moving ? state.version : owner, space.key, sid, id.name);
}

function stubFor(space, id, options) {
  const seen = {};
  const pick = () => target(space, id, options, seen);
  // What a stub must throw, a caller meets as a rejected promise.
  const attempt = (act) => {
    try {
      return act(pick());
    } catch (error) {
      return Promise.reject(error);
    }
  };
  return new Proxy(new DurableObject(), {
    get(_stub, property) {
      if (property === "id") return id;
      if (property === "name") return id.name;
      if (property === "constructor") return DurableObject;
      if (property === Symbol.toStringTag) return "DurableObject";
      if (property === "then" || typeof property === "symbol") return undefined;
      if (property === "dup") return () => stubFor(space, id, options);
      if (property === "fetch") return (input, init) => attempt((stub) => stub.fetch(input, init));
      if (property === "connect") return (...args) => pick().connect(...args);
      return new Proxy(() => {}, {
        apply: (_function, _this, args) => attempt((stub) => stub[property](...args)),
        get: (_function, inner) => {
          const value = attempt((stub) => stub[property]);
          const found = Reflect.get(value, inner);
          return typeof found === "function" ? found.bind(value) : found;
        },
      });
    },
    set: () => false,
  });
}

function wrap(space) {
  return new Proxy(space.native, {
    get(native, property) {
      if (property === "get" || property === "getExisting") return (id, options) => stubFor(space, id, options);
      if (property === "getByName") return (name, options) => stubFor(space, native.idFromName(name), options);
      // workerd has no jurisdictions: all of them are this machine, and ids are the same in each.
      if (property === "jurisdiction") return () => wrap(space);
      if (property === "newUniqueId") return () => native.newUniqueId();
      const value = Reflect.get(native, property, native);
      return typeof value === "function" ? value.bind(native) : value;
    },
  });
}

export default function (env) {
  state.debug = env.debug;
  if (env.worker === state.worker) state.namespaces[env.key] = env.namespace;
  return wrap({ worker: env.worker, key: env.key, native: env.namespace });
}
