// Charts of the home page: their options are written once here. Colours are names of the theme's variables.
window.addEventListener("DOMContentLoaded", () => {
  const figure = (value, figures) => `${value < 0 ? "−" : ""}${figures.prefix}${Math.abs(value).toLocaleString("en")}`;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  for (const canvas of document.querySelectorAll("canvas[data-pn-chart]")) {
    const figures = JSON.parse(document.getElementById(canvas.dataset.pnChart).textContent);
    const line = colour("--color-base-300");
    const words = colour("--color-base-500");
    new Chart(canvas, {
      type: "line",
      data: {
        labels: figures.labels,
        datasets: figures.lines.map((drawn) => ({
          label: drawn.label,
          data: drawn.values,
          borderColor: drawn.colour,
          backgroundColor: drawn.colour,
          borderWidth: 2,
          pointRadius: 0,
          pointHitRadius: 12,
          cubicInterpolationMode: "monotone",
        })),
      },
      options: {
        animation: false,
        maintainAspectRatio: false,
        interaction: { mode: "index", intersect: false },
        plugins: {
          legend: { display: false },
          tooltip: { callbacks: { label: (point) => `${point.dataset.label}: ${figure(point.parsed.y, figures)}${figures.suffix}` } },
        },
        scales: {
          x: { grid: { display: false }, ticks: { color: words, maxRotation: 0, autoSkip: true, maxTicksLimit: 8 }, border: { color: line } },
          y: {
            beginAtZero: true,
            grid: { color: line, lineWidth: 0.5 },
            border: { display: false },
            ticks: { color: words, maxTicksLimit: 5, callback: (value) => figure(value, figures) },
          },
        },
      },
    });
  }
});

// Ctrl+K (⌘K) leads to the find box from wherever one is.
window.addEventListener("keydown", (event) => {
  if (event.key !== "k" || !(event.ctrlKey || event.metaKey)) return;
  const box = document.querySelector("[data-find-box]");
  if (!box) return;
  event.preventDefault();
  box.focus();
  box.select();
});
