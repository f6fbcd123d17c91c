// Draws an incident: the request of one version, the one that met the other, and the line between them.

import { timeWithMilliseconds } from "./format.js";
import { html, useLayoutEffect, useRef, useState } from "./lib.js";
import { cut, drawing, STORIES } from "./skew-drawing.js";
import { colourOf, labelOf, versionOf } from "./versions.js";

const FIRST_WIDTH = 900;
const CLIENT_ERROR = 400;

/** Returns a version's name, as it is now or as it was at the time. */
export function nameOf({ version_id, label }) {
  const version = versionOf(version_id);
  return version ? labelOf(version) : label || version_id.slice(0, 8);
}

export function SkewChain({ incident }) {
  const place = useRef(null);
  const width = useWidth(place);
  const { cards, line, padding, height } = drawing(incident, width);
  return html`<div class="skew-chain" ref=${place}>
    <svg width=${width} height=${height} viewBox=${`0 0 ${width} ${height}`} role="img" aria-label=${spoken(incident)}>
      ${cards.map((card, index) => html`<${Card} key=${index} card=${card} padding=${padding} />`)}
      <g class="skew-line">
        <path d=${line.d} />
        <circle cx=${line.start.x} cy=${line.start.y} r="4.5" class="skew-start" />
        <circle cx=${line.end.x} cy=${line.end.y} r="9" class="skew-end" />
        <path class="skew-cross" d=${`m${line.end.x - 3.5} ${line.end.y - 3.5} 7 7m0-7-7 7`} />
        ${line.words.map(
          ({ text, x, y, anchor, plain }) => html`<text
            key=${y}
            x=${x}
            y=${y}
            text-anchor=${anchor}
            class=${plain ? "skew-words" : "skew-about"}
          >
            ${text}
          </text>`,
        )}
      </g>
    </svg>
  </div>`;
}

function Card({ card, padding }) {
  const { x, y, width, height, witness } = card;
  const [left, right] = [x + padding, x + width - padding];
  const failed = witness.status >= CLIENT_ERROR || witness.status === 0;
  const deployment = witness.deployment === null ? "" : ` · deployment #${witness.deployment}`;
  return html`<g class=${`skew-card colour-${colourOf(witness.version_id)}`}>
    <title>${`${witness.method} ${witness.host}${witness.path}`}</title>
    <text x=${x} y=${y - 8} class="skew-role">${card.title}</text>
    <rect x=${x} y=${y} width=${width} height=${height} rx="8" class="skew-frame" />
    <rect x=${left} y=${y + 17} width="11" height="11" rx="3" class="skew-swatch" />
    <text x=${left + 19} y=${y + 27.5} class="skew-version">${cut(nameOf(witness), card.label)}</text>
    <text x=${right} y=${y + 27.5} text-anchor="end" class=${failed ? "skew-status failed" : "skew-status"}>
      ${witness.status || "no answer"}
    </text>
    <text x=${left} y=${y + 55} class="skew-request">${card.request}</text>
    <text x=${left} y=${y + 78} class="skew-why">${card.why}</text>
    <${Point} point=${witness.point} x=${left} y=${y + 91} width=${right - left} />
    <text x=${left} y=${y + 121} class="skew-time">${timeWithMilliseconds(witness.at)}${deployment}</text>
  </g>`;
}

/** Where the request's point lay on [0, 100). */
function Point({ point, x, y, width }) {
  if (point === null) return null;
  return html`<g>
    <rect x=${x} y=${y} width=${width} height="5" rx="2.5" class="skew-scale" />
    <circle cx=${x + (width * point) / 100} cy=${y + 2.5} r="5" class="skew-point" />
  </g>`;
}

/** Returns the picture as a sentence. */
function spoken({ kind, before, after }) {
  const tell = (one) => {
    const point = one.point === null ? "" : ` at ${one.point.toFixed(2)}`;
    return `${nameOf(one)} ${one.method} ${one.path}, status ${one.status}, by ${one.reason}${point}`;
  };
  const { before: first, after: second } = STORIES[kind];
  return `${first}: ${tell(before)}. ${second}: ${tell(after)}.`;
}

function useWidth(place) {
  const [width, setWidth] = useState(FIRST_WIDTH);
  useLayoutEffect(() => {
    const measure = () => setWidth(Math.max(200, Math.floor(place.current.clientWidth)));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(place.current);
    return () => observer.disconnect();
  }, [place]);
  return width;
}
