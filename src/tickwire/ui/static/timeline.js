import { $, say, colour, drawing } from "./dom.js";

const SPAN_MS = 600000;
const LANE = 15;
const LABEL = 170;
const BAD = new Set(["gap", "checksum", "jump", "crossed"]);

export class Timeline {
  constructor() {
    this.marks = [];
    this.canvas = $("marks");
    this.canvas.addEventListener("mousemove", (event) => { this.pointer = [event.offsetX, event.offsetY]; });
    this.canvas.addEventListener("mouseleave", () => { this.pointer = null; });
  }

  take(marks) {
    this.marks = marks.map(([key, what, reason, begin, end]) => ({ key, what, reason, begin: begin / 1000, end: end === null ? null : end / 1000 }));
  }

  draw(now) {
    const { context, width, height } = drawing(this.canvas);
    const from = now - SPAN_MS;
    const x = (time) => LABEL + ((Math.max(time, from) - from) / SPAN_MS) * (width - LABEL - 8);
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    this.axis(context, x, from, now, height);
    const lanes = new Map();
    const order = (mark) => (mark.end ?? now) + (mark.what === "invalid" ? 1e9 : 0);
    for (const mark of this.marks.filter((one) => (one.end ?? now) >= from).sort((a, b) => order(b) - order(a))) {
      if (!lanes.has(mark.key)) lanes.set(mark.key, []);
      lanes.get(mark.key).push(mark);
    }
    let top = 4;
    let pointed = "";
    let leftOut = 0;
    for (const [key, marks] of lanes) {
      if (top + LANE > height - 14) {
        leftOut += 1;
        continue;
      }
      context.fillStyle = colour("text");
      context.fillText(key.replace("|", " · "), 8, top + LANE / 2, LABEL - 14);
      for (const mark of marks.sort((a, b) => (a.what === "start") - (b.what === "start"))) {
        const left = x(mark.begin), right = Math.max(x(mark.end ?? now), left + 2);
        context.fillStyle = colour(shade(mark));
        context.fillRect(left, top + 2, right - left, LANE - 4);
        if (this.pointer && this.pointer[1] >= top && this.pointer[1] < top + LANE && this.pointer[0] >= left - 3 && this.pointer[0] <= right + 3) pointed = describe(mark, now);
      }
      top += LANE;
    }
    if (!lanes.size) {
      context.fillStyle = colour("dim");
      context.fillText("No book began, broke or was missed in the last ten minutes.", 8, 14);
    }
    const invalid = this.marks.filter((mark) => mark.what === "invalid");
    const open = invalid.filter((mark) => mark.end === null).length;
    say($("mark-words"), pointed || `${invalid.length} troubles, ${open} last${open === 1 ? "s" : ""} on; the last ten minutes${leftOut ? `; ${leftOut} more symbols` : ""}`);
  }

  axis(context, x, from, now, height) {
    context.strokeStyle = colour("line");
    context.fillStyle = colour("dim");
    context.lineWidth = 1;
    for (let time = Math.ceil(from / 60000) * 60000; time <= now; time += 60000) {
      const at = Math.round(x(time)) + 0.5;
      context.beginPath();
      context.moveTo(at, 0);
      context.lineTo(at, height - 13);
      context.stroke();
      context.fillText(new Date(time).toISOString().slice(11, 16), at - 14, height - 6);
    }
  }
}

const shade = (mark) => (mark.what === "start" ? "up" : BAD.has(mark.reason) ? "down" : mark.reason === "disconnect" ? "dim" : "warn");

function describe(mark, now) {
  const at = new Date(mark.begin).toISOString().slice(11, 23);
  const name = mark.key.replace("|", " · ");
  if (mark.what === "start") return `${name}: begins (${mark.reason}) at ${at}`;
  const seconds = (((mark.end ?? now) - mark.begin) / 1000).toFixed(1);
  return `${name}: invalid (${mark.reason}) from ${at}, ${seconds} s${mark.end === null ? " so far" : ""}`;
}
