// A version looks the same wherever it is named: its label, and a colour that goes by its number.

import { shortId } from "./format.js";
import { computed } from "./lib.js";
import { workers } from "./live.js";

export const COLOURS = 8;

const byId = computed(
  () => new Map(workers.value.flatMap((worker) => worker.versions.map((one) => [one.id, one]))),
);

/** Returns a version of any Worker by its id. */
export const versionOf = (id) => byId.value.get(id);

export const labelOf = (version) => version.tag || shortId(version.id);

/** Returns the number of a version's colour, 1 to COLOURS; 0 for one that nobody knows any more. */
export function colourOf(id) {
  const version = versionOf(id);
  return version ? ((version.number - 1) % COLOURS) + 1 : 0;
}

export const workerOf = (name) => workers.value.find((one) => one.name === name);

/** Returns the ranges on [0, 100) that a deployment's versions have, in their order. */
export function rangesOf(shares) {
  let low = 0;
  return shares.map((share) => {
    const range = { ...share, low, high: low + share.percentage };
    low = range.high;
    return range;
  });
}

/** Returns the parts of [0, 100) whose version changes, as `{low, high}`. */
export function movedRanges(before, after) {
  const [old, next] = [rangesOf(before), rangesOf(after)];
  const borders = [...new Set([0, ...old.map((one) => one.high), ...next.map((one) => one.high)])].sort(
    (a, b) => a - b,
  );
  const at = (ranges, point) => ranges.find((one) => one.low <= point && point < one.high)?.version_id;
  const moved = [];
  for (let index = 1; index < borders.length; index += 1) {
    const [low, high] = [borders[index - 1], borders[index]];
    const middle = (low + high) / 2;
    if (high - low > 1e-9 && at(old, middle) !== at(next, middle)) {
      const last = moved.at(-1);
      if (last && Math.abs(last.high - low) < 1e-9) last.high = high;
      else moved.push({ low, high });
    }
  }
  return moved;
}
