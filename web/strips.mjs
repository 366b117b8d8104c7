// Which sampler nodes show a strip: those whose run the server tells of, and those that the user asks for.
import { EVENT, Runs, SAMPLER, fitsName, fromEvent, idOf, isLive, newestRun, nodeOf, noteOf } from "./runs.mjs";
import { Strip } from "./strip.mjs";

const WIDGET = "framedrift_run";
const MARGIN = 6;
// Between two widgets, in pixels of the graph.
const SPACING = 4;
// Of two lines of text and buttons, until the page has laid them out.
const FIRST_HEIGHT = 60;

export class Strips {
  #shown = new WeakMap();
  // Whether this page's own prompt runs: the server tells only the page that queued it of its start.
  #own = false;

  constructor(app, api) {
    this.app = app;
    this.api = api;
    this.runs = new Runs((route, options) => api.fetchApi(route, options));
    api.addEventListener(EVENT, ({ detail }) => this.told(detail));
    api.addEventListener("execution_start", () => (this.#own = true));
    for (const end of ["success", "error", "interrupted"]) {
      api.addEventListener(`execution_${end}`, () => (this.#own = false));
    }
  }

  get root() {
    return this.app.rootGraph ?? this.app.graph;
  }

  /** The server says what became of a run; of one that another page began, the node that it may be is shown. */
  told(detail) {
    const node = nodeOf(this.root, detail.node);
    if (!isSampler(node)) return;
    const run = fromEvent(detail);
    if (this.#own || this.#shown.get(node)?.name === run.name || fitsName(run, runName(node))) this.show(node, run);
  }

  /** Strips for the runs that are being made now by nodes of the workflow that was opened. */
  async showLive() {
    const samplers = allNodes(this.root).filter(isSampler);
    if (!samplers.length) return;
    const live = (await this.runs.list()).filter((run) => isLive(run.state));
    for (const node of samplers) {
      const id = idOf(this.root, node);
      const run = newestRun(live.filter((one) => String(one.node) === id), id, runName(node));
      if (run) this.show(node, run);
    }
  }

  /** Shows a node's newest run; says so where it has none. */
  async find(node) {
    try {
      const run = newestRun(await this.runs.list(), idOf(this.root, node), runName(node));
      if (run) this.show(node, run);
      else this.#tell("info", `There is no run called ${runName(node) || "anything"} yet.`);
    } catch (error) {
      this.#tell("error", error.message);
    }
  }

  show(node, run) {
    const strip = this.#shown.get(node) ?? this.#added(node);
    strip.update(run);
  }

  hide(node) {
    const widget = node.widgets?.find((one) => one.name === WIDGET);
    this.#shown.delete(node);
    if (widget) node.removeWidget ? node.removeWidget(widget) : node.widgets.splice(node.widgets.indexOf(widget), 1);
    settle(node, null, 0);
  }

  #added(node) {
    const strip = new Strip(document, {
      steer: (name, action, given) => this.#steer(name, action, given, strip),
      details: (name) => this.runs.show(name),
      close: () => this.hide(node),
    });
    this.#shown.set(node, strip);
    const room = () => (grown.get(node) ?? 0) - SPACING;
    const widget = node.addDOMWidget(WIDGET, WIDGET, strip.element, {
      serialize: false,
      hideOnZoom: false,
      margin: MARGIN,
      getMinHeight: room,
      getMaxHeight: room,
    });
    // Neither in the workflow's list of values nor in a prompt.
    widget.serialize = false;
    keepSize(node);
    settle(node, strip, FIRST_HEIGHT);
    new ResizeObserver(() => {
      // None while the page does not show the node.
      if (strip.inner.offsetHeight && this.#shown.get(node) === strip) {
        settle(node, strip, strip.inner.offsetHeight);
      }
    }).observe(strip.inner);
    return strip;
  }

  async #steer(name, action, given, strip) {
    if (action === "video") {
      strip.note("Making the video…");
      const file = await this.runs.video(name);
      return { text: noteOf(action, null, file), link: this.api.apiURL(`/view?${new URLSearchParams(file)}`) };
    }
    const answer = await this.runs.command(name, action, given);
    return { text: noteOf(action, answer.state, answer) };
  }

  #tell(severity, detail) {
    this.app.extensionManager?.toast?.add({ severity, summary: "Framedrift", detail, life: 6000 });
  }
}

/** The entry in a sampler's menu. */
export const menuItems = (strips, node) =>
  isSampler(node) ? [{ content: "Show run", callback: () => void strips.find(node) }] : [];

const isSampler = (node) => node?.comfyClass === SAMPLER || node?.type === SAMPLER;

const runName = (node) => node.widgets?.find((widget) => widget.name === "run_name")?.value ?? "";

function allNodes(graph) {
  return (graph?.nodes ?? []).flatMap((node) => [node, ...allNodes(node.subgraph)]);
}

// ---------------------------------------------------------------- the node's height

// By how much each node is higher than without its strip.
const grown = new WeakMap();

/** A saved workflow has the node as high as it is without the strip. */
function keepSize(node) {
  if (grown.has(node)) return;
  grown.set(node, 0);
  const before = node.onSerialize;
  node.onSerialize = function (saved) {
    before?.call(this, saved);
    const more = grown.get(this) ?? 0;
    if (more && saved.size) saved.size = [saved.size[0], saved.size[1] - more];
  };
}

/** Makes the node as much higher as its strip becomes, both at once: the page never has to make room by itself. */
function settle(node, strip, height) {
  // Nodes 2.0 lay widgets out without a margin.
  const margin = window.LiteGraph?.vueNodesMode ? 0 : 2 * MARGIN;
  const more = height ? height + margin + SPACING : 0;
  const base = node.size[1] - (grown.get(node) ?? 0);
  grown.set(node, more);
  if (strip) strip.frame.style.height = `${height}px`;
  node.setSize([node.size[0], base + more]);
  node.graph?.setDirtyCanvas(true, true);
}
