"use strict";
// Sorting by column and filtering by row; the page is complete without it.
const textOf = (cell) => (cell ? cell.textContent.trim() : "");
const compared = (a, b) => {
  const [x, y] = [parseFloat(a), parseFloat(b)];
  return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, undefined, { numeric: true }) : x - y;
};

for (const table of document.querySelectorAll("table[data-sort]")) {
  const heads = [...[...table.tHead.rows].at(-1).cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const keyed = [...table.tBodies[0].rows].map((row) => [textOf(row.cells[column]), row]);
      keyed.sort((a, b) => (up ? compared(a[0], b[0]) : compared(b[0], a[0])));
      table.tBodies[0].append(...keyed.map(([, row]) => row));
    });
  });
}

for (const filters of document.querySelectorAll(".filters")) {
  const rows = [...document.getElementById(filters.dataset.for).tBodies[0].rows];
  const first = Number(filters.dataset.first); // columns before the first check
  const field = (name) => filters.querySelector(`[name=${name}]`);
  const count = filters.querySelector("[role=status]");
  const apply = () => {
    const [name, check, outcome, flag] = ["name", "check", "outcome", "flag"].map((key) => field(key)?.value ?? "");
    const matches = (cell) => textOf(cell) !== "" && (outcome === "" || textOf(cell) === outcome);
    let left = 0;
    for (const row of rows) {
      const cells = check === "" ? [...row.cells].slice(first) : [row.cells[first + Number(check)]];
      const keep =
        textOf(row.cells[0]).toLowerCase().includes(name.trim().toLowerCase()) &&
        (outcome === "" && check === "" ? true : cells.some(matches)) &&
        (flag === "" || (row.dataset.flags ?? "").split(", ").includes(flag));
      row.hidden = !keep;
      left += keep ? 1 : 0;
    }
    count.textContent = `${left} of ${rows.length} shown`;
  };
  filters.hidden = false;
  filters.addEventListener("input", apply);
  filters.querySelector("button").addEventListener("click", () => {
    for (const input of filters.querySelectorAll("input, select")) input.value = "";
    apply();
    field("name").focus();
  });
  apply();
}
