// Service bindings: another Worker's version is drawn per call (R64). A request that carries a signal is decided by
// the gateway (R65); a call by RPC carries no headers, so none (R67).

import { WorkerEntrypoint } from "cloudflare:workers";

const SIGNALS = [
  "cloudflare-workers-version-overrides",
  "cloudflare-workers-version-key",
  "cloudflare-workers-cohort",
];

let services; // {worker: {split: [[version id, upper bound], ...], addresses: {version id: address}}}
let random;

/** Draws on [0, 1): mulberry32 where a seed makes runs repeatable, else chance. */
export function drawsFrom(seed) {
  if (seed === null) return Math.random;
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function setUp(env) {
  services ??= env.SERVICES;
  random ??= drawsFrom(env.SEED);
}

export class Service extends WorkerEntrypoint {
  constructor(ctx, env) {
    super(ctx, env);
    setUp(env);
    return new Proxy(this, {
      get(target, property) {
        if (typeof property === "symbol" || property in target) return Reflect.get(target, property);
        return target.at(target.draw())[property];
      },
    });
  }

  service() {
    const { worker } = this.ctx.props;
    const service = services[worker];
    if (!service) throw new Error(`Worker "${worker}" has no active deployment on this gateway.`);
    return service;
  }

  draw() {
    const point = random() * 100;
    const { split } = this.service();
    return (split.find(([, high]) => point < high) ?? split.at(-1))[0];
  }

  at(version) {
    const { worker, entrypoint, props } = this.ctx.props;
    const address = this.service().addresses[version];
    if (!address) return this.elsewhere(worker, version);
    return this.env.DEBUG.connect(address).getEntrypoint("user", entrypoint ?? undefined, props ?? {});
  }

  /** A version that workerd does not run: requests reach it through the edge, calls by RPC do not. */
  elsewhere(worker, version) {
    const fetch = (request) => {
      const url = new URL(request.url);
      const headers = new Headers(request.headers);
      headers.set("cloudflare-workers-version-overrides", `${worker}="${version}"`);
      const there = new URL(url.pathname + url.search, `http://${worker}.localhost`);
      return this.env.EDGE.fetch(new Request(there, new Request(request, { headers })));
    };
    const refused = () => {
      throw new Error(`Worker "${worker}" does not run on workerd: it can be reached by fetch() only.`);
    };
    return new Proxy({ fetch }, { get: (target, property) => target[property] ?? refused });
  }

  async fetch(request) {
    const signals = SIGNALS.filter((name) => request.headers.has(name));
    const version = signals.length > 0 ? await this.decide(signals, request.headers) : this.draw();
    return this.at(version).fetch(request);
  }

  async decide(signals, headers) {
    const said = Object.fromEntries(signals.map((name) => [name, headers.get(name)]));
    const body = JSON.stringify({ worker: this.ctx.props.worker, headers: said });
    const answer = await this.env.GATEWAY.fetch("http://gateway/decide", { method: "POST", body });
    const { version } = await answer.json();
    return version ?? this.draw();
  }
}

/** The gateway's own socket. */
export class Control extends WorkerEntrypoint {
  async fetch(request) {
    services = await request.json();
    return Response.json({});
  }
}

export default { fetch: () => new Response("not here", { status: 404 }) };
