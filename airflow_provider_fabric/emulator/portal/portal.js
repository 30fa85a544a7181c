// The emulator's portal: asks once a second what there is to show, and changes what has changed.
// Names come from anywhere, so they go into the page as text only.

const KINDS = {
  NotStarted: "waiting", Queued: "waiting", InProgress: "running",
  Completed: "good", Succeeded: "good", Failed: "bad",
};
const EVERY_MS = 1000;
const DELETED = "(deleted item)";
const byId = (id) => document.getElementById(id);

// -- the address ------------------------------------------------------------------------------------------------------

// Both forms of Fabric's own portal: /workloads/…/workspaces/{w}/pipelines/{i}/{r} and /groups/{w}/{kind}/{i}?jobInstanceId={r}
function readAddress({ pathname, search }) {
  const parts = pathname.split("/").filter(Boolean);
  if (parts[0] === "workloads") return [parts[4], parts[6], parts[7]];
  if (parts[0] !== "groups") return [];
  const run = new URLSearchParams(search).get("jobInstanceId");
  return run === null ? [parts[1], parts[3]] : [parts[1], parts[3], encodeURIComponent(run)];
}

const itemAddress = (workspaceId, itemId) =>
  `/groups/${encodeURIComponent(workspaceId)}/items/${encodeURIComponent(itemId)}`;
const runAddress = (run) => `${itemAddress(run.workspaceId, run.itemId)}?jobInstanceId=${encodeURIComponent(run.id)}`;

// -- texts ------------------------------------------------------------------------------------------------------------

const instant = (seconds) => new Date(seconds * 1000).toISOString();
const clock = (seconds) => instant(seconds).slice(11, 19);
const timestamp = (seconds) => `${instant(seconds).replace("T", " ").slice(0, 23)} UTC`;
const kind = (status) => KINDS[status] ?? "other";
const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

function duration(seconds) {
  if (seconds < 60) return `${Math.max(0, seconds).toFixed(1)} s`;
  const [minutes, rest] = [Math.floor(seconds / 60), Math.floor(seconds % 60)];
  return minutes < 60 ? `${minutes} min ${rest} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// -- the page's elements ----------------------------------------------------------------------------------------------

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function badge(node, status) {
  node.className = "badge";
  node.dataset.kind = kind(status);
  put(node, status);
}

// Lets `parent` hold one element for each entry, in order. Those already there stay, and with them the focus.
function keep(parent, entries, keyOf, create, update) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  entries.forEach((entry, index) => {
    const key = keyOf(entry);
    const child = known.get(key) ?? create(entry);
    child.dataset.key = key;
    known.delete(key);
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
    update(child, entry);
  });
  for (const child of known.values()) child.remove();
}

// -- tables with a time line ------------------------------------------------------------------------------------------

// A span: {key, status, name, href?, note?, error?, isInstant?, steps: [[timestamp, status], …], endedAt or null}
function showSpans(section, spans, from, to) {
  section.hidden = false;
  if (!section.querySelector("table")) {
    section.append(byId("spans").content.cloneNode(true));
    section.querySelector("table").setAttribute("aria-labelledby", `${section.id}-title`);
  }
  section.querySelector(".scroll").hidden = !spans.length;
  section.querySelector(".empty").hidden = spans.length > 0;
  put(section.querySelector(".from"), clock(from));
  put(section.querySelector(".to"), clock(to));
  keep(section.querySelector("tbody"), spans, (span) => span.key, createRow, (row, span) => updateRow(row, span, from, to));
}

function createRow(span) {
  const name = span.href ? element("a", { href: span.href }) : element("span");
  return element("tr", {},
    element("td", {}, element("span")),
    element("td", { class: "what" }, name, element("small"), element("small", { class: "error" })),
    element("td"),
    element("td", { class: "number" }),
    element("td", { class: "axis" }, element("div", { class: "bar", "aria-hidden": "true" })));
}

function updateRow(row, span, from, to) {
  const [status, what, started, lasted, axis] = row.children;
  const begin = span.steps[0][0];
  badge(status.firstChild, span.status);
  const [name, note, error] = what.children;
  put(name, span.name);
  put(note, span.note ?? "");
  put(error, span.error ?? "");
  put(started, clock(begin));
  started.title = timestamp(begin);
  put(lasted, span.isInstant ? "" : duration((span.endedAt ?? to) - begin));
  updateBar(axis.firstChild, span, from, to);
}

function updateBar(bar, span, from, to) {
  const end = span.endedAt ?? to;
  const share = (seconds) => (100 * Math.min(Math.max(seconds - from, 0), to - from)) / (to - from);
  const pieces = span.steps
    .map(([start, status], index) => ({ start, status, stop: span.steps[index + 1]?.[0] ?? end, key: String(index) }))
    .filter((piece) => piece.stop > from && (piece.stop > piece.start || span.steps.length === 1));
  keep(bar, pieces, (piece) => piece.key, () => element("span"), (node, piece) => {
    // What came before the end has the colour of the end: a red bar is a run that failed.
    node.dataset.kind = kind(piece.status) === "running" ? kind(span.status) : kind(piece.status);
    node.style.left = `${Math.min(share(piece.start), 99.5)}%`;
    node.style.width = `${share(piece.stop) - share(piece.start)}%`;
  });
}

const runSpan = (name, note) => (run) => ({
  key: run.id, status: run.status, name: name(run), note: note(run), href: runAddress(run), steps: run.steps, endedAt: run.endedAt,
});
const runOfSomeItem = runSpan((run) => run.name ?? DELETED, (run) => `${run.type} · ${run.jobType} · ${run.invokeType}`);
const runOfThisItem = runSpan((run) => run.jobType, (run) => [run.invokeType, run.by].filter(Boolean).join(" · "));

// The time line of runs reaches back to the oldest that is active or ended in the last ten minutes.
function showRuns(state, toSpan) {
  const recent = state.runs.filter((run) => run.endedAt === null || run.endedAt > state.now - 600);
  const from = Math.min(state.now - 30, ...recent.map((run) => run.startedAt));
  showSpans(byId("runs"), state.runs.map(toSpan), from, state.now);
}

// -- pages ------------------------------------------------------------------------------------------------------------

function showHeading(title, subtitle, status = "") {
  put(byId("title"), title);
  put(byId("subtitle"), subtitle);
  badge(byId("status"), status);
  document.title = [title, status].filter(Boolean).join(" · ") + (title === "Fabric emulator" ? "" : " - Fabric emulator");
}

// Crumbs: [text, address]
function showCrumbs(...crumbs) {
  keep(byId("crumbs"), [["Fabric emulator", "/"], ...crumbs], (crumb) => crumb[1],
    (crumb) => element("li", {}, element("a", { href: crumb[1] })), (node, crumb) => put(node.firstChild, crumb[0]));
  for (const link of byId("crumbs").querySelectorAll("a")) {
    if (link.getAttribute("href") === location.pathname + location.search) link.setAttribute("aria-current", "page");
  }
}

function showParts(parts) {
  byId("parts").hidden = !parts.length;
  keep(byId("parts").querySelector("ul"), parts, (part) => part, () => element("li"), put);
}

function showOverview(state) {
  const active = state.runs.filter((run) => run.endedAt === null).length;
  const older = state.started > state.runs.length ? `; the latest ${state.runs.length} are shown` : "";
  showHeading("Fabric emulator", `${count(state.workspaces.length, "workspace")} · ${count(state.started, "job run")}${older} · ${active} active`);
  showCrumbs();
  showRuns(state, runOfSomeItem);
  byId("workspaces").hidden = false;
  keep(byId("workspaces"), state.workspaces, (workspace) => workspace.id,
    () => element("div", { class: "workspace" }, element("h2"), element("p", { class: "empty" }), element("div")), showWorkspace);
}

function showWorkspace(node, workspace) {
  const [name, summary, types] = node.children;
  const more = workspace.total - workspace.items.length;
  put(name, workspace.name);
  put(summary, count(workspace.total, "item") + (more ? `; the first ${workspace.items.length} are shown` : ""));
  const groups = new Map();
  for (const folder of workspace.folders) groups.set(`${folder}/`, []);
  for (const item of workspace.items) {
    const place = item.folder ? `${item.folder}/ ${item.type}` : item.type;
    groups.set(place, [...(groups.get(place) ?? []), item]);
  }
  const places = [...groups].sort(([one], [other]) => one.includes("/") - other.includes("/") || (one < other ? -1 : 1));
  keep(types, places, ([place]) => place, ([place]) => element("div", {}, element("h3", {}, place), element("ul")),
    (group, [, items]) => keep(group.lastChild, items, (item) => item.id,
      (item) => element("li", {}, element("a", { href: itemAddress(item.workspaceId, item.id) })),
      (entry, item) => put(entry.firstChild, item.name)));
}

function showItem(state) {
  const { item } = state;
  showHeading(item.name, [item.type, item.description].filter(Boolean).join(" · "));
  showCrumbs([item.name, itemAddress(item.workspaceId, item.id)]);
  showFacts([["Workspace", item.workspace], ["Workspace ID", item.workspaceId], ["Item ID", item.id]]);
  showRuns(state, runOfThisItem);
  showParts(state.parts);
}

function showFacts(facts) {
  byId("facts").hidden = false;
  keep(byId("facts").firstChild, facts.filter(([, value]) => value), ([name]) => name,
    ([name]) => element("div", {}, element("dt", {}, name), element("dd")), (node, [, value]) => put(node.lastChild, value));
}

function showRun(state) {
  const { run } = state;
  const name = run.name ?? DELETED;
  const end = run.endedAt ?? state.now;
  showHeading(name, `${run.type} · run ${run.id}`, run.status);
  showCrumbs([name, itemAddress(run.workspaceId, run.itemId)], [`Run ${run.id.slice(0, 8)}`, location.pathname + location.search]);
  showFacts([
    ["Started", timestamp(run.startedAt)],
    ["Ended", run.endedAt === null ? "not yet" : timestamp(run.endedAt)],
    ["Duration", duration(end - run.startedAt)],
    ["Started by", run.by],
    ["Job type", run.jobType],
    ["Invoke type", run.invokeType],
    ["Cancel requested", run.cancelRequestedAt ? timestamp(run.cancelRequestedAt) : ""],
    ["Workspace", run.workspace],
    ["Workspace ID", run.workspaceId],
    ["Item ID", run.itemId],
    ["Job instance ID", run.id],
    ["Root activity ID", run.rootActivityId],
  ]);
  showFailure(run.failure);
  const until = Math.max(end, run.startedAt + 0.001);
  const steps = run.steps.map(([start, status], index) => ({
    key: String(index), status, name: "", steps: [[start, status]], endedAt: run.steps[index + 1]?.[0] ?? run.endedAt,
    isInstant: start === run.endedAt,
  }));
  showSpans(byId("steps"), steps, run.startedAt, until);
  if (run.type === "DataPipeline") showSpans(byId("activities"), state.activities.map(activitySpan), run.startedAt, until);
  showParts(state.parts);
}

const activitySpan = (activity, index) => ({
  key: String(index),
  status: activity.status,
  name: activity.name,
  note: activity.type,
  error: activity.error,
  steps: [[activity.startedAt, activity.status]],
  endedAt: activity.endedAt,
});

function showFailure(failure) {
  byId("failure").hidden = !failure;
  for (const part of ["code", "message", "details"]) put(byId(`failure-${part}`), failure?.[part] ?? "");
}

function showUnknown(what) {
  for (const section of document.querySelectorAll("section")) section.hidden = true;
  showHeading(`Unknown ${what}`, `The emulator does not know this ${what}. Its memory goes with a restart or a reset.`);
}

// -- life -------------------------------------------------------------------------------------------------------------

const address = readAddress(location);
const show = [showOverview, undefined, showItem, showRun][address.length];
const state = ["/portal/state", ...address].join("/");

function showLive(live, text) {
  byId("live").dataset.live = live;
  put(byId("live"), text);
}

async function poll() {
  try {
    const answer = await fetch(state, { cache: "no-store" });
    if (answer.ok) {
      const found = await answer.json();
      show(found);
      put(byId("now"), `${clock(found.now)} UTC`);
    } else {
      showUnknown(address.length === 3 ? "run" : "item");
    }
    showLive("yes", "Live");
  } catch (problem) {
    console.error(problem);
    showLive("no", "No answer, trying again");
  }
  setTimeout(poll, EVERY_MS);
}

poll();
