import { $, element, say, table, count } from "./dom.js";

export class Letters {
  constructor() {
    this.form = $("letters-form");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.read();
    });
    $("replay").addEventListener("click", () => this.plan());
    $("confirm-typed").addEventListener("input", () => { $("confirm-send").disabled = $("confirm-typed").value !== this.topic; });
    $("confirm").addEventListener("close", () => $("confirm").returnValue === "send" && this.send());
  }

  about({ replay, dlq_topic: topic }) {
    this.topic = topic;
    $("replay").hidden = !replay;
    $("may-replay").hidden = !replay;
  }

  opened() {
    if (!this.asked) this.read();
  }

  wanted() {
    return Object.fromEntries([...new FormData(this.form)].filter(([, text]) => text !== ""));
  }

  async read() {
    this.asked = this.wanted();
    say($("letters-words"), "reads …");
    const found = await ask(`/dead-letters?${new URLSearchParams(this.asked)}`);
    if (found.error) return say($("letters-words"), found.error);
    say($("letter"), "");
    const types = new Set([...$("error-types").options].map((option) => option.value));
    for (const { error_type: type } of found.letters) if (type) types.add(type);
    $("error-types").replaceChildren(...[...types].map((type) => element("option", "", type)));
    const rows = found.letters.map((letter) => [`${letter.partition}:${letter.offset}`, time(letter.timestamp_ms), letter.error_type ?? "?", `${letter.source_topic ?? "?"}:${letter.source_partition ?? "?"}:${letter.source_offset ?? "?"}`, letter.key ?? "(bytes)", letter.replay_count ?? "?", letter.error_message ?? ""]);
    const shown = table(["place", "time", "error", "source", "key", "replays", "message"], rows);
    [...shown.tBodies[0].rows].forEach((row, index) => row.addEventListener("click", () => {
      for (const other of shown.tBodies[0].rows) other.classList.toggle("picked", other === row);
      say($("letter"), whole(found.letters[index]));
    }));
    $("letters-list").replaceChildren(shown);
    const several = `${count(rows.length)} dead letter${rows.length === 1 ? "" : "s"}`;
    say($("letters-words"), found.complete ? `${several}: all that fit` : `The oldest ${several} that fit; there are more`);
  }

  async plan() {
    const planned = await command({ wanted: this.asked ?? this.wanted() });
    if (planned.error) return say($("letters-words"), planned.error);
    const goes = planned.routes.filter((route) => route.action !== "stay").reduce((sum, route) => sum + route.records, 0);
    say($("confirm-words"), `${count(goes)} dead letters would be sent to where they failed.`);
    $("confirm-routes").replaceChildren(...table(["what", "to", "why", "records"], planned.routes.map((route) => [route.action, route.to, route.reason, route.records])).children);
    say($("confirm-name"), this.topic);
    $("confirm-typed").value = "";
    $("confirm-send").disabled = true;
    $("confirm").returnValue = "";
    $("confirm").showModal();
  }

  async send() {
    const done = await command({ wanted: this.asked ?? this.wanted(), execute: true, confirm: $("confirm-typed").value });
    const sent = Object.entries(done.sent ?? {}).map(([topic, number]) => `${count(number)} to ${topic}`).join(", ");
    await this.read();
    say($("letters-words"), done.error ?? `Sent ${sent || "nothing"}.`);
  }
}

async function ask(address, options = {}) {
  try {
    return await (await fetch(address, options)).json();
  } catch {
    return { error: "The page server does not answer." };
  }
}

const command = (body) => ask("/replay", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

const time = (ms) => (ms === null ? "-" : new Date(ms).toISOString().slice(0, 19).replace("T", " "));

function whole(letter) {
  const lines = Object.entries(letter).filter(([name]) => name !== "headers" && !name.endsWith("_base64")).map(([name, text]) => `${name}: ${text}`);
  const headers = letter.headers.map((header) => `header ${header.name}: ${header.value ?? `${header.value_base64} (base64)`}`);
  return [...lines, ...headers, ...(letter.value === null && letter.value_base64 ? [`value_base64: ${letter.value_base64}`] : [])].join("\n");
}
