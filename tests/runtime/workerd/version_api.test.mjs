// version_api.js: ctx.version comes from the gateway's header, which the Worker does not see (R109).

import assert from "node:assert/strict";
import { test } from "node:test";
import { withVersion } from "../../../gateway/runtime/workerd/js/version_api.js";

const HEADER = "x-gateway-version";
const VERSION = { cohort: "team", metadata: { id: "b", tag: "v2" } };
const asked = (headers = {}) =>
  new Request("http://shop.localhost/path", { method: "POST", body: "text", headers });
const show = async (request, ctx) => ({
  version: ctx.version,
  header: request.headers.get(HEADER),
  text: await request.text(),
});

test("a handler finds the version in ctx, and no header", async () => {
  const worker = withVersion({ fetch: (request, _env, ctx) => show(request, ctx) });
  const told = await worker.fetch(asked({ [HEADER]: JSON.stringify(VERSION) }), {}, {});
  assert.deepEqual(told, { version: VERSION, header: null, text: "text" });
});

test("a class finds it in this.ctx", async () => {
  class Worker {
    ctx = {};
    fetch(request) {
      return show(request, this.ctx);
    }
  }
  const told = await new (withVersion(Worker))().fetch(asked({ [HEADER]: JSON.stringify(VERSION) }));
  assert.deepEqual(told, { version: VERSION, header: null, text: "text" });
});

test("a request that carries nothing is handed on as it is", () => {
  const request = asked();
  const ctx = {};
  withVersion({ fetch: (met) => assert.equal(met, request) }).fetch(request, {}, ctx);
  assert.ok(!("version" in ctx));
});

test("other handlers stay, and a Worker without fetch is left alone", () => {
  const scheduled = () => "fired";
  assert.equal(withVersion({ fetch() {}, scheduled }).scheduled(), "fired");
  const only = { scheduled };
  assert.equal(withVersion(only), only);
  assert.equal(withVersion(undefined), undefined);
});

test("nobody can change it", async () => {
  const ctx = {};
  await withVersion({ fetch: () => {} }).fetch(asked({ [HEADER]: JSON.stringify(VERSION) }), {}, ctx);
  assert.throws(() => {
    ctx.version.cohort = "other";
  }, TypeError);
});
