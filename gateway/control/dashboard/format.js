// Numbers and times as people read them; the same everywhere. `–` stands for a number that there is not.

const NONE = "–";
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const hours = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const known = (value) => value !== null && value !== undefined && Number.isFinite(value);

/** Returns a number with at least the digits that tell it from its neighbours. */
function short(value) {
  const size = Math.abs(value);
  if (size >= 100) return whole.format(value);
  return String(Number(value.toFixed(size >= 10 ? 1 : 2)));
}

export const count = (value) => (known(value) ? whole.format(value) : NONE);
export const percent = (value) => (known(value) ? `${Number(value.toFixed(value < 1 ? 3 : 2))} %` : NONE);
export const roughPercent = (value) => (known(value) ? `${value.toFixed(1)} %` : NONE);
export const rate = (value) => (known(value) ? short(value) : NONE);

export function milliseconds(value) {
  if (!known(value)) return NONE;
  if (value === 0) return "0 ms";
  if (value >= 10_000) return `${(value / 1000).toFixed(1)} s`;
  if (value >= 1000) return `${(value / 1000).toFixed(2)} s`;
  return `${value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)} ms`;
}

export function seconds(value) {
  return known(value) ? `${short(value)} s` : NONE;
}

export function bytes(value) {
  if (!known(value)) return NONE;
  const units = ["B", "kB", "MB", "GB", "TB"];
  let size = value;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit ? short(size) : size} ${units[unit]}`;
}

export const time = (value) => clock.format(new Date(value));
export const hourAndMinute = (value) => hours.format(new Date(value));

export function timeWithMilliseconds(value) {
  const date = new Date(value);
  return `${clock.format(date)}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

/** Returns the time, with the day where that is not today. */
export function moment(value) {
  const date = new Date(value);
  const today = date.toDateString() === new Date().toDateString();
  return today ? clock.format(date) : `${day.format(date)}, ${hours.format(date)}`;
}

export function ago(value, now = Date.now()) {
  const passed = Math.max(0, (now - new Date(value).getTime()) / 1000);
  if (passed < 5) return "just now";
  if (passed < 60) return `${Math.floor(passed)} s ago`;
  if (passed < 3600) return `${Math.floor(passed / 60)} min ago`;
  if (passed < 86_400) return `${Math.floor(passed / 3600)} h ago`;
  return `${Math.floor(passed / 86_400)} d ago`;
}

export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

/** Returns a percentage as it is typed: no more digits than it has. */
export const exact = (value) => String(Number(value.toFixed(4)));

export const shortId = (id) => id.slice(0, 8);
