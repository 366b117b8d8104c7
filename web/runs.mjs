// Runs over HTTP and what is said of them: everything about the strip that needs no page. docs/runs.md tells of it.

export const EVENT = "framedrift.run";
export const SAMPLER = "FramedriftFrameFeedbackSampler";

/** A run's routes; `fetchApi` is that of the page, which knows where the server is. */
export class Runs {
  constructor(fetchApi) {
    this.fetchApi = fetchApi;
  }

  list() {
    return this.#ask("").then((answer) => answer.runs);
  }

  show(name) {
    return this.#ask(`/${encodeURIComponent(name)}?journal=0`);
  }

  command(name, action, given = {}) {
    return this.#ask(`/${encodeURIComponent(name)}/commands`, { action, ...given });
  }

  video(name) {
    return this.#ask(`/${encodeURIComponent(name)}/video`, {});
  }

  /** What a route answers; an Error with the route's own words where it refuses. */
  async #ask(route, body) {
    const sent = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    const reply = await this.fetchApi(`/framedrift/runs${route}`, body === undefined ? { cache: "no-store" } : sent);
    const answer = await reply.json().catch(() => ({}));
    if (!reply.ok) throw new Error(answer.error ?? `The server answered ${reply.status}.`);
    return answer;
  }
}

/** One line on a run: what it does, and how far it is. */
export function stateText({ state, last_frame: last, num_frames: length, problem }) {
  if (state === "damaged") return problem ?? "damaged";
  const far = last < 0 ? "before the first frame" : `at frame ${last}`;
  const of = length ? ` of ${length}` : "";
  return state === "complete" && length ? `complete, ${length} frames` : `${state} ${far}${of}`;
}

/** What can be asked of a run in this state, in the order of the buttons. */
export function actions(state) {
  const always = state === "damaged" ? ["rewind"] : ["edit", "rewind", "extend"];
  if (state === "running") return ["pause", "stop", ...always];
  if (state === "paused") return ["resume", "stop", ...always];
  return always;
}

/** Whether somebody makes a run of this state. */
export const isLive = (state) => state === "running" || state === "paused";

/** An event as the fields of a run's state. */
export function fromEvent({ run, state, frame, frames, num_frames, problem = null }) {
  return { name: run, state, last_frame: frame, frames, num_frames, problem };
}

/** What an edit can change of a run, and what it will be then: edits that wait come before it. */
export function withWaiting({ editable, pending = [] }) {
  const edits = pending.filter((command) => command.action === "edit");
  return Object.assign({}, editable, ...edits.map((command) => command.arguments.changes));
}

/** What was typed, of the kind that it takes the place of; an Error that says what would be right. */
export function typedValue(text, present) {
  const said = text.trim();
  if (typeof present === "boolean") {
    if (said !== "true" && said !== "false") throw new Error("Type true or false.");
    return said === "true";
  }
  if (typeof present === "number") {
    if (said === "" || !Number.isFinite(Number(said))) throw new Error("Type a number.");
    return Number(said);
  }
  return text;
}

/** A whole number that was typed, within bounds; an Error that names them. */
export function typedWhole(text, low, high) {
  const said = text.trim();
  const value = Number(said);
  if (!/^-?[0-9]+$/.test(said) || value < low || value > high) {
    throw new Error(`Type a whole number from ${low} to ${high}.`);
  }
  return value;
}

/** What follows from a command, in a line. */
export function noteOf(action, state, answer) {
  if (action === "video") return `${[answer.subfolder, answer.filename].filter(Boolean).join("/")}`;
  if (isLive(state) && (action === "pause" || action === "stop")) return "After the frame at hand.";
  return answer.note ?? "";
}

/** Whether a run's folder was made for this run_name; any was, where that is empty. */
export function fitsName(run, name) {
  const base = String(name ?? "").trim();
  const rest = run.name.slice(base.length);
  return base === "" || (run.name.startsWith(base) && (rest === "" || /^_\d{5,}$/.test(rest)));
}

/** The newest of the runs of a node, a live one before all others: `name` is its run_name, `id` its own. */
export function newestRun(runs, id, name) {
  const named = runs.filter((run) => fitsName(run, name));
  const own = named.filter((run) => String(run.node) === String(id));
  const rank = (run) => `${isLive(run.state) ? 1 : 0} ${run.created ?? ""} ${run.name}`;
  const sorted = [...(own.length ? own : named)].sort((one, other) => (rank(one) < rank(other) ? 1 : -1));
  return sorted[0] ?? null;
}

/** The node that an id such as 5:12 means, through subgraphs; null where there is none. */
export function nodeOf(graph, id) {
  let node = null;
  for (const part of String(id).split(":")) {
    node = graph?.getNodeById(/^[0-9]+$/.test(part) ? Number(part) : part) ?? null;
    graph = node?.subgraph;
  }
  return node;
}

/** The id of a node as a run knows it: those of the subgraphs around it first. Null where it is nowhere. */
export function idOf(root, node) {
  for (const one of root?.nodes ?? []) {
    if (one === node) return String(one.id);
    const inner = one.subgraph && idOf(one.subgraph, node);
    if (inner) return `${one.id}:${inner}`;
  }
  return null;
}
