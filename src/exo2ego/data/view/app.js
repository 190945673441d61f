// The page as a whole: the address bar, the keyboard, and what follows from what.
//
// The address holds everything: #sample=KEY&folder=NAME&q=...; folder only where there are several.

import { getFolders, getSample, getStatistics, setFlag } from "./api.js";
import { byId, toast } from "./dom.js";
import { Player } from "./player.js";
import { EMPTY, Results } from "./results.js";
import { chosenViews, exoViews, showCameras, showSample, showStatistics } from "./sample.js";

const THEMES = ["auto", "light", "dark"];
const TYPING_PAUSE_MS = 150;
let folders = [];
let sample = null; // the one that is shown
let number = -1; // its number among those found; -1: not among them
let opening = 0; // counts openings: an answer to an older one is dropped
let wish = "best"; // which exo cameras: best, all, or a name
let wantsPlaying = !matchMedia("(prefers-reduced-motion: reduce)").matches;

const player = new Player(byId("stage"), showTransport);
const results = new Results({ opened: (found, place) => open(found.folder, found.key, place), failed: complain });

function complain(error) {
  toast(error.message);
  if (!sample) byId("empty").textContent = error.message;
}

// ---- the address

function readAddress() {
  const words = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  const query = Object.fromEntries(Object.entries(words).filter(([name]) => name in EMPTY));
  return { query: { ...query, folder: words.only ?? "" }, key: words.sample ?? "", folder: words.folder ?? "" };
}

function address() {
  const words = new URLSearchParams();
  if (sample) words.set("sample", sample.key);
  if (sample && folders.length > 1) words.set("folder", sample.folder);
  for (const [name, value] of Object.entries(results.query)) {
    if (value && value !== EMPTY[name]) words.set(name === "folder" ? "only" : name, value);
  }
  return `#${words}`;
}

function writeAddress(kind) {
  if (address() !== location.hash) history[kind](null, "", address());
}

async function followAddress() {
  const asked = readAddress();
  results.writeFields(asked.query);
  if (!(await results.load())) return;
  if (asked.key) {
    const homes = asked.folder ? [asked.folder] : folders.map((folder) => folder.name);
    for (const home of homes) {
      const how = { quietly: homes.length > 1, write: "replaceState" };
      if (await open(home, asked.key, results.numberOf(home, asked.key), how)) return;
    }
    toast(`no sample ${asked.key} in these folders`);
  }
  await openFirst();
}

// ---- one sample

async function open(folder, key, place, { quietly = false, write = "pushState" } = {}) {
  const turn = ++opening;
  number = place;
  let found;
  try {
    found = await getSample(folder, key);
  } catch (error) {
    if (!quietly) complain(error);
    return false;
  }
  if (turn !== opening) return true; // another one has been asked for since
  sample = found;
  delete byId("viewer").dataset.ready;
  byId("viewer").hidden = false;
  byId("empty").hidden = true;
  showSample(sample, results.query.q);
  results.select(folder, key);
  writeAddress(write);
  document.title = `${sample.title} · exo2ego data view`;
  await showViews();
  if (turn !== opening) return true;
  if (wantsPlaying) player.play();
  byId("viewer").dataset.ready = key;
  const next = results.samples[number + 1 - results.offset];
  if (number >= 0 && next) prefetch(next);
  return true;
}

async function prefetch(next) {
  const whole = await getSample(next.folder, next.key).catch(() => null);
  if (whole) player.prefetch(whole, chosenViews(whole, wish));
}

async function openFirst() {
  const first = await results.at(results.offset);
  if (first) await open(first.folder, first.key, results.offset, { write: "replaceState" });
  else nothingFound();
}

function nothingFound() {
  sample = null;
  player.pause();
  byId("viewer").hidden = true;
  byId("empty").hidden = false;
  byId("empty").textContent = "Nothing fits. Change the words or the filters.";
  writeAddress("replaceState");
}

async function showViews(keepPlace = false) {
  showCameras(sample, wish, chooseCamera);
  await player.load(sample, chosenViews(sample, wish), { keepPlace });
}

function chooseCamera(value) {
  wish = value;
  return showViews(true);
}

async function move(by) {
  const place = number + by;
  if (place < 0 || place >= results.total) {
    toast(by > 0 ? "That was the last one." : "That was the first one.");
    return;
  }
  number = place; // at once: keys may come faster than answers
  const found = await results.at(place);
  if (found && number === place) await open(found.folder, found.key, place);
}

async function openRandom() {
  if (!results.total) return;
  const place = Math.floor(Math.random() * results.total);
  const found = await results.at(place);
  if (found) await open(found.folder, found.key, place);
}

async function toggleFlag() {
  if (!sample) return;
  const shown = sample;
  if (shown.flagged) await sendFlag(shown, false, "");
  else askReason((reason) => sendFlag(shown, true, reason));
}

function askReason(given) {
  const dialog = byId("flagging");
  dialog.returnValue = "";
  byId("reason").value = "";
  dialog.onclose = () => dialog.returnValue === "flag" && given(byId("reason").value.trim());
  dialog.showModal();
}

async function sendFlag(shown, flagged, reason) {
  try {
    await setFlag(shown, flagged, reason);
  } catch (error) {
    complain(error);
    return;
  }
  Object.assign(shown, { flagged, reason });
  if (shown === sample) showSample(sample, results.query.q);
  const listed = results.samples.find((found) => found.key === shown.key && found.folder === shown.folder);
  if (listed) await results.load(results.offset).then(() => results.select(sample.folder, sample.key));
  toast(flagged ? "Flagged." : "The flag is gone.");
}

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied`);
  } catch {
    toast(text);
  }
}

// ---- the transport

function showTransport() {
  const scrub = byId("scrub");
  scrub.max = Math.max(0, player.frames - 1);
  scrub.value = player.frame;
  byId("clock").textContent = player.frames ? `frame ${player.frame + 1} / ${player.frames} · ${(player.frame / player.fps).toFixed(3)} s` : "no frames";
  byId("play").querySelector("use").setAttribute("href", player.playing ? "#i-pause" : "#i-play");
  byId("play").setAttribute("aria-label", player.playing ? "Pause" : "Play");
}

function togglePlaying() {
  player.toggle();
  wantsPlaying = player.playing;
}

function step(by) {
  wantsPlaying = false;
  player.step(by);
}

function seek(frame) {
  wantsPlaying = false;
  player.seek(frame);
}

function toggleLoop() {
  player.loop = !player.loop;
  byId("loop").setAttribute("aria-pressed", String(player.loop));
}

function changeSpeed(by) {
  const select = byId("speed");
  select.selectedIndex = Math.min(Math.max(0, select.selectedIndex + by), select.length - 1);
  player.speed = Number(select.value);
}

function nextCamera() {
  if (!sample) return;
  const exos = exoViews(sample);
  const shown = chosenViews(sample, wish);
  const place = wish === "all" ? -1 : exos.findIndex((view) => shown.includes(view));
  if (exos.length) chooseCamera(exos[(place + 1) % exos.length]);
}

// ---- searching

async function searchAgain() {
  results.readFields();
  if (!(await results.load())) return;
  const place = sample ? results.numberOf(sample.folder, sample.key) : -1;
  if (place < 0) return openFirst();
  number = place;
  showSample(sample, results.query.q);
  results.select(sample.folder, sample.key);
  return writeAddress("replaceState");
}

function reset() {
  results.writeFields({});
  results.query = { ...EMPTY };
  for (const field of document.querySelectorAll("[data-facet] select, [data-facet] input")) field.value = "";
  return searchAgain();
}

// ---- dialogs and theme

async function openStatistics() {
  const place = byId("statistics").querySelector("div");
  place.textContent = "Counting…";
  byId("statistics").showModal();
  try {
    const figures = await Promise.all(folders.map((folder) => getStatistics(folder.name)));
    place.replaceChildren(...figures.flatMap(showStatistics));
  } catch (error) {
    place.textContent = error.message;
  }
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  byId("theme").textContent = `Theme: ${theme}`;
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // no storage: the choice lasts as long as the page
  }
}

function storedTheme() {
  try {
    return localStorage.getItem("theme");
  } catch {
    return null;
  }
}

function nextTheme() {
  setTheme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length]);
}

// ---- the keyboard

const KEYS = {
  " ": togglePlaying,
  ArrowLeft: () => step(-1),
  ArrowRight: () => step(1),
  Home: () => seek(0),
  End: () => seek(player.frames - 1),
  j: () => move(1),
  k: () => move(-1),
  "[": () => results.turn(-50),
  "]": () => results.turn(50),
  "-": () => changeSpeed(-1),
  "+": () => changeSpeed(1),
  "=": () => changeSpeed(1),
  l: toggleLoop,
  c: nextCamera,
  a: () => sample && chooseCamera(wish === "all" ? "best" : "all"),
  f: toggleFlag,
  y: () => sample && copy(sample.key, "Id"),
  r: openRandom,
  s: openStatistics,
  t: nextTheme,
  "?": () => byId("help").showModal(),
  "/": () => byId("q").select(),
};

function isTyping(target) {
  return target.matches("input:not([type=range]):not([type=checkbox]), select, textarea");
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (isTyping(event.target)) {
    if (event.key === "Escape" || (event.key === "Enter" && event.target === byId("q"))) event.target.blur();
    return;
  }
  const action = KEYS[event.key];
  if (!action) return;
  event.preventDefault(); // space must not press the button that has the focus as well
  action();
});
// A button that has the focus is pressed when space is released, whatever keydown does, in some browsers.
document.addEventListener("keyup", (event) => {
  if (event.key === " " && !isTyping(event.target) && !document.querySelector("dialog[open]")) event.preventDefault();
});

// ---- wiring

const CLICKS = {
  play: togglePlaying, "step-back": () => step(-1), "step-on": () => step(1), loop: toggleLoop,
  back: () => move(-1), on: () => move(1), flag: toggleFlag, random: openRandom, theme: nextTheme,
  "copy-id": () => copy(sample.key, "Id"), "copy-link": () => copy(location.href, "Link"),
  "show-statistics": openStatistics, "show-help": () => byId("help").showModal(), reset,
};
for (const [id, action] of Object.entries(CLICKS)) byId(id).addEventListener("click", action);
byId("scrub").addEventListener("input", (event) => seek(Number(event.target.value)));
byId("speed").addEventListener("change", () => changeSpeed(0));
let typing = 0;
byId("q").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(searchAgain, TYPING_PAUSE_MS);
});
byId("filters").addEventListener("change", searchAgain);
addEventListener("hashchange", () => location.hash !== address() && followAddress());

setTheme(THEMES.includes(storedTheme()) ? storedTheme() : "auto");
if (matchMedia("(max-width: 860px)").matches) byId("filters").open = false;
try {
  folders = (await getFolders()).folders;
  await followAddress();
} catch (error) {
  complain(error);
}
