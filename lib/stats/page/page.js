// Draws what /api/stats and /api/history say, once a second.  Everything that came in with a
// record is set as text, never as markup.
"use strict";

const roles = {
  pop: "claims tasks", auth: "may they?", risk: "should they?", lookup: "finds devices",
  dedupe: "sent before?", fatigue: "too many?", apns: "to Apple", fcm: "to Google",
  ack: "settles", stats: "counts",
};
const windowSeconds = 10;

function make(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {}))
    if (value !== null && value !== undefined) e.setAttribute(name, value);
  e.append(...children.filter(c => c !== null && c !== undefined));
  return e;
}

// Replaces a section's content only when it has changed, so that a selection survives.
const shown = new Map();
function show(id, data, build) {
  const key = JSON.stringify(data);
  if (shown.get(id) === key) return;
  shown.set(id, key);
  document.getElementById(id).replaceChildren(...build());
}

function count(n) {
  if (n === null || n === undefined) return "–";
  if (n >= 1e7) return (n / 1e6).toFixed(1) + " M";
  if (n >= 1e5) return (n / 1e3).toFixed(0) + " k";
  if (n >= 10 || Number.isInteger(n)) return Math.round(n).toLocaleString("en");
  return n.toFixed(1);
}

function time(us) {
  if (!us) return "–";
  if (us < 1000) return Math.round(us) + " µs";
  if (us < 1e5) return (us / 1000).toFixed(1) + " ms";
  if (us < 1e6) return (us / 1000).toFixed(0) + " ms";
  if (us < 6e7) return (us / 1e6).toFixed(1) + " s";
  if (us < 36e8) return (us / 6e7).toFixed(0) + " min";
  return (us / 36e8).toFixed(1) + " h";
}

function share(part, whole, digits = 2) {
  if (!whole) return "–";
  const percent = 100 * part / whole;
  // 99.999 % is not 100 %.
  const text = percent.toFixed(digits);
  return (part < whole && Number(text) === 100 ? "> 99.99" : Number(text).toString()) + " %";
}

const last = (list, n) => (list || []).slice(-n);
const mean = list => list.length ? list.reduce((a, b) => a + b, 0) / list.length : 0;
const most = list => list.length ? Math.max(...list) : 0;

function spark(values, kind) {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  // One burst must not flatten all the rest: what is far above the others is cut off.
  const usual = [...values].sort((a, b) => a - b)[Math.floor(values.length * 0.95)] || 0;
  const top = Math.max(1, Math.min(most(values), 2 * usual || most(values)));
  const points = values.map((v, i) =>
    `${(100 * i / Math.max(1, values.length - 1)).toFixed(1)},${(21 - 19 * Math.min(v, top) / top).toFixed(1)}`);
  svg.setAttribute("viewBox", "0 0 100 22");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", "spark " + kind);
  svg.setAttribute("aria-hidden", "true");
  for (const area of [true, false]) {
    const path = document.createElementNS(ns, "path");
    if (area) path.setAttribute("class", "area");
    if (points.length > 1)
      path.setAttribute("d", area ? `M0,22L${points.join("L")}L100,22Z` : `M${points.join("L")}`);
    svg.append(path);
  }
  return svg;
}

function pair(big, small, kind) {
  return make("div", { class: "pair" }, make("b", { class: kind }, big), make("span", {}, small));
}

function pipe(waiting) {
  return make("div", { class: waiting > 0 ? "pipe full" : "pipe" },
    waiting > 0 ? make("b", { title: `${waiting} records wait here` }, count(waiting)) : null);
}

function queueStep(stats) {
  const card = make("div", { class: "card queue" }, make("h3", {}, "queues", make("span", {}, "Redis")));
  if (!stats.queues_known) card.append(make("p", { class: "bad" }, "not reached"));
  for (const q of stats.queues) {
    const waiting = q.ready + q.redeliver + q.overdue;
    card.append(pair(count(waiting), q.queue.replace(/^push:/, ""), waiting > 0 ? "late" : null));
    if (q.oldest_age_ms > 1000) card.append(make("p", {}, `oldest ${time(q.oldest_age_ms * 1000)}`));
    if (q.delayed > 0) card.append(make("p", {}, `${count(q.delayed)} come again later`));
    if (q.dead > 0) card.append(make("p", { class: "bad" }, `${count(q.dead)} dead letters`));
  }
  return make("li", { class: "step" }, card);
}

function nodeStep(node) {
  const { name, live, track } = node;
  const records = track ? track.records : [];
  const p99 = track ? track.p99_us : [];
  const gone = live && live.processes === 0;
  const slow = node.limit_us && most(last(p99, windowSeconds)) > node.limit_us;
  const programs = gone ? "gone" : live && live.processes > 1 ? `× ${live.processes}` : "";
  return make("li", { class: "step" }, pipe(live ? live.pipe : 0),
    make("div", { class: gone ? "card node gone" : "card node" },
      make("h3", {}, name, make("span", { class: gone ? "bad" : null }, programs)),
      make("p", { class: "role" }, roles[name] || "\u00a0"),
      make("p", { class: "inside" }, live && live.inside > 0 ? `${count(live.inside)} inside` : ""),
      make("div", {}, pair(count(mean(last(records, windowSeconds))), "/s"), spark(records, "")),
      make("div", {}, pair(time(most(last(p99, windowSeconds))), "p99", slow ? "late" : null), spark(p99, "slow"))));
}

function chain(stats, history) {
  const names = (stats.live || []).map(l => l.node);
  for (const n of stats.nodes) if (!names.includes(n.node)) names.push(n.node);
  const steps = stats.queues && stats.queues.length ? [queueStep(stats)] : [];
  for (const name of names) {
    const limits = stats.sla.filter(s => s.of === "node" && s.node === name).map(s => s.limit_us);
    steps.push(nodeStep({
      name, live: (stats.live || []).find(l => l.node === name),
      track: name === "stats" ? { ...history.all, p99_us: [] } : history.nodes.find(n => n.node === name),
      limit_us: limits.length ? Math.min(...limits) : 0,
    }));
  }
  return steps;
}

function fact(name, value) {
  return make("div", {}, make("dt", {}, name), make("dd", {}, value));
}

// What is wrong with a vendor now, in a few words; null: nothing.
function trouble(v, live, track) {
  const facts = live ? live.facts : {};
  const asked = track ? mean(last(track.records, 60)) : 0;
  if (asked > 0 && mean(last(track.accepted, 60)) === 0) return "nothing accepted for a minute";
  if (facts.breakers_open > 0) return facts.breakers_open === 1 ? "a breaker is open" : `${facts.breakers_open} breakers are open`;
  return null;
}

// When a credential ends, and how its token is.
function credential(c) {
  if (!c) return "";
  const end = c.certificate_expires_s || c.token_expires_s;
  const left = end ? end - Date.now() / 1000 : null;
  if (c.token_failures > 0) return make("span", { class: "bad" }, `no token, ${c.token_failures} ×`);
  if (c.certificate_expires_s)
    return make("span", { class: left < 3 * 86400 ? "bad" : left < 14 * 86400 ? "late" : null },
      left > 0 ? `certificate, ${Math.floor(left / 86400)} days left` : "certificate has ended");
  return c.token_age_s >= 0 ? `token, ${time(Math.max(1, c.token_age_s) * 1e6)} old` : "";
}

// The apps at one vendor, those in trouble first.
function vendorApps(v, apps, live) {
  const credentials = live ? live.credentials : [];
  const rows = apps.map(a => ({ app: a.app, at: a.vendors.find(x => x.vendor === v.vendor) })).filter(r => r.at)
    .sort((a, b) => (a.at.success ?? 1) - (b.at.success ?? 1) || b.at.records - a.at.records).slice(0, 6);
  return table(["app", ">records", ">success", ">of all", ">p99", "credential"], rows.map(({ app, at }) => [app, count(at.records),
    make("span", { class: rate(at.success) }, share(at.accepted, at.accepted + at.at_fault)),
    share(at.accepted, at.records), time(at.latency.p99_us), credential(credentials.find(c => c.app === app) ||
      (credentials.length === 1 ? credentials[0] : null))])); // one that all apps share has the first one's name
}

const rate = success => success === null ? null : success < 0.8 ? "bad" : success < 0.95 ? "late" : "good";

function vendorCard(v, live, track, apps) {
  const wrong = trouble(v, live, track);
  const facts = live ? live.facts : {};
  const answers = [...v.answers].sort((a, b) => b.records - a.records).slice(0, 5);
  const list = [
    fact("requests", `${count(mean(last(track ? track.records : [], windowSeconds)))} /s`),
    fact("accepted of all", share(v.accepted, v.records)),
    fact("latency p50", time(v.latency.p50_us)), fact("latency p99", time(v.latency.p99_us)),
  ];
  if (facts.connections !== undefined) list.push(fact("connections", count(facts.connections)), fact("streams", count(facts.streams)));
  if (facts.waiting + facts.delayed > 0) list.push(fact("waiting", count(facts.waiting + facts.delayed)));
  if (facts.goaways > 0) list.push(fact("goaways", count(facts.goaways)));
  return make("article", { class: wrong ? "card vendor gone" : "card vendor" },
    make("div", {}, make("h3", {}, v.vendor),
      make("div", { class: "big " + (wrong ? "bad" : rate(v.success) || "") }, share(v.accepted, v.accepted + v.at_fault)),
      make("p", { class: wrong ? "bad" : null }, wrong || "success")),
    make("dl", {}, ...list),
    make("div", { class: "wide" }, spark(track ? track.accepted : [], "")),
    make("p", { class: "wide" }, answers.map(a => `${a.status || ""} ${a.answer}: ${count(a.records)}`).join("   ·   ")),
    make("div", { class: "wide inner" }, vendorApps(v, apps, live)));
}

function table(heads, rows) {
  const cell = (tag, c, i) => make(tag, { class: heads[i].startsWith(">") ? "n" : null }, ...[].concat(c));
  return make("table", {}, make("thead", {}, make("tr", {}, ...heads.map((t, i) => cell("th", t.replace(/^>/, ""), i)))),
    make("tbody", {}, ...rows.map(r => make("tr", {}, ...r.map((c, i) => cell("td", c, i))))));
}

function bar(part, kind) {
  const inner = make("i");
  inner.style.width = `${(100 * part).toFixed(1)}%`;
  return make("span", { class: "bar " + (kind || "") }, inner);
}

// One line a priority and kind: the whole way, the queue, and the node that keeps least.
function sla(rows) {
  const whats = ["end-to-end", "queue-wait", "node"];
  const classes = new Map();
  for (const r of rows) {
    const key = `${r.priority} ${r.kind}`;
    if (!classes.has(key)) classes.set(key, {});
    const worst = classes.get(key)[r.of];
    if (!worst || r.late / r.records > worst.late / worst.records) classes.get(key)[r.of] = r;
  }
  if (!classes.size) return [make("p", { class: "none" }, "no record yet")];
  const cell = r => {
    if (!r) return "–";
    const kept = 1 - r.late / r.records;
    const where = r.of === "node" && r.late > 0 ? ` at ${r.node}` : "";
    return [bar(kept, kept >= 0.99 ? "good" : kept >= 0.9 ? "late" : "bad"), share(r.records - r.late, r.records),
      make("small", { title: `${r.late} of ${r.records} were late` }, `within ${time(r.limit_us).replace(".0 ", " ")}${where}`)];
  };
  return [table(["priority", "end to end", "queue wait", "every node"],
    [...classes].map(([name, of]) => [name, ...whats.map(w => cell(of[w]))]))];
}

function outcomes(rows, total) {
  if (!rows.length) return [make("p", { class: "none" }, "no record yet")];
  const sorted = [...rows].sort((a, b) => b.records - a.records);
  return [table(["outcome", "reason", ">records", "share"], sorted.map(r => [
    make("span", { class: "tag " + r.outcome }, r.outcome), r.reason, count(r.records),
    [bar(r.records / total), share(r.records, total)]]))];
}

function senders(apps, campaigns) {
  const rows = [...apps].sort((a, b) => b.records - a.records).slice(0, 10)
    .map(a => [a.app, "", count(a.records), "", count(a.users)]);
  for (const c of [...campaigns].sort((a, b) => b.records - a.records).slice(0, 10))
    rows.push([c.app, c.campaign, count(c.records), share(c.accepted, c.records, 1), count(c.users)]);
  if (!rows.length) return [make("p", { class: "none" }, "no record yet")];
  return [table(["app", "campaign", ">records", ">accepted", ">users"], rows)];
}

function recent(rows) {
  if (!rows.length) return [make("p", { class: "none" }, "none since the start")];
  return [table(["time", "task", "app", "node", "outcome", "reason", ">attempt"], rows.map(r => [
    new Date(r.at_unix_us / 1000).toLocaleTimeString("en-GB"), r.id, r.app, r.node,
    make("span", { class: "tag " + r.outcome }, r.outcome), r.reason, r.attempt ? String(r.attempt) : "–"]))];
}

function totals(stats, history) {
  const now = list => count(mean(last(list, windowSeconds)));
  const late = stats.sla.filter(s => s.of === "end-to-end");
  const records = late.reduce((sum, s) => sum + s.records, 0);
  const kept = late.reduce((sum, s) => sum + s.records - s.late, 0);
  return [["records/s", now(history.all.records)], ["accepted/s", now(history.all.accepted)],
    ["in time", share(kept, records)], ["records", count(stats.records)]]
    .map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)));
}

function state(text, kind) {
  const e = document.getElementById("state");
  if (e.textContent !== text) e.textContent = text;
  e.className = "state " + kind;
}

function draw(stats, history) {
  const gone = (stats.live || []).filter(l => l.processes === 0).map(l => l.node);
  const wrong = stats.vendors.map(v => ({ v, text: trouble(v, (stats.live || []).find(l => l.node === v.vendor),
    history.vendors.find(t => t.vendor === v.vendor)) })).find(w => w.text);
  if (gone.length) state(`no program: ${gone.join(", ")}`, "bad");
  else if (stats.queues_known === false) state("Redis is not reached", "bad");
  else if (wrong) state(`${wrong.v.vendor}: ${wrong.text}`, "bad");
  else state("the chain runs", "good");
  show("totals", [stats.records, history.all], () => totals(stats, history));
  show("chain", [stats.live, stats.queues, history], () => chain(stats, history));
  show("vendors", [stats.vendors, stats.live, stats.apps, history.vendors], () => stats.vendors.length
    ? [...stats.vendors].sort((a, b) => a.vendor < b.vendor ? -1 : 1).map(v => vendorCard(v, (stats.live || []).find(l => l.node === v.vendor),
      history.vendors.find(t => t.vendor === v.vendor), stats.apps))
    : [make("p", { class: "none" }, "no vendor was asked yet")]);
  show("sla", stats.sla, () => sla(stats.sla));
  show("outcomes", stats.outcomes, () => outcomes(stats.outcomes, stats.records));
  show("senders", [stats.apps, stats.campaigns], () => senders(stats.apps, stats.campaigns));
  show("recent", stats.recent, () => recent(stats.recent));
}

async function get(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return answer.json();
}

async function look() {
  try {
    const [stats, history] = await Promise.all([get("api/stats"), get("api/history")]);
    draw(stats, history);
    document.body.dataset.drawn = "yes";
  } catch (e) {
    state("push-stats does not answer", "bad");
    console.error(e);
  }
  setTimeout(look, 1000);
}

look();
