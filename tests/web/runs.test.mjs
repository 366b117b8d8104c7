import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import {
  Runs, actions, fitsName, fromEvent, idOf, newestRun, nodeOf, noteOf, stateText, typedValue, typedWhole,
  withWaiting,
} from "../../web/runs.mjs";

const schema = JSON.parse(readFileSync(new URL("../../web/run.schema.json", import.meta.url), "utf8"));

test("every state has its line, and what can be asked in it", () => {
  const run = { last_frame: 24, num_frames: 72 };
  const lines = schema.$defs.state.enum.map((state) => [state, stateText({ ...run, state, problem: "it is broken" })]);
  assert.deepEqual(Object.fromEntries(lines), {
    running: "running at frame 24 of 72",
    paused: "paused at frame 24 of 72",
    stopped: "stopped at frame 24 of 72",
    cancelled: "cancelled at frame 24 of 72",
    interrupted: "interrupted at frame 24 of 72",
    complete: "complete, 72 frames",
    damaged: "it is broken",
  });
  assert.equal(stateText({ state: "running", last_frame: -1, num_frames: null }), "running before the first frame");
  const known = new Set(schema.$defs.action.enum);
  for (const state of schema.$defs.state.enum) for (const action of actions(state)) assert.ok(known.has(action), action);
  assert.deepEqual(actions("running").slice(0, 2), ["pause", "stop"]);
  assert.deepEqual(actions("paused").slice(0, 2), ["resume", "stop"]);
  assert.deepEqual(actions("damaged"), ["rewind"]);
});

test("an event is the state of a run", () => {
  const event = { node: "3", run: "a_00001", state: "paused", frame: 4, frames: 3, total: 9, num_frames: 17 };
  assert.deepEqual(Object.keys(event).sort(), [...schema.$defs.event.required].sort());
  const run = fromEvent(event);
  assert.deepEqual(run, { name: "a_00001", state: "paused", last_frame: 4, frames: 3, num_frames: 17, problem: null });
  for (const field of Object.keys(run)) assert.ok(field in schema.$defs.run.properties, field);
});

test("what is typed is of the kind that it takes the place of", () => {
  assert.equal(typedValue(" 0:(1) ", "0:(2)"), " 0:(1) ");
  assert.equal(typedValue(" 3 ", 2), 3);
  assert.equal(typedValue("0.25", 1), 0.25);
  assert.equal(typedValue("true", false), true);
  for (const [text, present] of [["", 2], ["x", 2], ["1e999", 2], ["yes", true], ["", false]]) {
    assert.throws(() => typedValue(text, present), /^Error: Type /);
  }
  assert.equal(typedWhole(" -1 ", -1, 5), -1);
  for (const text of ["", "1.5", "6", "-2", "x", "1e0", "٣"]) assert.throws(() => typedWhole(text, -1, 5), /from -1 to 5/);
});

test("the next edit starts from what those that wait make of an input", () => {
  const edit = (changes) => ({ id: "1", action: "edit", arguments: { changes } });
  const editable = { prompts: "0: a sky", strength_schedule: "0:(0.5)" };
  const pending = [edit({ prompts: "0: a sea" }), { id: "2", action: "extend", arguments: { frames: 3 } }];
  assert.deepEqual(withWaiting({ editable, pending }), { ...editable, prompts: "0: a sea" });
  assert.deepEqual(withWaiting({ editable, pending: [...pending, edit({ prompts: "0: a lake" })] }).prompts, "0: a lake");
  assert.deepEqual(withWaiting({ editable }), editable);
  assert.equal(editable.prompts, "0: a sky");
});

test("what follows from a command is a line", () => {
  assert.equal(noteOf("video", null, { subfolder: "video", filename: "a.mp4" }), "video/a.mp4");
  assert.equal(noteOf("video", null, { subfolder: "", filename: "a.mp4" }), "a.mp4");
  assert.equal(noteOf("pause", "running", { note: "x" }), "After the frame at hand.");
  assert.equal(noteOf("edit", "running", { note: "x" }), "x");
});

test("a run_name fits its numbered folders only", () => {
  const fits = (name, base) => fitsName({ name }, base);
  assert.ok(fits("flight_00001", "flight") && fits("flight_00001", "flight_00001") && fits("a/b_123456", "a/b"));
  assert.ok(fits("anything", "") && fits("anything", undefined));
  assert.ok(!fits("flight_2_00001", "flight") && !fits("flights_00001", "flight") && !fits("flight_0001", "flight"));
  assert.ok(!fits("a.b_00001", "axb") && fits("f(1)_00001", "f(1)"));
});

test("the newest run of a node: a live one first, its own before those of the same name", () => {
  const run = (name, created, state = "complete", node = "3") => ({ name, created, state, node });
  const runs = [run("a_00001", "2026-01-01", "paused"), run("a_00002", "2026-01-02"), run("b_00001", "2026-01-03")];
  assert.equal(newestRun(runs, "3", "a").name, "a_00001");
  assert.equal(newestRun(runs.slice(1), 3, "a").name, "a_00002");
  assert.equal(newestRun(runs, "7", "b").name, "b_00001");
  assert.equal(newestRun([...runs, run("b_00002", "2026-01-09", "complete", "9")], "3", "b").name, "b_00001");
  assert.equal(newestRun(runs, "3", "c"), null);
  assert.equal(newestRun([], "3", ""), null);
});

test("a node is found through subgraphs, and back", () => {
  const graph = (...nodes) => ({ nodes, getNodeById: (id) => nodes.find((node) => node.id === id) });
  const inner = { id: 12 };
  const deeper = { id: 5, subgraph: graph({ id: 1 }, inner) };
  const root = graph({ id: 3 }, { id: 9, subgraph: graph(deeper) }, { id: "abc" });
  assert.equal(nodeOf(root, "9:5:12"), inner);
  assert.equal(idOf(root, inner), "9:5:12");
  assert.equal(nodeOf(root, "abc").id, "abc");
  assert.equal(nodeOf(root, 3).id, 3);
  for (const id of ["4", "3:1", "9:5:99", "", "x"]) assert.equal(nodeOf(root, id), null);
  assert.equal(nodeOf(null, "3"), null);
  assert.equal(idOf(root, {}), null);
});

function server(status, body) {
  const asked = [];
  const fetchApi = async (route, options) => {
    asked.push([route, options]);
    return { ok: status < 400, status, json: async () => JSON.parse(body) };
  };
  return { asked, runs: new Runs(fetchApi) };
}

test("routes are asked with names that are no paths, and commands as JSON", async () => {
  const { asked, runs } = server(200, '{"runs": [], "note": "x"}');
  await runs.list();
  await runs.show("a/b ?#_00001");
  await runs.command("a_00001", "rewind", { frame: 3 });
  await runs.video("a_00001");
  assert.deepEqual(asked.map(([route]) => route), [
    "/framedrift/runs",
    "/framedrift/runs/a%2Fb%20%3F%23_00001?journal=0",
    "/framedrift/runs/a_00001/commands",
    "/framedrift/runs/a_00001/video",
  ]);
  assert.deepEqual(asked.map(([, options]) => options.method ?? "GET"), ["GET", "GET", "POST", "POST"]);
  assert.deepEqual(JSON.parse(asked[2][1].body), { action: "rewind", frame: 3 });
  assert.equal(asked[2][1].headers["Content-Type"], "application/json");
});

test("a refusal is an error in the server's words; one without words says its number", async () => {
  await assert.rejects(server(409, '{"error": "Run a is complete."}').runs.command("a", "pause"), /Run a is complete\./);
  await assert.rejects(server(502, "<html>").runs.list(), /502/);
});
