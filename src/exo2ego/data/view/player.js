// Plays the films of several views by one clock: at any moment every view shows the same frame number.

import { clipAddress, filmAddress, getFilm } from "./api.js";
import { make } from "./dom.js";

const KEPT_PIXELS = 64e6; // of decoded films: 256 MB, twenty clips of 16 frames at 448 px
const LONGEST_PAUSE_S = 0.25; // a tab that was in the background goes on where it was

export class Player {
  constructor(stage, changed) {
    this.stage = stage;
    this.changed = changed; // called after every change of frame, length or playing
    this.films = new Map(); // address -> { film: a promise, pixels }, least recently used first
    this.tiles = [];
    this.frames = 0;
    this.fps = 1;
    this.place = 0; // in frames, with fraction
    this.playing = false;
    this.speed = 1;
    this.loop = true;
    this.loading = 0; // counts loads: an answer to an older one is dropped
  }

  get frame() {
    return Math.min(Math.max(0, this.frames - 1), Math.floor(this.place));
  }

  // Shows views of a sample; keeps the place where it is the same sample. Resolves when all are there or have failed.
  async load(sample, views, { keepPlace = false } = {}) {
    const turn = ++this.loading;
    this.stage.toggleAttribute("data-loading", true);
    const tiles = views.map((view) => this.#tile(sample, view));
    const films = await Promise.allSettled(views.map((view) => this.#film(filmAddress(sample, view))));
    if (turn !== this.loading) return;
    films.forEach((outcome, number) => {
      if (outcome.status === "fulfilled") tiles[number].show(outcome.value);
      else tiles[number].fail(outcome.reason);
    });
    this.stage.replaceChildren(...tiles.map((tile) => tile.figure));
    this.stage.dataset.views = views.length;
    this.stage.toggleAttribute("data-loading", false);
    if (!keepPlace) this.place = 0;
    this.fps = sample.fps;
    this.tiles = tiles;
    const lengths = tiles.filter((tile) => tile.film).map((tile) => tile.film.frames);
    this.frames = lengths.length ? Math.min(...lengths) : 0;
    this.place = Math.min(this.place, Math.max(0, this.frames - 1));
    this.draw();
  }

  // Fetches what will probably be looked at next.
  prefetch(sample, views) {
    for (const view of views) this.#film(filmAddress(sample, view)).catch(() => {});
  }

  #film(address) {
    const kept = this.films.get(address) ?? { film: getFilm(address), pixels: 0 };
    this.films.delete(address);
    this.films.set(address, kept);
    kept.film.then(
      ({ bitmap }) => {
        kept.pixels = bitmap.width * bitmap.height;
        this.#forget();
      },
      () => this.films.delete(address), // a damaged file may have been mended when it is asked for again
    );
    return kept.film;
  }

  // Drops the films that were not used for longest; those on show are held by their tiles.
  #forget() {
    let pixels = [...this.films.values()].reduce((sum, kept) => sum + kept.pixels, 0);
    for (const [address, kept] of this.films) {
      if (pixels <= KEPT_PIXELS) break;
      pixels -= kept.pixels;
      if (kept.pixels) this.films.delete(address);
    }
  }

  #tile(sample, view) {
    const best = view === sample.best_exo;
    const canvas = make("canvas", { role: "img", "aria-label": `${view}, ${sample.title}` });
    const name = make("span", { className: "view-name", textContent: view });
    const caption = make("figcaption", {}, name);
    if (best) caption.append(make("span", { className: "best", textContent: "best" }));
    const link = make("a", { href: clipAddress(sample, view), textContent: "mp4", target: "_blank", title: "The stored file" });
    caption.append(link);
    const figure = make("figure", { className: `tile ${view === "ego" ? "ego" : ""} ${best ? "is-best" : ""}` }, canvas, caption);
    figure.dataset.view = view;
    const tile = { figure, canvas, film: null };
    tile.show = (film) => {
      tile.film = film;
      canvas.width = film.width;
      canvas.height = film.height;
    };
    tile.fail = (error) => {
      const kind = make("strong", { textContent: error.kind || "Cannot be shown" });
      canvas.replaceWith(make("div", { className: "damage", role: "alert" }, kind, make("p", { textContent: error.message })));
    };
    return tile;
  }

  draw() {
    const frame = this.frame;
    for (const { film, canvas } of this.tiles) {
      if (!film) continue;
      const [x, y] = [(frame % film.columns) * film.width, Math.floor(frame / film.columns) * film.height];
      canvas.getContext("2d").drawImage(film.bitmap, x, y, film.width, film.height, 0, 0, film.width, film.height);
    }
    this.stage.dataset.frame = frame;
    this.changed();
  }

  play() {
    if (this.playing) return;
    if (!this.loop && this.frame === this.frames - 1) this.place = 0;
    this.playing = true;
    let before = performance.now();
    const tick = (now) => {
      if (!this.playing) return;
      const passed = Math.min(LONGEST_PAUSE_S, Math.max(0, now - before) / 1000);
      before = now;
      const shown = this.frame;
      this.#advance(passed * this.fps * this.speed);
      if (this.frame !== shown) this.draw();
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
    this.changed();
  }

  #advance(frames) {
    if (!this.frames) return;
    this.place += frames;
    if (this.place < this.frames) return;
    if (this.loop) {
      this.place %= this.frames;
      return;
    }
    this.place = this.frames - 1;
    this.playing = false;
    this.changed();
  }

  pause() {
    this.playing = false;
    this.place = this.frame;
    this.changed();
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  seek(frame) {
    this.pause();
    this.place = Math.min(Math.max(0, frame), Math.max(0, this.frames - 1));
    this.draw();
  }

  step(frames) {
    this.seek(this.frame + frames);
  }
}
