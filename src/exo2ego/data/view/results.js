// The list of samples found, its filters and its pages.

import { search, thumbAddress } from "./api.js";
import { byId, make, marked, markedWords, seconds, whole } from "./dom.js";

export const PAGE = 50;
const FIELDS = ["best", "order", "min_s", "max_s"];
export const EMPTY = {
  q: "", folder: "", scenario: "", split: "", source: "", take: "",
  best: "", order: "stored", min_s: "", max_s: "", flagged: "",
};

export class Results {
  constructor({ opened, failed }) {
    this.opened = opened; // called with (sample, its number among those found)
    this.failed = failed;
    this.query = { ...EMPTY };
    this.samples = [];
    this.offset = 0;
    this.total = 0;
    this.asked = new AbortController();
    for (const button of [["page-back", -PAGE], ["page-on", PAGE]]) {
      byId(button[0]).addEventListener("click", () => this.turn(button[1]));
    }
  }

  // Reads the query from the fields of the page.
  readFields() {
    const query = { ...EMPTY, q: byId("q").value.trim() };
    for (const label of document.querySelectorAll("[data-facet]")) {
      query[label.dataset.facet] = label.querySelector("select, input").value.trim();
    }
    for (const name of FIELDS) query[name] = byId(name).validity.valid ? byId(name).value : "";
    query.flagged = byId("flagged").checked ? "true" : "";
    this.query = query;
  }

  // Shows a query in the fields; the facets follow with the counts.
  writeFields(query) {
    this.query = { ...EMPTY, ...query };
    byId("q").value = this.query.q;
    for (const name of FIELDS) byId(name).value = this.query[name];
    byId("take").value = this.query.take;
    byId("flagged").checked = this.query.flagged === "true";
  }

  // Asks for a page; false where a later question has overtaken this one or the server refuses.
  async load(offset = 0) {
    this.asked.abort();
    const asked = (this.asked = new AbortController());
    let page;
    try {
      page = await search(this.query, offset, PAGE, asked.signal);
    } catch (error) {
      if (!asked.signal.aborted) this.failed(error);
      return false;
    }
    if (asked.signal.aborted) return false;
    this.samples = page.samples;
    this.offset = page.offset;
    this.total = page.total;
    this.#showFacets(page.counts);
    this.#showList();
    return true;
  }

  async turn(by) {
    const offset = this.offset + by;
    if (offset < 0 || offset >= this.total) return;
    await this.load(offset);
    byId("results").scrollTop = 0;
  }

  // The sample with a number among all that were found; loads its page where needed.
  async at(number) {
    if (number < 0 || number >= this.total) return null;
    if (number < this.offset || number >= this.offset + this.samples.length) {
      if (!(await this.load(Math.floor(number / PAGE) * PAGE))) return null;
    }
    return this.samples[number - this.offset] ?? null;
  }

  numberOf(folder, key) {
    const place = this.samples.findIndex((sample) => sample.key === key && sample.folder === folder);
    return place < 0 ? -1 : this.offset + place;
  }

  // Marks the sample that is shown.
  select(folder, key) {
    for (const item of byId("results").children) {
      const current = item.dataset.key === key && item.dataset.folder === folder;
      if (current) item.setAttribute("aria-current", "true");
      else item.removeAttribute("aria-current");
      if (current) item.scrollIntoView({ block: "nearest" });
    }
  }

  #showFacets(counts) {
    byId("takes").replaceChildren(...counts.take.map(([value, count]) => make("option", { value, label: `${value} (${whole(count)})` })));
    for (const label of document.querySelectorAll("[data-facet]")) {
      const select = label.querySelector("select");
      if (!select) continue; // takes: part of a name is typed
      const facet = label.dataset.facet;
      const values = counts[facet].filter(([value]) => value !== "");
      const chosen = this.query[facet];
      const options = [make("option", { value: "", textContent: "all" })];
      if (chosen && !values.some(([value]) => value === chosen)) values.unshift([chosen, 0]);
      for (const [value, count] of values) options.push(make("option", { value, textContent: `${value} (${whole(count)})` }));
      select.replaceChildren(...options);
      select.value = chosen;
      label.hidden = values.length < 2 && !chosen;
    }
  }

  #showList() {
    const pattern = markedWords(this.query.q);
    const items = this.samples.map((sample, place) => this.#item(sample, this.offset + place, pattern));
    byId("results").replaceChildren(...items);
    byId("total").textContent = `${whole(this.total)} ${this.total === 1 ? "sample" : "samples"}`;
    const last = this.offset + this.samples.length;
    byId("page").textContent = this.total ? `${whole(this.offset + 1)}–${whole(last)}` : "";
    byId("page-back").disabled = this.offset === 0;
    byId("page-on").disabled = last >= this.total;
  }

  #item(sample, number, pattern) {
    const picture = make("img", { src: thumbAddress(sample), loading: "lazy", alt: "", width: 64, height: 64 });
    picture.addEventListener("error", () => {
      picture.replaceWith(make("span", { className: "no-thumb", textContent: "!", title: "The stored clip cannot be shown" }));
    });
    const title = make("span", { className: "result-title" }, ...marked(sample.title, pattern));
    const exos = sample.exos ? ` · ${sample.exos} exo` : "";
    const about = `${sample.scenario || sample.source} · ${seconds(sample.duration_s)}${exos}`;
    const text = make("span", { className: "result-text" }, title, make("span", { className: "about", textContent: about }));
    const button = make("button", { className: "result" }, picture, text);
    if (sample.flagged) button.append(make("span", { className: "flag-mark", textContent: "⚑", title: "flagged" }));
    button.addEventListener("click", () => this.opened(sample, number));
    const item = make("li", {}, button);
    item.dataset.key = sample.key;
    item.dataset.folder = sample.folder;
    return item;
  }
}
