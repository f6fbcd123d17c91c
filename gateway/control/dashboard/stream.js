// Reads /api/events; connects again by itself, and asks for fewer events where there are too many to read.

import { ApiError, errorOf, queryOf } from "./api.js";

const FIRST_RETRY_MS = 400;
const LAST_RETRY_MS = 5000;

/** More than this in a second nobody reads; a page that tried to show them would only be slow. */
const MOST_PER_SECOND = 120;
const FEWEST_PER_SECOND = 30;
const JUDGED_EVERY_MS = 1000;
const LEAST_SAMPLING = 0.0001;

/** Splits a stream of server-sent events into `{kind, id, data}`. */
export class EventParser {
  #rest = "";

  /** Returns the events that are complete with this piece of text. */
  take(text) {
    const blocks = (this.#rest + text).split("\n\n");
    this.#rest = blocks.pop();
    return blocks.map(parseBlock).filter((event) => event !== null);
  }
}

function parseBlock(block) {
  let kind = "message";
  let id = "";
  const data = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("data:")) data.push(line.slice(5));
    else if (line.startsWith("event:")) kind = line.slice(6).trim();
    else if (line.startsWith("id:")) id = line.slice(3).trim();
  }
  return data.length ? { kind, id, data: JSON.parse(data.join("\n")) } : null;
}

/** A reader that lives until it is closed. */
export class EventReader {
  #abort = new AbortController();
  #query;
  #sink;
  #sampling = 1;
  #counted = 0;
  #since = 0;
  #again = false;
  #connection = null;
  #lastId = "";
  #resampled = false;
  #wake = () => {};

  /**
   * @param query Members of the query, but for `sampling_rate`.
   * @param sink `onEvents(list)`, `onState(state, error)` with `open`, `waiting` or `refused`, `onSampling(rate)`.
   * @param sampling The rate to begin with, 0-1.
   */
  constructor(query, sink, sampling = 1) {
    this.#query = query;
    this.#sink = sink;
    this.#sampling = sampling;
    this.#run();
  }

  close() {
    this.#abort.abort();
    this.#connection?.abort();
  }

  /** Tries at once instead of waiting on: the gateway was heard of again. */
  wake() {
    this.#wake();
  }

  #pause(milliseconds) {
    return new Promise((done) => {
      this.#wake = done;
      setTimeout(done, milliseconds);
    });
  }

  async #run() {
    let failures = 0;
    let last = this.#query.last ?? 0;
    while (!this.#abort.signal.aborted) {
      try {
        this.#again = false;
        this.#sink.onSampling(this.#sampling);
        await this.#read(last, () => {
          failures = 0;
          last = 0; // what was shown is not told again
        });
        if (this.#again) continue;
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        if (this.#again) continue;
        if (error instanceof ApiError && error.status < 500) {
          this.#sink.onState("refused", error);
          return;
        }
      }
      this.#sink.onState("waiting");
      await this.#pause(Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 1.6 ** failures));
      failures += 1;
    }
  }

  async #read(last, onOpen) {
    this.#connection = new AbortController();
    const query = queryOf({
      ...this.#query,
      last: last || "",
      sampling_rate: this.#sampling < 1 ? this.#sampling : "",
    });
    // What came while the connection was lost is told again; what another rate left out is not.
    const headers = !this.#resampled && this.#lastId ? { "Last-Event-ID": this.#lastId } : {};
    this.#resampled = false;
    const response = await fetch(`/api/events${query}`, { signal: this.#connection.signal, headers });
    if (!response.ok) throw new ApiError(response.status, errorOf(await response.text()));
    onOpen();
    this.#sink.onState("open");
    const parser = new EventParser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    this.#counted = 0;
    this.#since = performance.now();
    // What is replayed comes at once and says nothing of the rate.
    let replay = last;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const events = parser.take(value);
      const fresh = Math.max(0, events.length - replay);
      replay = Math.max(0, replay - events.length);
      this.#lastId = events.findLast((event) => event.id)?.id ?? this.#lastId;
      if (events.length) this.#sink.onEvents(events);
      this.#judge(fresh);
    }
  }

  /** Connects again with another rate when too many events come, or too few of those there are. */
  #judge(fresh) {
    this.#counted += fresh;
    const passed = performance.now() - this.#since;
    if (passed < JUDGED_EVERY_MS) return;
    const perSecond = (this.#counted * 1000) / passed;
    this.#counted = 0;
    this.#since = performance.now();
    const wanted = nextSampling(this.#sampling, perSecond);
    if (wanted !== this.#sampling) {
      this.#sampling = wanted;
      this.#again = true;
      this.#resampled = true;
      this.#connection.abort();
    }
  }
}

/** Returns the rate to ask for, from the rate in force and the events a second that came with it. */
export function nextSampling(rate, perSecond) {
  const fits = (MOST_PER_SECOND + FEWEST_PER_SECOND) / 2;
  if (perSecond > MOST_PER_SECOND)
    return Math.max(LEAST_SAMPLING, Number(((rate * fits) / perSecond).toPrecision(2)));
  if (rate < 1 && perSecond < FEWEST_PER_SECOND) {
    return Math.min(1, Number((rate * Math.min(10, fits / Math.max(1, perSecond))).toPrecision(2)));
  }
  return rate;
}
