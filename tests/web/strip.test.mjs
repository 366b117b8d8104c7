import assert from "node:assert/strict";
import { test } from "node:test";

import { Strip } from "../../web/strip.mjs";

/** As much of a page as a strip needs: elements that hold texts and children, and never markup. */
class Element {
  constructor(tag) {
    Object.assign(this, { tag, children: [], attributes: {}, dataset: {}, heard: {}, style: {}, text: "" });
    this.classList = { toggle: () => undefined };
  }
  set innerHTML(_) {
    throw new Error("a text is taken for markup");
  }
  set textContent(text) {
    this.text = text;
  }
  get textContent() {
    return this.text + this.children.map((child) => child.textContent ?? child).join("");
  }
  get firstElementChild() {
    return this.children[0];
  }
  get all() {
    return this.children.flatMap((child) => (child instanceof Element ? [child, ...child.all] : []));
  }
  append(...children) {
    this.children.push(...children);
  }
  replaceChildren(...children) {
    this.children = children;
  }
  contains(other) {
    return this.all.includes(other);
  }
  setAttribute(name, value) {
    this.attributes[name] = value;
  }
  addEventListener(name, listen) {
    this.heard[name] = listen;
  }
  querySelector(wanted) {
    const action = /data-action="(\w+)"/.exec(wanted)?.[1];
    const fits = (one) => (action ? one.dataset.action === action : wanted.split(", ").includes(one.tag));
    return this.all.find(fits) ?? null;
  }
  focus() {}
  /** What a listener does with an event, and what it keeps from the page. */
  hear(name, event = {}) {
    const kept = { prevented: false, stopped: false };
    const preventDefault = () => (kept.prevented = true);
    return { kept, done: this.heard[name]({ ...event, preventDefault, stopPropagation: () => (kept.stopped = true) }) };
  }
}

function shown(state = "running", more = {}) {
  const document = { head: new Element("head"), createElement: (tag) => new Element(tag), getElementById: () => null };
  const asked = [];
  const steer = (name, action, given) => new Promise((answer) => asked.push({ name, action, given, answer }));
  const details = async () => ({ editable: { prompts: "0: a sky" }, pending: [] });
  const strip = new Strip(document, { steer, details, close: () => undefined });
  strip.update({ name: "flight_00001", state, last_frame: 4, num_frames: 9, ...more });
  const button = (label) => strip.element.all.find((one) => one.tag === "button" && one.text === label);
  return { strip, asked, button, form: strip.element.all.find((one) => one.tag === "form") };
}

const settled = () => new Promise((go) => setTimeout(go, 0));

test("a run is steered while its video is made, and nothing is asked for twice", async () => {
  const { strip, asked, button } = shown();
  for (const label of ["Video", "Video", "Pause", "Stop and keep"]) button(label).hear("click");
  assert.deepEqual(asked.map((one) => one.action), ["video", "pause"]);
  assert.equal(strip.element.attributes["aria-busy"], "true");
  asked[1].answer({ text: "After the frame at hand." });
  await settled();
  assert.equal(strip.element.attributes["aria-busy"], "false");
  button("Stop and keep").hear("click");
  button("Video").hear("click");
  assert.deepEqual(asked.map((one) => one.action), ["video", "pause", "stop"]);
  asked[0].answer({ text: "video/flight.mp4", link: "/view" });
  await settled();
  button("Video").hear("click");
  assert.equal(asked.length, 4);
});

test("what a state says already is no note, and a video's place is one in any state", async () => {
  const { strip, asked, button } = shown();
  const note = strip.element.all.find((one) => one.className === "note");
  button("Video").hear("click");
  button("Stop and keep").hear("click");
  strip.update({ name: "flight_00001", state: "stopped" });
  asked[1].answer({ text: "After the frame at hand." });
  await settled();
  assert.equal(note.hidden, true);
  asked[0].answer({ text: "video/flight.mp4", link: "/view" });
  await settled();
  assert.deepEqual([note.hidden, note.textContent], [false, "video/flight.mp4"]);
  strip.update({ name: "flight_00001", state: "complete" });
  assert.equal(note.textContent, "video/flight.mp4");
  strip.update({ name: "flight_00002", state: "complete" });
  assert.equal(note.hidden, true);
});

test("keys typed into a form are no shortcuts of the page, those with Ctrl are", async () => {
  const { button, form, asked } = shown();
  button("Extend…").hear("click");
  for (const key of ["w", "Delete", "ArrowDown"]) {
    assert.deepEqual(form.hear("keydown", { key }).kept, { prevented: false, stopped: true });
  }
  assert.deepEqual(form.hear("keydown", { key: "s", ctrlKey: true }).kept, { prevented: false, stopped: false });
  form.querySelector("input").value = "12";
  assert.deepEqual(form.hear("keydown", { key: "Enter", ctrlKey: true }).kept, { prevented: true, stopped: true });
  assert.deepEqual([asked[0].action, asked[0].given], ["extend", { frames: 12 }]);
  assert.deepEqual(form.hear("keydown", { key: "Escape" }).kept, { prevented: true, stopped: true });
  assert.equal(form.hidden, true);
});

test("names, problems and notes are texts, whatever they hold", () => {
  const name = "<img src=x onerror=alert(1)>";
  const { strip } = shown("damaged", { name, problem: name });
  assert.ok(strip.element.textContent.includes(name));
  strip.note(name, { link: "/view" });
  assert.ok(strip.element.all.some((one) => one.tag === "a" && one.text === name));
  assert.ok(strip.element.all.every((one) => one.tag !== "img"));
});
