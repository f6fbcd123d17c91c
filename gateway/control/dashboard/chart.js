// Lines over time, one colour a version; deployments are marked where they began.

import { exact, hourAndMinute, time } from "./format.js";
import { html, useEffect, useRef, useState } from "./lib.js";
import { VersionTag } from "./parts.js";
import { colour, palette } from "./theme.js";
import uPlot from "./vendor/uplot.mjs";
import { colourOf } from "./versions.js";

const HEIGHT = 168;
const FONT = "11px Inter, system-ui, sans-serif";
const SHORT_SPAN_SECONDS = 600;

/**
 * @param series `[{id, label, values, dashed}]`, each as long as `times`.
 * @param marks `[{at, number}]` in seconds.
 * @param show Number -> text.
 */
export function Chart({ title, times, series, marks = [], show, top = null, aside }) {
  const place = useRef(null);
  const plot = useRef(null);
  const [index, setIndex] = useState(null);
  const shape = series.map((one) => `${one.id}${one.dashed ? "~" : ""}`).join();
  const painted = palette.value;
  const data = [times, ...series.map((one) => one.values)];
  const latest = useRef(null);
  latest.current = { data, marks, show, top, times };

  // `shape` stands for the series, `painted` for the colours
  useEffect(() => {
    const element = place.current;
    const width = () => Math.max(120, element.clientWidth);
    const made = new uPlot(options(series, latest, width(), setIndex), latest.current.data, element);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: width(), height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape, painted]);

  useEffect(() => {
    plot.current?.setData(latest.current.data);
  });

  const shown = index !== null && index < times.length ? index : lastKnown(series, times.length);
  const lines = series.filter((one) => !one.dashed);
  const said = lines.map((one) => `${one.label} ${show(one.values[shown])}`).join(", ");
  return html`<figure class="chart">
    <figcaption>
      <span class="chart-title">${title}</span>${aside}
      <span class="legend">
        ${lines.map(
          (one) => html`<span key=${one.id} class="legend-entry">
            <${VersionTag} id=${one.id} label=${one.label} quiet /><span class="number">${show(one.values[shown])}</span>
          </span>`,
        )}
        <span class="legend-time number">${index !== null && times[shown] ? time(times[shown] * 1000) : "now"}</span>
      </span>
    </figcaption>
    <div class="canvas" ref=${place} role="img" aria-label=${`${title} over time; now: ${said || "nothing yet"}`}></div>
  </figure>`;
}

/** Returns the last place at which any version has a number: the newest step may still be open. */
function lastKnown(series, length) {
  for (let at = length - 1; at > Math.max(0, length - 4); at -= 1) {
    if (series.some((one) => !one.dashed && one.values[at] !== null)) return at;
  }
  return length - 1;
}

function options(series, latest, width, setIndex) {
  const ink = colour("--ink-3");
  const line = colour("--line");
  const axis = { stroke: ink, font: FONT, ticks: { show: false }, gap: 6 };
  return {
    width,
    height: HEIGHT,
    padding: [14, 26, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: "overview" }, points: { size: 6 }, drag: { x: false, y: false }, y: false },
    scales: {
      x: { time: true },
      y: { range: (_plot, _low, high) => [0, latest.current.top ?? niceTop(high)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 26,
        space: 84,
        values: (_plot, splits) => {
          const { times } = latest.current;
          const short = times.at(-1) - times[0] < SHORT_SPAN_SECONDS;
          return splits.map((at) => (short ? time : hourAndMinute)(at * 1000));
        },
      },
      {
        ...axis,
        grid: { stroke: line, width: 1 },
        size: 52,
        space: 34,
        values: (_plot, splits) => splits.map((value) => latest.current.show(value)),
      },
    ],
    series: [
      {},
      ...series.map((one) => ({
        stroke: colour(`--version-${colourOf(one.id)}`),
        width: one.dashed ? 1 : 1.75,
        dash: one.dashed ? [4, 4] : undefined,
        paths: one.dashed ? uPlot.paths.stepped({ align: 1 }) : undefined,
        points: { show: false },
        spanGaps: false,
      })),
    ],
    hooks: {
      draw: [(plot) => drawMarks(plot, latest.current.marks)],
      setCursor: [(plot) => setIndex(plot.cursor.idx ?? null)],
    },
  };
}

/** Leaves room above the highest line, and never draws nothing as something. */
const niceTop = (high) => (high > 0 ? high * 1.15 : 1);

function drawMarks(plot, marks) {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  const [ink, panel] = [colour("--ink-2"), colour("--panel")];
  ctx.save();
  ctx.font = `600 ${10 * ratio}px Inter, system-ui, sans-serif`;
  ctx.textBaseline = "middle";
  ctx.textAlign = "center";
  ctx.lineWidth = ratio;
  for (const { at, number } of marks) {
    const x = Math.round(plot.valToPos(at, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    const text = `#${number}`;
    const half = ctx.measureText(text).width / 2 + 4 * ratio;
    ctx.strokeStyle = ink;
    ctx.setLineDash([2 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.fillStyle = ink;
    const centre = Math.min(Math.max(x, bbox.left + half), bbox.left + bbox.width - half);
    ctx.beginPath();
    ctx.roundRect(centre - half, bbox.top - 13 * ratio, half * 2, 13 * ratio, 3 * ratio);
    ctx.fill();
    ctx.fillStyle = panel;
    ctx.fillText(text, centre, bbox.top - 6 * ratio);
  }
  ctx.restore();
}

/** An observed share with its interval, and the asked share as a tick, on 0-100. */
export function Interval({ id, asked, observed, low, high }) {
  const said =
    observed === null
      ? "nothing observed"
      : `observed ${exact(observed)} %, between ${exact(low)} and ${exact(high)} %`;
  return html`<div
    class=${`interval colour-${colourOf(id)}`}
    role="img"
    aria-label=${`asked ${asked === null ? "nothing" : `${exact(asked)} %`}, ${said}`}
    title=${`${said} (95 %)`}
  >
    ${
      observed !== null &&
      html`<span class="interval-band" style=${{ left: `${low}%`, width: `${Math.max(0.8, high - low)}%` }}></span>
        <span class="interval-dot" style=${{ left: `${observed}%` }}></span>`
    }
    ${asked !== null && html`<span class="interval-asked" style=${{ left: `${asked}%` }}></span>`}
  </div>`;
}
