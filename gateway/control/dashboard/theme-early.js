// Before the first paint: a page that was switched to dark must not flash white. No module, for those wait.
{
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
}
