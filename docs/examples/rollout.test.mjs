// Tests of a rollout with Node's own test runner, against a gateway that runs: node --test docs/examples/rollout.test.mjs
// GATEWAY_CONTROL names its API, where it is not at the default address.

import assert from "node:assert/strict";
import { test } from "node:test";

const CONTROL = process.env.GATEWAY_CONTROL ?? "http://127.0.0.1:8788";

/** Plays a scenario and returns its report; a gateway plays one at a time, and so does a file of tests. */
async function play(scenario) {
  const response = await fetch(`${CONTROL}/api/test/scenario`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ worker: "shop", seed: 7, ...scenario }),
  });
  const answer = await response.json();
  assert.ok(response.ok, `${answer.error?.message} ${answer.error?.remedy}`);
  return answer;
}

test("one visitor in ten sees v2, and everybody's pages are whole", async () => {
  const report = await play({
    name: "10% with a key",
    steps: [
      { deploy: { v1: 90, v2: 10 } },
      { requests: { path: "/", count: 200, keys: 200, sessions: 200, files: true, expect: { status: 200 } } },
      { expect: { split: { v1: 90, v2: 10 }, no_skew: true, broken_files_at_most: 0 } },
    ],
  });

  assert.deepEqual(report.failures, []);
});

test("without a key pages break, and the report says why", async () => {
  const report = await play({
    name: "50% without a key",
    steps: [{ deploy: { v1: 50, v2: 50 } }, { requests: { path: "/", count: 30, files: true } }],
  });
  const broken = report.skew.find((one) => one.kind === "asset_skew");

  assert.equal(broken.cause, "no-key");
  assert.match(broken.remedy, /Cloudflare-Workers-Version-Key/);
});

test("a cart of v1 is refused by v2", async () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the scenario fills in what it has saved
  const form = { state: "${cart}", Mug: "1" };
  const report = await play({
    name: "a switch in the middle of a checkout",
    steps: [
      { deploy: { v1: 100 } },
      {
        flow: {
          session: "anna",
          steps: [
            { request: { path: "/cart", save: { cart: "field:state" } } },
            { deploy: { v2: 100 } },
            { request: { method: "POST", path: "/cart", form, expect: { status: 409, contains: "made by v1" } } },
          ],
        },
      },
    ],
  });

  assert.deepEqual(report.failures, []);
});
