// What one process knows of objects and their owners. Built once, by the extension module; the modules beside the
// user's code find it through a symbol on globalThis, which both share.

import initial from "gateway:initial";
import { ownerOf, tableOf } from "gateway:ownership";
import diagnostics from "node-internal:diagnostics_channel";

const KEY = Symbol.for("gateway.state");
const WAIT_LIMIT_MS = 30_000;
const POLL_MS = 2;

class State {
  constructor({ worker, version, address, tables }) {
    this.worker = worker;
    this.version = version;
    this.address = address;
    this.tables = {};
    for (const [name, table] of Object.entries(tables)) this.tables[name] = tableOf(table);
    this.next = null; // table of the deployment that is being made
    this.namespaces = {}; // unique key -> native namespace
    this.debug = null;
    this.touched = new Map(); // "key:id" -> name, since the gateway last asked
    this.sockets = new Set(); // "key:id" of objects that accepted a WebSocket: they can hibernate with it
    this.admin = new Set(); // "key:id" of objects that the gateway is moving
  }

  /** Follow another table of a Worker. */
  follow(worker, table) {
    this.tables[worker] = tableOf(table);
  }

  prepare(next) {
    this.next = tableOf(next);
  }

  commit() {
    if (this.next !== null) this.tables[this.worker] = this.next;
    this.next = null;
  }

  cancel() {
    this.next = null;
  }

  owner(id) {
    return ownerOf(this.tables[this.worker], id);
  }

  isMoving(id) {
    return this.next !== null && ownerOf(this.next, id) !== this.owner(id);
  }

  runsHere(id) {
    return this.owner(id) === this.version && !this.isMoving(id);
  }

  touch(key, id, name) {
    this.touched.set(`${key}:${id}`, name ?? this.touched.get(`${key}:${id}`) ?? null);
  }

  /** Put a message into the trace of the invocation that runs; it shows nowhere else. */
  tell(channel, message) {
    if (diagnostics.publishToTracer) diagnostics.publishToTracer(channel, message);
    else diagnostics.channel(channel).publish(message);
  }

  /** Wait until the object's move is over. A promise of another request must not be awaited here, so it polls. */
  async settled(id) {
    for (let waited = 0; this.isMoving(id); waited += POLL_MS) {
      if (waited > WAIT_LIMIT_MS)
        throw new Error("The Durable Object is being moved to another version for too long.");
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** Entrypoint of the process that runs the object, by way of its debug port. */
  remote(worker, version, key, id, name) {
    // Tables name only versions that may own objects; calls wait for a move in any version's process, so in this one.
    const here = worker === this.worker && version === this.version;
    const address = here ? this.address : this.tables[worker]?.addresses[version];
    if (address === undefined)
      throw new Error(`Worker "${worker}" has no version that can run this Durable Object now.`);
    return this.debug.connect(address).getEntrypoint("user", "__GatewayObject", { key, id, name: name ?? null });
  }
}

export const state = new State(initial);
Object.defineProperty(globalThis, KEY, { value: state, enumerable: false });
