// Which version owns a Durable Object: the same decision as gateway/routing, held to one table of examples
// (tests/runtime/workerd/ownership.json).

const SCALE = 100 / 2 ** 32;

/** Place of an object on [0, 100): the first 32 bits of its id (R48). */
export function pointOf(id) {
  return Number.parseInt(id.slice(0, 8), 16) * SCALE;
}

/**
 * What the gateway sends, made quick to look up.
 * @param split [[version id, upper bound], ...] in listed order; the last bound is 100.
 * @param exceptions {version id: [object ids]}: objects that run elsewhere than their point says.
 * @param addresses {version id: address of its debug port}.
 */
export function tableOf({ split, exceptions, addresses }) {
  const held = new Map();
  for (const [version, ids] of Object.entries(exceptions)) for (const id of ids) held.set(id, version);
  return { split, held, addresses };
}

/** Version that runs the object with this id under a table. */
export function ownerOf(table, id) {
  const held = table.held.get(id);
  if (held !== undefined) return held;
  const point = pointOf(id);
  for (const [version, high] of table.split) if (point < high) return version;
  return table.split.at(-1)?.[0];
}
