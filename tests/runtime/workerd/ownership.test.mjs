// ownership.js decides as gateway/routing does: the examples of ownership.json, which test_workerd_ownership.py reads too.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ownerOf, pointOf, tableOf } from "../../../gateway/runtime/workerd/js/ownership.js";

const CASES = JSON.parse(readFileSync(new URL("ownership.json", import.meta.url), "utf-8"));

for (const { why, table, objects } of CASES) {
  test(why, () => {
    for (const { id, point, owner } of objects) {
      assert.equal(pointOf(id), point, id);
      assert.equal(ownerOf(tableOf(table), id), owner, id);
    }
  });
}
