// The strip on a sampler node: one line on its run, the buttons that steer it, and a small form where one needs words.
import { actions, stateText, typedValue, typedWhole, withWaiting } from "./runs.mjs";

const LABELS = {
  pause: ["Pause", "Wait after the frame at hand"],
  resume: ["Go on", "Go on with the next frame"],
  stop: ["Stop and keep", "End after the frame at hand, and hand on the frames that there are"],
  edit: ["Edit…", "Change a schedule or the prompts from the next frame on"],
  rewind: ["Rewind…", "Go on from an earlier frame, in a branch; this run stays as it is"],
  extend: ["Extend…", "Make the animation longer"],
  video: ["Video", "Make a video of the frames so far"],
};

const STYLE = `
.framedrift-strip { box-sizing: border-box; width: 100%; min-width: 0; overflow: hidden; font: 12px/1.35 system-ui, sans-serif;
  color: var(--input-text, #ddd); }
.framedrift-strip > .frame { overflow: hidden; }
.framedrift-strip > .frame > div { display: flex; flex-direction: column; gap: 4px; padding: 2px; }
.framedrift-strip .line, .framedrift-strip .buttons { display: flex; flex-wrap: wrap; gap: 4px; align-items: center; }
.framedrift-strip .state { flex: 1; min-width: 0; overflow-wrap: anywhere; }
.framedrift-strip .note { color: var(--descrip-text, #999); overflow-wrap: anywhere; }
.framedrift-strip .note.wrong { color: var(--error-text, #ff6b6b); }
.framedrift-strip a { color: inherit; }
.framedrift-strip [hidden] { display: none; }
.framedrift-strip form { display: flex; flex-direction: column; gap: 4px; }
.framedrift-strip button, .framedrift-strip input, .framedrift-strip select, .framedrift-strip textarea {
  box-sizing: border-box; font: inherit; color: inherit; background: var(--comfy-input-bg, #222);
  border: 1px solid var(--border-color, #4e4e4e); border-radius: 4px; padding: 2px 7px; margin: 0; }
.framedrift-strip textarea { min-height: 56px; resize: none; width: 100%; }
.framedrift-strip select { width: 100%; }
.framedrift-strip input { width: 90px; }
.framedrift-strip button { cursor: pointer; }
.framedrift-strip button:hover { border-color: currentColor; }
.framedrift-strip[aria-busy="true"] button { opacity: 0.5; cursor: progress; }
.framedrift-strip :is(button, input, select, textarea, a):focus-visible { outline: 2px solid var(--p-primary-color, #60a5fa); outline-offset: -1px; }
`;

/** One element; what it cannot do itself it asks of `steer`: (action, given) => Promise of a note, and of `close`. */
export class Strip {
  #run = {};
  #parts = {};
  #busy = new Set();

  constructor(document, { steer, details, close }) {
    this.document = document;
    Object.assign(this, { steer, details, close });
    if (!document.getElementById("framedrift-strip-style")) {
      document.head.append(this.#make("style", { id: "framedrift-strip-style", textContent: STYLE }));
    }
    const state = this.#make("span", { className: "state" }, { role: "status" });
    const hide = this.#button("×", "Hide this strip", () => this.close());
    const buttons = this.#make("div", { className: "buttons" });
    const note = this.#make("div", { className: "note", hidden: true }, { role: "status" });
    const form = this.#make("form", { hidden: true });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#apply();
    });
    form.addEventListener("keydown", (event) => {
      const held = event.ctrlKey || event.metaKey;
      const taken = event.key === "Escape" || (event.key === "Enter" && held);
      // The page would queue the workflow, leave what it shows, or take a letter typed into the list for a shortcut.
      if (taken || !(held || event.altKey)) event.stopPropagation();
      if (!taken) return;
      event.preventDefault();
      if (event.key === "Escape") this.#closeForm();
      else this.#apply();
    });
    const line = this.#make("div", { className: "line" });
    line.append(state, hide);
    this.inner = this.#make("div");
    this.inner.append(line, buttons, note, form);
    this.element = this.#make("div", { className: "framedrift-strip" }, { role: "group" });
    // Its height is set from outside, together with the node's: text that comes and goes moves nothing by itself.
    this.frame = this.#make("div", { className: "frame" });
    this.frame.append(this.inner);
    this.element.append(this.frame);
    this.#parts = { state, buttons, note, form };
  }

  /** The run that is shown. */
  get name() {
    return this.#run.name;
  }

  /** Shows the state of a run; fields that are not given stay as they are. */
  update(run) {
    const before = this.#run;
    this.#run = run.name === before.name ? { ...before, ...run } : run;
    const { name, state } = this.#run;
    this.element.setAttribute("aria-label", `Run ${name}`);
    this.element.title = name;
    this.#say(this.#parts.state, stateText(this.#run));
    const same = name === before.name && state === before.state;
    // An edit that was left out, say.
    if (run.problem && state !== "damaged") this.note(run.problem, { wrong: true });
    // The place of a video holds on, though the run goes on.
    else if (name !== before.name || (!same && !this.#parts.note.querySelector("a"))) this.note("");
    if (same) return;
    const wanted = [...actions(state), ...(state === "damaged" ? [] : ["video"])];
    const { buttons } = this.#parts;
    const focused = buttons.contains(this.document.activeElement) && this.document.activeElement.dataset.action;
    buttons.replaceChildren(...wanted.map((action) => this.#actionButton(action)));
    // The focus stays where it was; Go on comes in the place of Pause.
    if (focused) (buttons.querySelector(`[data-action="${focused}"]`) ?? buttons.firstElementChild).focus();
    if (!wanted.includes(this.#parts.form.dataset.action)) this.#closeForm();
  }

  /** A line below the buttons; empty is none. */
  note(text, { wrong = false, link = null } = {}) {
    const { note } = this.#parts;
    const shown = link ? this.#make("a", { textContent: text, href: link, target: "_blank", rel: "noopener" }) : text;
    note.replaceChildren(shown);
    note.classList.toggle("wrong", wrong);
    note.hidden = text === "";
  }

  #actionButton(action) {
    const [label, title] = LABELS[action];
    const opens = { edit: () => this.#openEdit(), rewind: () => this.#openRewind(), extend: () => this.#openExtend() };
    const made = this.#button(label, title, opens[action] ?? (() => this.#give(action)));
    made.dataset.action = action;
    return made;
  }

  async #give(action, given) {
    // A video may take minutes, in which the run is steered all the same.
    const lane = action === "video" ? "video" : "steering";
    if (this.#busy.has(lane)) return false;
    this.#lock(lane, true);
    try {
      const { state } = this.#run;
      const { text, link } = await this.steer(this.#run.name, action, given);
      // A state that has changed meanwhile says it already.
      if (link || this.#run.state === state) this.note(text, { link });
      return true;
    } catch (error) {
      this.note(error.message, { wrong: true });
      return false;
    } finally {
      this.#lock(lane, false);
    }
  }

  #lock(lane, busy) {
    // The buttons stay as they are: one that is disabled would lose the focus.
    this.#busy[busy ? "add" : "delete"](lane);
    this.element.setAttribute("aria-busy", String(this.#busy.has("steering")));
  }

  // ------------------------------------------------------------ forms

  async #openEdit() {
    let editable;
    try {
      editable = withWaiting(await this.details(this.#run.name));
    } catch (error) {
      this.note(error.message, { wrong: true });
      return;
    }
    const names = Object.keys(editable);
    if (!names.length) {
      this.note("Nothing of this run can be edited.");
      return;
    }
    const choice = this.#make("select", {}, { "aria-label": "What to change" });
    choice.append(...names.map((name) => this.#make("option", { value: name, textContent: name })));
    const text = this.#make("textarea", { spellcheck: false }, { "aria-label": "New value" });
    const fill = () => (text.value = String(editable[choice.value]));
    choice.addEventListener("change", fill);
    fill();
    this.#openForm("edit", "Apply from the next frame on", [choice, text], () => ({
      changes: { [choice.value]: typedValue(text.value, editable[choice.value]) },
    }));
  }

  #openRewind() {
    const last = this.#run.last_frame ?? -1;
    const [label, field] = this.#number("Last frame to keep", last, -1, last);
    this.#openForm("rewind", "Rewind", [label], () => ({ frame: typedWhole(field.value, -1, last) }));
  }

  #openExtend() {
    const [label, field] = this.#number("Frames to add", 24, 1, 100_000);
    this.#openForm("extend", "Extend", [label], () => ({ frames: typedWhole(field.value, 1, 100_000) }));
  }

  #number(label, value, min, max) {
    const field = this.#make("input", { type: "number", value, min, max, step: 1 });
    const said = this.#make("label", { textContent: `${label} ` });
    said.append(field);
    return [said, field];
  }

  #openForm(action, label, fields, read) {
    const { form } = this.#parts;
    const row = this.#make("div", { className: "buttons" });
    row.append(
      this.#make("button", { type: "submit", textContent: label }),
      this.#button("Close", "Close without a change", () => this.#closeForm()),
    );
    form.replaceChildren(...fields, row);
    form.noValidate = true;
    form.dataset.action = action;
    form.hidden = false;
    this.read = read;
    form.querySelector("input, textarea").focus();
  }

  async #apply() {
    const { action } = this.#parts.form.dataset;
    let given;
    try {
      given = this.read();
    } catch (error) {
      this.note(error.message, { wrong: true });
      return;
    }
    if (await this.#give(action, given)) this.#closeForm();
  }

  #closeForm() {
    const { form, buttons } = this.#parts;
    const inside = form.contains(this.document.activeElement);
    const { action } = form.dataset;
    form.hidden = true;
    form.replaceChildren();
    delete form.dataset.action;
    if (inside) buttons.querySelector(`[data-action="${action}"]`)?.focus();
  }

  // ------------------------------------------------------------ elements

  #make(tag, properties = {}, attributes = {}) {
    const made = Object.assign(this.document.createElement(tag), properties);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  }

  #button(label, title, press) {
    const made = this.#make("button", { type: "button", textContent: label, title }, { "aria-label": title });
    made.addEventListener("click", press);
    return made;
  }

  /** Screen readers say what changes: not again what stays. */
  #say(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }
}
