// The libraries, under the names that our files use.

import htm from "./vendor/htm.mjs";
import { h } from "./vendor/preact.mjs";
import "./vendor/signals.mjs"; // lets components follow the signals that they read

export {
  useCallback,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "./vendor/hooks.mjs";
export { Component, Fragment, render } from "./vendor/preact.mjs";
export { batch, computed, effect, signal } from "./vendor/signals-core.mjs";

/** Markup as a tagged template. What stands in it is set as text or property, never read as HTML. */
export const html = htm.bind(h);
