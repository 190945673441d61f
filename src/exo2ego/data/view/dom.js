// Elements made from data. Texts are set as texts, never as HTML: a narration cannot become part of the page.

export const byId = (id) => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// The words of a search, so that they can be marked; the rule is that of view_search.parse_words.
export function markedWords(query) {
  const words = [];
  for (const [, minus, phrase, word] of query.matchAll(/(-?)(?:"([^"]*)"?|(\S+))/g)) {
    const said = (phrase || word || "").match(/[\p{L}\p{N}]+/gu);
    if (minus || !said) continue;
    const inside = said.map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("[^\\p{L}\\p{N}]+");
    words.push(phrase ? `${inside}(?![\\p{L}\\p{N}])` : inside);
  }
  return words.length ? new RegExp(`(?<![\\p{L}\\p{N}])(?:${words.join("|")})`, "giu") : null;
}

// A text with the words found in <mark>.
export function marked(text, pattern) {
  if (!pattern) return [text];
  const parts = [];
  let from = 0;
  for (const found of text.matchAll(pattern)) {
    parts.push(text.slice(from, found.index), make("mark", { textContent: found[0] }));
    from = found.index + found[0].length;
  }
  return [...parts, text.slice(from)];
}

let hiding = 0;
export function toast(text) {
  const place = byId("toast");
  place.textContent = text;
  place.classList.add("shown");
  clearTimeout(hiding);
  hiding = setTimeout(() => place.classList.remove("shown"), 2500);
}

export const seconds = (value) => `${value.toFixed(value < 10 ? 2 : 1)} s`;
export const whole = (value) => value.toLocaleString("en");
