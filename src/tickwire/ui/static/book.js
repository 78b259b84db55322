import { $, element, say, count, places, short, trim } from "./dom.js";
import { depthChart } from "./charts.js";

const SHOWN = 40;
const PLACES = 24;
const SUM_PLACES = 4; // of a total that are shown

// Sizes are added as whole numbers of 10^-24, so that a total is exact.
function whole(text) {
  const [before, after = ""] = text.split(".");
  return BigInt(before + after.padEnd(PLACES, "0").slice(0, PLACES));
}

function written(number) {
  const digits = number.toString().padStart(PLACES + 1, "0");
  return short(`${digits.slice(0, -PLACES)}.${digits.slice(-PLACES).slice(0, SUM_PLACES)}`);
}

const plain = (text) => /^\d+(\.\d+)?$/.test(text); // others have an exponent, which no total is made of

export class Book {
  constructor() {
    this.source = null;
    this.key = null;
    this.chart = depthChart($("depth"));
  }

  open(key, row) {
    if (key === this.key) return;
    this.key = key;
    say($("book-name"), `${row.symbol} · ${row.exchange}`);
    this.show(null);
    this.again();
  }

  again() {
    this.source?.close();
    if (this.key === null) return;
    this.source = new EventSource(`/book?key=${encodeURIComponent(this.key)}`);
    this.source.addEventListener("book", (event) => this.show(JSON.parse(event.data)));
  }

  show(book) {
    const state = $("book-state");
    say(state, book?.state ?? "");
    state.className = `state ${book?.state === "valid" ? "valid" : book?.state === "waits" ? "" : "bad"}`;
    say($("book-facts"), book ? `${count(book.levels[0])} × ${count(book.levels[1])} levels · no. ${count(book.book_seq)}` : "");
    const bids = totals(book?.bids ?? []), asks = totals(book?.asks ?? []);
    const deepest = [bids, asks].map((side) => side[Math.min(side.length, SHOWN) - 1]?.[2] ?? 0n).reduce((a, b) => (a > b ? a : b), 1n);
    const needed = Math.max(0, ...[...bids, ...asks].map(([price]) => places(price)));
    fill($("bids"), bids, deepest, needed, false);
    fill($("asks"), asks, deepest, needed, true);
    this.chart.show(bids, asks);
  }
}

function totals(levels) {
  let total = 0n;
  return levels.map(([price, size]) => [price, size, (total += plain(size) ? whole(size) : 0n)]);
}

function fill(node, levels, deepest, needed, asks) {
  const wanted = Math.min(levels.length, SHOWN);
  while (node.children.length > wanted) node.lastChild.remove();
  while (node.children.length < wanted) {
    const line = element("div", asks ? "level ask" : "level");
    line.append(element("i"), element("span", asks ? "price" : "dim"), element("span"), element("span", asks ? "dim" : "price"));
    node.append(line);
  }
  for (let index = 0; index < wanted; index += 1) {
    const [bar, first, second, third] = node.children[index].children;
    const [price, size, total] = levels[index];
    say(asks ? first : third, trim(price, needed));
    say(second, short(size));
    say(asks ? third : first, written(total));
    bar.style.width = `${Number((total * 1000n) / deepest) / 10}%`;
  }
}
