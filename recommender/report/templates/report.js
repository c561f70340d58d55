"use strict";
(() => {
  const table = document.getElementById("workloads");
  const rows = [...table.tBodies];
  const tools = document.querySelector(".tools");
  const field = (id) => document.getElementById(id);
  for (const row of rows) {
    row.dataset.name = row.querySelector("th a").textContent;
    row.dataset.ns = row.dataset.name.split("/", 1)[0];
  }
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const pressed = new Set();
  const ascending = { rank: true, name: true, change: false, confidence: true, saving: false };
  const compare = (key) => (a, b) => {
    const [x, y] = [a.dataset[key], b.dataset[key]];
    if (key === "name") return x.localeCompare(y);
    if (x === "" || y === "") return (x === "") - (y === "");
    return x - y;
  };

  function sort(key, up) {
    const order = compare(key);
    const empty = (row) => row.dataset[key] === "";
    const sorted = [...rows].sort((a, b) =>
      empty(a) || empty(b) ? empty(a) - empty(b) : (up ? 1 : -1) * order(a, b));
    table.append(...sorted);
    for (const head of table.tHead.rows[0].cells) {
      if (head.dataset.sort === key) head.ariaSort = up ? "ascending" : "descending";
      else head.removeAttribute("aria-sort");
    }
    field("sort").value = key;
  }

  function filter() {
    const words = field("q").value.toLowerCase().split(/\s+/).filter(Boolean);
    const [ns, pool] = ["ns", "pool"].map((id) => field(id)?.value ?? "");
    let shown = 0;
    for (const row of rows) {
      const fits = words.every((word) => texts.get(row).includes(word))
        && (!ns || row.dataset.ns === ns) && (!pool || row.dataset.pool === pool)
        && (!pressed.size || row.dataset.s.split(" ").some((s) => pressed.has(s)));
      row.hidden = !fits;
      shown += fits;
    }
    field("shown").value = `${shown} of ${rows.length} workloads`;
    field("none").hidden = shown > 0 || !rows.length;
  }

  for (const head of table.tHead.rows[0].cells) {
    const key = head.dataset.sort;
    if (!key) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const now = head.ariaSort;
      sort(key, now ? now === "descending" : ascending[key]);
    });
  }
  for (const tile of document.querySelectorAll("[data-severity]")) {
    tile.disabled = false;
    tile.addEventListener("click", () => {
      const name = tile.dataset.severity;
      if (!pressed.delete(name)) pressed.add(name);
      tile.ariaPressed = String(pressed.has(name));
      filter();
    });
  }
  const open = () => document.getElementById(decodeURIComponent(location.hash.slice(1)))
    ?.querySelector("details")?.setAttribute("open", "");
  tools.hidden = false;
  tools.addEventListener("input", filter);
  tools.addEventListener("submit", (event) => event.preventDefault());
  field("sort").addEventListener("change", (event) =>
    sort(event.target.value, ascending[event.target.value]));
  window.addEventListener("hashchange", open);
  table.addEventListener("click", (event) => {
    const link = event.target.closest("th a");
    if (link && link.hash === location.hash) open();
  });
  filter();
  open();
})();
