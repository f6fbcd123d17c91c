// Stands in for the hashed bundle of a real build: only $version has this file.
const box = document.getElementById("script-status");
const htmlVersion = document.documentElement.dataset.version;
box.textContent = `script arrived: bundle-$version.js, for HTML of $${htmlVersion}`;
box.dataset.arrived = "$version";

// The API's answer may be another version's, in which the price has another name.
fetch("/api/products")
  .then((answer) => answer.json())
  .then(({ products }) => {
    const found = products.every(({ $price_field: price }) => price !== undefined);
    document.getElementById("prices").textContent = found
      ? products.map(({ name, $price_field: price }) => `$${name}: $${price} cents`).join(", ")
      : "price missing: the answer has no field $price_field";
  });
