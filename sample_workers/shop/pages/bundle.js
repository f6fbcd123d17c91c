// Stands in for the hashed bundle of a real build: only $version has this file.
const box = document.getElementById("script-status");
const htmlVersion = document.documentElement.dataset.version;
box.textContent = `script arrived: bundle-$version.js, for HTML of $${htmlVersion}`;
box.dataset.arrived = "$version";
