// Where things lie in the picture of an incident: two requests, and the line that should not be there.

/** Below this width the requests stand one under the other. */
const SIDE_BY_SIDE = 620;
const WIDEST_CARD = 340;
const NARROWEST_GAP = 150;
const STEP_IN = 44;
const GAP_BELOW = 72;
const PADDING = 14;
const CARD_HEIGHT = 138;
const TITLE_HEIGHT = 22;

/** What one character takes, at the sizes of style/skew.css; the widest of the fonts that may be used. */
const MONO = 7.3;
const PLAIN = 6.9;

/** What the two requests are to each other, and what the line says, by the kind of incident. */
export const STORIES = {
  asset_skew: { name: "Asset skew", before: "The page", after: "The file it asks for", line: "its HTML names" },
  session_skew: { name: "Session skew", before: "The session", after: "The same session", line: "goes on with" },
  flow_skew: { name: "Flow skew", before: "One step", after: "The next step", line: "in the flow" },
  object_skew: { name: "Object skew", before: "The caller", after: "The Durable Object", line: "calls" },
  stale_tab: { name: "Stale tab", before: "The old page", after: "What it still calls", line: "still calls" },
};

export const KINDS = Object.keys(STORIES);

/** Returns a text with at most so many characters; its beginning and its end stay, for paths differ in both. */
export function cut(text, most) {
  const letters = Array.from(text);
  if (letters.length <= most) return text;
  const end = Math.floor((most - 1) / 2);
  return `${letters.slice(0, most - 1 - end).join("")}…${end ? letters.slice(-end).join("") : ""}`;
}

/** Returns what an incident is about, as one text: the file, the steps, the call. */
export function aboutOf({ what, kind, before, after }) {
  if (what) return what;
  const [from, to] = [before, after].map((one) => `${one.method} ${one.path}`);
  return kind === "session_skew" && from !== to ? `${from} → ${to}` : to;
}

/**
 * Returns the picture of an incident, in pixels.
 *
 * @param incident As /api/skew tells it.
 * @param width Of the place it is drawn in.
 * @returns `width`, `height`; `cards` with `x`, `y` (of the frame), `width`, `height`, and `title`, `label`,
 *   `request`, `why` as they fit; `line` with its path `d`, `start`, `end`, and `words`, each `{text, x, y, anchor}`.
 */
export function drawing(incident, width) {
  const story = STORIES[incident.kind];
  const wide = width >= SIDE_BY_SIDE;
  const across = wide
    ? Math.min(WIDEST_CARD, Math.floor((width - NARROWEST_GAP) / 2))
    : Math.max(160, width - STEP_IN - 1);
  const top = TITLE_HEIGHT;
  const left = { x: 0.5, y: top };
  const right = {
    x: width - across - 0.5,
    y: wide ? top : top + CARD_HEIGHT + GAP_BELOW,
  };
  const card = (place, title, witness) => ({
    ...place,
    width: across,
    height: CARD_HEIGHT,
    title,
    witness,
    ...textsOf(witness, across - 2 * PADDING),
  });
  const cards = [card(left, story.before, incident.before), card(right, story.after, incident.after)];
  const about = incident.what || `${incident.after.method} ${incident.after.path}`;
  return {
    width,
    height: right.y + CARD_HEIGHT + 1,
    padding: PADDING,
    cards,
    line: wide
      ? lineAcross(left.x + across, right.x, top, story.line, about)
      : lineDown(right, width, story.line, about),
  };
}

function textsOf(witness, room) {
  const point = witness.point === null ? "" : ` · point ${witness.point.toFixed(2)}`;
  const status = 60;
  return {
    label: Math.floor((room - status) / 8.5),
    request: cut(`${witness.method} ${witness.path}`, Math.floor(room / MONO)),
    why: cut(`by ${witness.reason}${point}`, Math.floor(room / PLAIN)),
  };
}

function lineAcross(from, to, top, words, about) {
  const y = top + CARD_HEIGHT / 2;
  const middle = (from + to) / 2;
  const most = Math.floor((to - from - 24) / MONO);
  return {
    d: `M${from} ${y}H${to}`,
    start: { x: from, y },
    end: { x: to, y },
    words: [
      { text: words, x: middle, y: y - 30, anchor: "middle", plain: true },
      { text: cut(about, most), x: middle, y: y - 12, anchor: "middle", plain: false },
    ],
  };
}

function lineDown(right, width, words, about) {
  const x = 18;
  const y = right.y + CARD_HEIGHT / 2;
  const start = TITLE_HEIGHT + CARD_HEIGHT;
  const most = Math.floor((width - x - 14) / MONO);
  return {
    d: `M${x} ${start}V${y - 10}q0 10 10 10H${right.x}`,
    start: { x, y: start },
    end: { x: right.x, y },
    words: [
      { text: words, x: x + 14, y: start + 18, anchor: "start", plain: true },
      { text: cut(about, most), x: x + 14, y: start + 35, anchor: "start", plain: false },
    ],
  };
}
