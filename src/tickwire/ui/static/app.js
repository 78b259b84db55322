import { $, element, say, count } from "./dom.js";
import { Symbols } from "./symbols.js";
import { Book } from "./book.js";
import { Timeline } from "./timeline.js";
import { Kafka, showSums } from "./kafka.js";
import { Letters } from "./letters.js";

const book = new Book();
const symbols = new Symbols((key, row) => book.open(key, row));
const timeline = new Timeline();
const kafka = new Kafka();
const letters = new Letters();

let skew = 0; // the server's clock less ours, in milliseconds
let run = null;
let lastWord = 0;

function heard(event) {
  lastWord = Date.now();
  const data = JSON.parse(event.data);
  if (data.now_us) skew = data.now_us / 1000 - Date.now();
  return data;
}

function state(word, kind) {
  say($("link"), word);
  $("link").className = `link ${kind}`;
}

const events = new EventSource("/events");

events.addEventListener("hello", (event) => {
  const about = heard(event);
  if (run !== about.run) {
    run = about.run;
    symbols.clear();
    book.again();
  }
  say($("brokers"), about.brokers);
  symbols.history(about.rates);
  kafka.history(about.lines);
  letters.about(about);
});

events.addEventListener("rows", (event) => symbols.take(heard(event).rows));
events.addEventListener("marks", (event) => timeline.take(heard(event)));

events.addEventListener("second", (event) => {
  const now = heard(event);
  symbols.second(now.counts);
  say($("total"), count(now.rate));
  say($("count"), count(symbols.size));
  say($("valid"), symbols.books ? `${count(symbols.valid)} of ${count(symbols.books)}` : "0");
  showWords(now.words);
  kafka.second(now);
  showSums(now);
});

events.addEventListener("error", () => state("page server away", "lost"));

function showWords(words) {
  const list = $("words");
  while (list.children.length > words.length) list.lastChild.remove();
  words.forEach((text, index) => say(list.children[index] ?? list.appendChild(element("li")), text));
}

for (const tab of document.querySelectorAll("#tabs button")) {
  tab.addEventListener("click", () => {
    for (const other of document.querySelectorAll("#tabs button")) {
      other.setAttribute("aria-selected", String(other === tab));
      $(other.dataset.panel).hidden = other !== tab;
    }
    if (tab.dataset.panel === "letters") letters.opened();
  });
}

setInterval(() => {
  const now = Date.now() + skew;
  if (lastWord && Date.now() - lastWord < 3000) state("live", "live");
  else if (lastWord) state("page server away", "lost");
  say($("clock"), new Date(now).toISOString().slice(11, 19));
  symbols.clock(now);
  timeline.draw(now);
}, 250);
