"use strict";
(() => {
  const charts = JSON.parse(document.getElementById("chart-data").textContent);
  const root = document.documentElement;
  const theme = document.getElementById("theme");
  const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches;
  const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  function layoutOf(own) {
    const line = colour("--line"), text = colour("--text");
    const axis = { gridcolor: line, zerolinecolor: line, automargin: true };
    const layout = { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: text, family: "system-ui, sans-serif" }, margin: { t: 30, r: 20, b: 50, l: 60 }, legend: { orientation: "h", y: -0.2 }, ...own };
    for (const name of ["xaxis", "yaxis", "yaxis2", "yaxis3"]) {
      if (name in own || name === "xaxis" || name === "yaxis") layout[name] = { ...axis, ...(own[name] || {}) };
    }
    layout.shapes = (own.shapes || []).map((one) => ({ ...one, line: { ...one.line, color: text } }));
    return layout;
  }

  function draw(figure) {
    const chart = charts[figure.dataset.chart];
    const points = figure.querySelector(".points");
    const data = chart.data.map((one) => one.type === "box" ? { ...one, boxpoints: points && points.checked ? "all" : false, jitter: 0.4, pointpos: 0 } : one);
    Plotly.react(figure.querySelector(".plot"), data, layoutOf(chart.layout), { displaylogo: false, responsive: true });
    figure.dataset.drawn = "yes";
  }

  const figures = [...document.querySelectorAll("figure.chart")];
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) { seen.unobserve(entry.target); draw(entry.target); }
  }, { rootMargin: "400px" });
  figures.forEach((figure) => {
    seen.observe(figure);
    const points = figure.querySelector(".points");
    if (points) points.addEventListener("change", () => draw(figure));
  });

  function themed() {
    theme.textContent = isDark() ? "Light" : "Dark";
    theme.setAttribute("aria-pressed", String(isDark()));
    figures.filter((one) => one.dataset.drawn).forEach(draw);
  }
  theme.addEventListener("click", () => { root.dataset.theme = isDark() ? "light" : "dark"; themed(); });
  prefersDark.addEventListener("change", themed);
  themed();

  function byValue(index, down) {
    const value = (row) => row.children[index].dataset.by ?? row.children[index].textContent;
    return (left, right) => {
      const a = value(left), b = value(right);
      if (a === "" || b === "") return a === b ? 0 : a === "" ? 1 : -1;
      const order = Number.isNaN(+a) || Number.isNaN(+b) ? a.localeCompare(b) : +a - +b;
      return down ? -order : order;
    };
  }
  document.querySelectorAll("table.sortable").forEach((table) => {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, index) => {
      const button = head.querySelector("button");
      if (!button) return;
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        heads.forEach((one) => one.hasAttribute("aria-sort") && one.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const body = table.tBodies[0];
        body.append(...[...body.rows].sort(byValue(index, down)));
      });
    });
  });

  document.querySelectorAll(".filters").forEach((filters) => {
    const table = document.getElementById(filters.dataset.table);
    const text = filters.querySelector(".text-filter"), verdict = filters.querySelector(".verdict-filter");
    const count = filters.querySelector(".count");
    const apply = () => {
      let shown = 0;
      for (const row of table.tBodies[0].rows) {
        const fits = row.textContent.toLowerCase().includes(text.value.toLowerCase()) && (!verdict.value || row.dataset.verdict === verdict.value);
        row.hidden = !fits;
        shown += fits ? 1 : 0;
      }
      count.textContent = `${shown} of ${table.tBodies[0].rows.length} boards`;
    };
    text.addEventListener("input", apply);
    verdict.addEventListener("change", apply);
    apply();
  });

  const said = document.getElementById("said");
  document.querySelectorAll(".copy").forEach((button) => button.addEventListener("click", async () => {
    try { await navigator.clipboard.writeText(button.dataset.command); said.textContent = "copied"; button.textContent = "copied"; }
    catch { window.prompt("The command:", button.dataset.command); }
  }));
})();
