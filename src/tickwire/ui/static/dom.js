// Everything from outside comes in through these: as text, never as markup.

export const $ = (id) => document.getElementById(id);

export function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== "") made.textContent = text;
  return made;
}

export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function table(headings, rows) {
  const made = element("table");
  const top = made.createTHead().insertRow();
  for (const heading of headings) top.append(element("th", "", heading));
  const body = made.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const cell of row) line.append(typeof cell === "number" ? element("td", "n", count(cell)) : element("td", "", cell ?? ""));
  }
  return made;
}

export const count = (number) => Number(number).toLocaleString("en-US");

// Kept, because asking the browser makes it work out all styles first.
const colours = new Map();
const scheme = matchMedia("(prefers-color-scheme: dark)");
scheme.addEventListener("change", () => colours.clear());

export function colour(name) {
  if (!colours.has(name)) colours.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
  return colours.get(name);
}

export const whenColoursChange = (what) => scheme.addEventListener("change", what);

// A canvas with as many pixels as it has on the screen; gives its context in units of CSS.
export function drawing(canvas, width = canvas.clientWidth, height = canvas.clientHeight) {
  const scale = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

export const short = (text) => (text === null ? "" : text.includes(".") ? text.replace(/\.?0+$/, "") : text);

// A number with as many places as its column needs: only zeros at the end are left out.
export function trim(text, places) {
  if (text === null || !text.includes(".")) return text ?? "";
  const least = text.indexOf(".") + (places ? places + 1 : 0);
  let end = text.length;
  while (end > least && (text[end - 1] === "0" || text[end - 1] === ".")) end -= 1;
  return text.slice(0, end);
}

export const places = (text) => (text === null || !text.includes(".") ? 0 : short(text).split(".")[1]?.length ?? 0);
