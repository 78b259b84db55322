import { $, element, say, colour, drawing, places, short, trim } from "./dom.js";

// The columns of a row as the server sends it.
const [NUMBER, EXCHANGE, SYMBOL, BID, BID_SIZE, ASK, ASK_SIZE, SPREAD, BPS, LAST, LAST_US, STATE, SINCE] = Array(13).keys();
const HEIGHT = 21;
const KEPT = 60;
const SPARK = [60, 16];
const OLD_MS = 60000;

const COLUMNS = [
  ["exchange", "exchange", (row) => row[EXCHANGE]],
  ["symbol", "symbol", (row) => row[SYMBOL]],
  ["bid size", "n size", (row) => Number(row[BID_SIZE])],
  ["bid", "n bid", (row) => Number(row[BID])],
  ["ask", "n ask", (row) => Number(row[ASK])],
  ["ask size", "n size", (row) => Number(row[ASK_SIZE])],
  ["spread", "n", (row) => Number(row[SPREAD])],
  ["bp", "n", (row) => Number(row[BPS])],
  ["last", "n", (row) => Number(row[LAST])],
  ["age", "n", (row) => -row[LAST_US]],
  ["book", "", (row) => (row[STATE] === "valid" ? "~" : row[STATE] ?? "~~")],
  ["messages/s", "n", null],
];

export class Symbols {
  constructor(onPick) {
    this.onPick = onPick;
    this.list = $("list");
    this.pool = [];
    this.sorted = [1, 1];
    this.clear();
    COLUMNS.forEach(([name, kind], index) => {
      const cell = $("heading").appendChild(element("span", kind, name));
      cell.addEventListener("click", () => {
        this.sorted = this.sorted[0] === index ? [index, -this.sorted[1]] : [index, 1];
        this.arrange();
      });
    });
    $("filter").addEventListener("input", () => this.arrange());
    this.list.addEventListener("scroll", () => this.draw(), { passive: true });
    this.list.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(this.list);
  }

  clear() {
    this.rows = new Map(); // by number
    this.rates = new Map();
    this.places = new Map(); // that the prices of a symbol have needed so far
    this.order = [];
    this.picked = null;
    this.now = Date.now();
  }

  get size() { return this.rows.size; }

  take(rows) {
    let fresh = false;
    for (const row of rows) {
      const needed = Math.max(this.places.get(row[NUMBER]) ?? 0, places(row[BID]), places(row[ASK]), places(row[LAST]));
      this.places.set(row[NUMBER], needed);
      fresh ||= !this.rows.has(row[NUMBER]);
      this.rows.set(row[NUMBER], row);
    }
    $("none").hidden = this.rows.size > 0;
    if (fresh) this.arrange();
    else this.draw();
    if (this.picked === null && this.order.length) this.pick(this.order[0]);
  }

  history(rates) {
    for (const [number, seconds] of Object.entries(rates)) this.rates.set(Number(number), seconds);
  }

  second(counts) {
    counts.forEach((number, index) => {
      const rates = this.rates.get(index) ?? [];
      rates.push(number);
      if (rates.length > KEPT) rates.shift();
      this.rates.set(index, rates);
    });
    const states = [...this.rows.values()].map((row) => row[STATE]);
    this.valid = states.filter((state) => state === "valid").length;
    this.books = states.filter((state) => state !== null).length;
    this.arrange(true);
  }

  clock(now) {
    this.now = now;
    for (const line of this.pool) if (line.number !== null) this.age(line, this.rows.get(line.number));
  }

  arrange(withRates = false) {
    const words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const fits = (row) => words.every((word) => `${row[EXCHANGE]} ${row[SYMBOL]} ${row[STATE] === "valid" ? "valid" : row[STATE] ? `invalid ${row[STATE]}` : ""}`.toLowerCase().includes(word));
    const [index, way] = this.sorted;
    const value = COLUMNS[index][2] ?? ((row) => -(this.rates.get(row[NUMBER])?.at(-1) ?? 0));
    const names = (row) => `${row[SYMBOL]} ${row[EXCHANGE]}`;
    const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
    const found = [...this.rows.values()].filter(fits);
    found.sort((a, b) => way * compare(value(a), value(b)) || compare(names(a), names(b)));
    this.order = found.map((row) => row[NUMBER]);
    [...$("heading").children].forEach((cell, at) => cell.classList.toggle("sorted", at === index));
    say($("shown"), found.length === this.rows.size ? "" : `${found.length} of ${this.rows.size}`);
    this.draw(withRates);
  }

  draw(withRates = false) {
    const first = Math.max(0, Math.floor(this.list.scrollTop / HEIGHT) - 2);
    const wanted = Math.min(this.order.length - first, Math.ceil(this.list.clientHeight / HEIGHT) + 5);
    $("rows").style.height = `${this.order.length * HEIGHT}px`;
    while (this.pool.length < wanted) this.pool.push(this.line());
    this.pool.forEach((line, index) => {
      line.node.hidden = index >= wanted;
      line.node.style.display = index >= wanted ? "none" : "";
      if (index >= wanted) line.number = null;
      else this.fill(line, first + index, withRates);
    });
  }

  line() {
    const node = element("div", "row");
    node.setAttribute("role", "row");
    const cells = COLUMNS.map(([, kind]) => node.appendChild(element("span", `cell ${kind}`)));
    const state = cells[10].appendChild(element("span", "state"));
    cells[11].classList.add("rate");
    const rate = cells[11].appendChild(element("span"));
    const spark = cells[11].appendChild(element("canvas"));
    const line = { node, cells, state, rate, spark, number: null, at: -1 };
    node.addEventListener("click", () => line.number !== null && this.pick(line.number));
    $("rows").append(node);
    return line;
  }

  fill(line, at, withRates) {
    const number = this.order[at];
    const row = this.rows.get(number);
    const other = line.number !== number;
    line.number = number;
    if (line.at !== at) line.node.style.transform = `translateY(${at * HEIGHT}px)`;
    line.at = at;
    const { cells } = line;
    if (other) {
      line.node.dataset.key = `${row[EXCHANGE]}|${row[SYMBOL]}`;
      cells[1].title = row[SYMBOL];
    }
    const price = (column) => trim(row[column], this.places.get(number));
    line.node.classList.toggle("picked", number === this.picked);
    [row[EXCHANGE], row[SYMBOL], short(row[BID_SIZE]), price(BID), price(ASK), short(row[ASK_SIZE]), row[SPREAD] ?? "", row[BPS] ?? "", price(LAST)].forEach((text, index) => {
      if (cells[index].textContent === text) return;
      if (!other && (index === 3 || index === 4)) this.flash(cells[index], Number(text) >= Number(cells[index].textContent));
      cells[index].textContent = text;
    });
    this.age(line, row);
    say(line.state, row[STATE] ?? "");
    line.state.className = `state ${row[STATE] === "valid" ? "valid" : row[STATE] === "waits" ? "" : "bad"}`;
    line.state.title = row[SINCE] ? `since ${new Date(row[SINCE] / 1000).toISOString()}` : "";
    if (withRates || other) this.spark(line, this.rates.get(number) ?? []);
  }

  flash(cell, up) {
    cell.animate([{ backgroundColor: colour(up ? "up-flash" : "down-flash") }, { backgroundColor: "transparent" }], 250);
  }

  age(line, row) {
    if (!row) return;
    const ms = Math.max(0, this.now - row[LAST_US] / 1000);
    say(line.cells[9], ms < 9950 ? `${(ms / 1000).toFixed(1)} s` : ms < 120000 ? `${Math.round(ms / 1000)} s` : ms < 7200000 ? `${Math.round(ms / 60000)} min` : `${Math.round(ms / 3600000)} h`);
    line.cells[9].classList.toggle("old", ms > OLD_MS);
  }

  spark(line, rates) {
    say(line.rate, String(rates.at(-1) ?? 0));
    const { context, width, height } = drawing(line.spark, ...SPARK);
    const most = Math.max(1, ...rates);
    context.strokeStyle = colour("accent");
    context.lineWidth = 1;
    context.beginPath();
    rates.forEach((rate, index) => context.lineTo(width - ((rates.length - 1 - index) * width) / (KEPT - 1), height - 1.5 - (rate / most) * (height - 3)));
    context.stroke();
  }

  pick(number) {
    this.picked = number;
    const row = this.rows.get(number);
    this.onPick(`${row[EXCHANGE]}|${row[SYMBOL]}`, { exchange: row[EXCHANGE], symbol: row[SYMBOL] });
    this.draw();
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = Math.min(this.order.length - 1, Math.max(0, this.order.indexOf(this.picked) + step));
    if (at < 0 || !this.order.length) return;
    this.pick(this.order[at]);
    const top = at * HEIGHT;
    if (top < this.list.scrollTop) this.list.scrollTop = top;
    else if (top + HEIGHT > this.list.scrollTop + this.list.clientHeight) this.list.scrollTop = top + HEIGHT - this.list.clientHeight;
  }
}
