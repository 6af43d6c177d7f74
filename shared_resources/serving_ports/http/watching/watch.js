// Watches one row: asks for it again and again, as any reader does, and shows what has changed.
"use strict";

const EACH_MS = 250; // how often the row is asked for
const MARKED_MS = 2500; // how long a change is marked
const MOST_CHANGES = 50;
const FACTS = [
  ["Version", "mesh-version"],
  ["Position", "mesh-position"],
  ["Position written", "mesh-position-age-seconds"],
  ["Version published", "mesh-age-seconds"],
  ["Agreement", "mesh-agreement"],
];

const path = location.pathname.slice("/watch".length);
const [domain, product, ...key] = path.slice(1).split("/");
const at = (id) => document.getElementById(id);
let token = "";
let before = null;
let cells = new Map();
let watching = 0;

function text(tag, said, inside) {
  const made = document.createElement(tag);
  made.textContent = said;
  if (inside) inside.append(made);
  return made;
}

function decoded(part) {
  try { return decodeURIComponent(part); } catch { return part; }
}

function duration(seconds) {
  const s = Number(seconds);
  if (s < 10) return s.toFixed(1) + " s ago";
  if (s < 120) return Math.round(s) + " s ago";
  if (s < 7200) return Math.round(s / 60) + " min ago";
  return Math.round(s / 3600) + " h ago";
}

function say(what, trouble) {
  if (at("state").textContent !== what) at("state").textContent = what;
  at("state").className = trouble ? "trouble" : "";
}

function showFacts(headers) {
  const facts = at("facts");
  facts.replaceChildren();
  for (const [name, header] of FACTS) {
    let value = headers.get(header);
    if (value === null) continue;
    if (header.endsWith("-seconds")) value = duration(value);
    const pair = document.createElement("div");
    text("dt", name, pair);
    text("dd", value, pair);
    facts.append(pair);
  }
  facts.hidden = false;
}

// Columns that are numbered (product_1, score_1, product_2 …) stand beside each other, a row a number.
function numbered(names) {
  const groups = new Map();
  for (const name of names) {
    const found = /^(.+)_([0-9]+)$/.exec(name);
    if (!found) continue;
    if (!groups.has(found[1])) groups.set(found[1], new Map());
    groups.get(found[1]).set(Number(found[2]), name);
  }
  for (const [prefix, members] of groups) if (members.size < 2) groups.delete(prefix);
  return groups;
}

function cell(name, row) {
  const made = document.createElement("td");
  cells.set(name, made);
  row.append(made);
}

function layOut(names) {
  cells = new Map();
  const groups = numbered(names);
  const inGroups = new Set([...groups.values()].flatMap((members) => [...members.values()]));
  const place = at("row");
  place.replaceChildren();
  const plain = document.createElement("table");
  for (const name of names.filter((one) => !inGroups.has(one))) {
    const row = document.createElement("tr");
    text("th", name, row).scope = "row";
    cell(name, row);
    plain.append(row);
  }
  if (plain.rows.length) place.append(plain);
  if (!groups.size) return;
  const ranked = document.createElement("table");
  const head = document.createElement("tr");
  for (const title of ["", ...groups.keys()]) text("th", title, head).scope = "col";
  ranked.append(head);
  const numbers = new Set([...groups.values()].flatMap((members) => [...members.keys()]));
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const row = document.createElement("tr");
    text("th", String(number), row).scope = "row";
    for (const members of groups.values()) {
      if (members.has(number)) cell(members.get(number), row);
      else row.append(document.createElement("td"));
    }
    ranked.append(row);
  }
  place.append(ranked);
}

function show(row, position) {
  const names = Object.keys(row);
  if (!before || names.join() !== Object.keys(before).join()) {
    layOut(names);
    before = null;
  }
  const changed = [];
  for (const name of names) {
    const value = row[name];
    const written = value === null ? "null" : String(value);
    const shown = cells.get(name);
    if (shown.textContent !== written) shown.textContent = written;
    if (before && before[name] !== value) {
      changed.push(name);
      shown.classList.add("changed");
      clearTimeout(shown.fading);
      shown.fading = setTimeout(() => shown.classList.remove("changed"), MARKED_MS);
    }
    shown.classList.toggle("null", value === null);
  }
  if (changed.length) note(changed, position);
  before = row;
}

function note(changed, position) {
  at("history").hidden = false;
  const list = at("changes");
  const where = position === null ? "" : ` at position ${position}`;
  const entry = document.createElement("li");
  entry.textContent = `${new Date().toLocaleTimeString()}${where}: ${changed.join(", ")}`;
  list.prepend(entry);
  while (list.children.length > MOST_CHANGES) list.lastChild.remove();
}

function hide() {
  before = null;
  at("row").replaceChildren();
  at("facts").hidden = true;
}

async function ask(mine) {
  if (mine !== watching) return;
  let wait = EACH_MS;
  try {
    const answer = await fetch(path, {
      headers: { Authorization: `Bearer ${token}`, Accept: "application/json" },
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
    });
    if (mine !== watching) return;
    const said = await answer.json();
    if (answer.ok) {
      say("Watching.", false);
      showFacts(answer.headers);
      show(said, answer.headers.get("mesh-position"));
    } else {
      hide();
      say(`${said.title}: ${said.detail}`, true);
      wait = 2000;
      if (answer.status === 401) {
        token = "";
        at("who").hidden = false;
        return;
      }
    }
  } catch {
    say("The server does not answer; trying again.", true);
    wait = 2000;
  }
  setTimeout(ask, wait, mine);
}

at("product").textContent = `${decoded(domain)}/${decoded(product)}`;
at("key").textContent = key.map(decoded).join(" / ");
document.title = `${decoded(product)} ${key.map(decoded).join(" / ")}`;
at("who").addEventListener("submit", (event) => {
  event.preventDefault();
  token = at("token").value.trim();
  at("token").value = "";
  at("who").hidden = true;
  watching += 1;
  ask(watching);
});
