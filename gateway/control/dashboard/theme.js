// Light or dark: as the machine says, until somebody switches.

import { effect, signal } from "./lib.js";

const KEY = "theme";
const machine = matchMedia("(prefers-color-scheme: dark)");

export const THEMES = ["system", "light", "dark"];
export const theme = signal(THEMES.includes(localStorage.getItem(KEY)) ? localStorage.getItem(KEY) : "system");

/** Changes whenever colours do: what is painted on a canvas must be painted again. */
export const palette = signal(0);

effect(() => {
  const chosen = theme.value;
  if (chosen === "system") {
    localStorage.removeItem(KEY);
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem(KEY, chosen);
    document.documentElement.dataset.theme = chosen;
  }
  palette.value = palette.peek() + 1;
});

machine.addEventListener("change", () => {
  palette.value = palette.peek() + 1;
});

/** Returns a colour of the style sheet as a canvas takes it. */
export function colour(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
