import { $, element, say, table, count } from "./dom.js";
import { lines } from "./charts.js";

// A point is second, read, acknowledged, queue, spilled, p50, p99.
export class Kafka {
  constructor() {
    this.charts = [
      [lines($("chart-rate"), ["dim", "accent"]), 1, 2],
      [lines($("chart-wait"), ["accent", "warn"]), 3, 4],
      [lines($("chart-ack"), ["accent", "warn"]), 5, 6],
    ];
    this.last = 0;
  }

  history(points) {
    this.last = points.at(-1)?.[0] ?? 0;
    for (const [chart, a, b] of this.charts) chart.set(increasing(points).map((point) => [point[0], point[a], point[b]]));
  }

  second(now) {
    const { point } = now;
    if (point.length && point[0] > this.last) {
      this.last = point[0];
      for (const [chart, a, b] of this.charts) chart.add([point[0], point[a], point[b]]);
    }
    this.groups(now);
    const pages = Object.entries(now.pages);
    say($("pages"), pages.length ? `metrics: ${pages.map(([url, there]) => `${url} ${there ? "✓" : "no answer"}`).join(", ")}` : "no metrics page");
  }

  groups(now) {
    const body = $("groups").tBodies[0];
    const sum = (lag) => Object.values(lag).reduce((a, b) => a + b, 0);
    while (body.rows.length > now.groups.length) body.deleteRow(-1);
    now.groups.forEach(([name, state, lag], index) => {
      const row = body.rows[index] ?? body.insertRow();
      while (row.cells.length < 4) row.append(element("td", row.cells.length === 2 ? "n" : ""));
      const topics = Object.entries(lag).map(([topic, number]) => `${topic} ${count(number)}`).join(", ");
      [name, state, count(sum(lag)), topics].forEach((text, at) => say(row.cells[at], text));
    });
    $("groups").hidden = !now.groups.length;
    $("groups-none").hidden = now.groups.length > 0;
    say($("groups-none"), now.groups_unknown ? `Kafka does not say how far groups are: ${now.groups_unknown}` : "No group has committed anything in these topics.");
  }
}

function increasing(points) {
  let last = 0;
  return points.filter(([second]) => second > last && (last = second));
}

export function showSums(now) {
  const found = now.accounting;
  if (!found) {
    $("sums").replaceChildren(element("p", "empty", "Without a metrics page of a producer there is no accounting: start it with KAFKA_METRICS_ENABLED=true and name the page with --metrics."));
    return;
  }
  const ok = found.left === found.right;
  const part = (title, rows) => {
    const node = element("div");
    node.append(element("h3", "", title), table([], rows));
    return node;
  };
  const named = (counts, words = (name) => name) => Object.entries(counts).map(([name, number]) => [words(name), number]);
  const sum = element("div");
  const verdict = element("p", `sum ${ok ? "ok" : "wrong"}`);
  verdict.append(element("b", "", count(found.left)), ` events ${ok ? "=" : "≠"} `, element("b", "", count(found.right)), ` ended or in flight: ${ok ? "every message is accounted for." : "the sum does not agree."}`);
  sum.append(element("h3", "", "The sum"), verdict);
  $("sums").replaceChildren(
    sum,
    part("Frames", [["received", found.frames], ...named(found.rejected, (name) => `rejected: ${name}`)]),
    part("Events", named(found.events)),
    part("Records", [...named(found.outcomes), ["in flight", found.in_flight], ...named(found.recovered, (name) => `of an earlier run: ${name}`)]),
    part("Consumers", [...named(found.consumed), ["jumps seen here", now.jumps]]),
    part("Troubles", [["gaps", found.gaps], ...named(found.resyncs, (name) => `resync: ${name}`), ...named(found.reconnects, (name) => `reconnect: ${name}`)].filter(([, number]) => number > 0)),
  );
}
