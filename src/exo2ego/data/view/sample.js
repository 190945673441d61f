// One sample: what is known of it, its conversations, and which of its cameras are shown.

import { byId, make, marked, markedWords, seconds } from "./dom.js";

// Which views to show for a wish: "best" (or the first exo), "all", or the name of a camera.
export function chosenViews(sample, wish) {
  const exos = exoViews(sample);
  const first = sample.views.filter((view) => !exos.includes(view));
  if (wish === "all") return [...first, ...exos];
  const camera = exos.includes(wish) ? wish : exos.includes(sample.best_exo) ? sample.best_exo : exos[0];
  return camera ? [...first, camera] : first;
}

export const exoViews = (sample) => sample.views.filter((view) => view !== "ego" && view !== "video");

export function showCameras(sample, wish, choose) {
  const exos = exoViews(sample);
  const shown = chosenViews(sample, wish);
  const chip = (value, text, pressed) => {
    const button = make("button", { textContent: text, "aria-pressed": String(pressed) });
    button.dataset.camera = value;
    button.addEventListener("click", () => choose(value));
    return button;
  };
  const chips = exos.map((view) => chip(view, view === sample.best_exo ? `${view} ★ best` : view, wish !== "all" && shown.includes(view)));
  if (exos.length > 1) chips.unshift(chip("all", `all ${exos.length} exo`, wish === "all"));
  byId("cameras").replaceChildren(...chips);
  byId("cameras").hidden = exos.length === 0;
}

export function showSample(sample, query) {
  const pattern = markedWords(query);
  byId("title").replaceChildren(...marked(sample.text || sample.title, pattern));
  const facts = [
    ["id", sample.key],
    ["take", sample.take],
    ["interval", `${sample.start_s.toFixed(3)} s to ${sample.end_s.toFixed(3)} s`],
    ["length", `${seconds(sample.duration_s)}, stored at ${sample.fps.toFixed(2)} frames/s`],
    ["split", sample.split],
    ["scenario", sample.scenario],
    ["source", sample.source],
    ["cameras", sample.views.join(", ")],
    ["best exo", sample.best_exo ?? (exoViews(sample).length ? "not annotated" : "")],
    ["shards", sample.shards],
    ["flag", sample.flagged ? sample.reason || "flagged" : ""],
  ];
  byId("facts").replaceChildren(
    ...facts
      .filter(([, value]) => value)
      .map(([name, value]) => make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: value }))),
  );
  byId("flag").setAttribute("aria-pressed", String(sample.flagged));
  byId("flag").textContent = sample.flagged ? "Flagged" : "Flag";
  showTurns(sample, pattern);
}

function showTurns(sample, pattern) {
  const conversations = sample.conversations.map((turns) => {
    const bubbles = turns.flatMap(({ question, answer }) => [
      make("p", { className: "bubble question" }, ...marked(question, pattern)),
      make("p", { className: "bubble answer" }, ...marked(answer, pattern)),
    ]);
    return make("div", { className: "conversation" }, ...bubbles);
  });
  const more = sample.conversations_in_all - sample.conversations.length;
  if (more > 0) conversations.push(make("p", { className: "about", textContent: `and ${more} more conversations` }));
  byId("turns").replaceChildren(...conversations);
  byId("turns").hidden = conversations.length === 0;
}

export function showStatistics(figures) {
  const rows = figures.rows.map(([name, value]) => make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: value })));
  const parts = [make("h3", { textContent: figures.folder }), make("dl", { className: "facts columns" }, ...rows)];
  for (const [title, table] of Object.entries(figures.tables)) {
    const counts = Object.entries(table).filter(([, count]) => count > 0);
    if (!counts.length) continue;
    const most = Math.max(...counts.map(([, count]) => count), 1);
    const bars = counts.map(([name, count]) => {
      const bar = make("span", { className: "bar-fill" });
      bar.style.width = `${(100 * count) / most}%`;
      const value = make("span", { className: "bar-value", textContent: count.toLocaleString("en") });
      return make("div", { className: "bar-row" }, make("span", { className: "bar-name", textContent: name }), make("span", { className: "bar-track" }, bar), value);
    });
    parts.push(make("h4", { textContent: title }), ...bars);
  }
  return parts;
}
