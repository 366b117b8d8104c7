import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

import { SOCKET_COLORS, paintSockets } from "../../web/colors.mjs";

const root = new URL("../../", import.meta.url);

test("every socket of the pack has a colour, and no colour is without a socket", () => {
  const source = readFileSync(new URL("nodes/sockets.py", root), "utf8");
  const declared = [...source.matchAll(/io\.Custom\("(\w+)"\)/g)].map((match) => match[1]);
  assert.ok(declared.length > 0);
  assert.deepEqual(Object.keys(SOCKET_COLORS).sort(), declared.sort());
});

test("colours are distinct and readable on dark and light", () => {
  const values = Object.values(SOCKET_COLORS);
  assert.equal(new Set(values).size, values.length);
  for (const color of values) {
    const [r, g, b] = color.match(/[0-9a-f]{2}/g).map((part) => parseInt(part, 16) / 255);
    const light = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    assert.ok(light > 0.3 && light < 0.8, `${color} has lightness ${light}`);
  }
});

class Style extends Map {
  getPropertyValue(name) {
    return this.get(name) ?? "";
  }
  setProperty(name, value) {
    this.set(name, value);
  }
}

test("a theme's own colour stays, an empty one is filled, a missing palette is no error", () => {
  const palette = { FRAMEDRIFT_CAMERA: "#000000", FRAMEDRIFT_FRAMES: "" };
  const style = new Style([["--color-datatype-FRAMEDRIFT_CAMERA", "#111111"]]);
  paintSockets(SOCKET_COLORS, [palette, undefined], style);
  assert.equal(palette.FRAMEDRIFT_CAMERA, "#000000");
  assert.equal(palette.FRAMEDRIFT_FRAMES, SOCKET_COLORS.FRAMEDRIFT_FRAMES);
  assert.equal(style.get("--color-datatype-FRAMEDRIFT_CAMERA"), "#111111");
  assert.equal(style.get("--color-datatype-FRAMEDRIFT_PROMPTS"), SOCKET_COLORS.FRAMEDRIFT_PROMPTS);
});

test("only framedrift.js is run by the page", () => {
  const scripts = readdirSync(new URL("web/", root), { recursive: true }).filter((name) => String(name).endsWith(".js"));
  assert.deepEqual(scripts.map(String), ["framedrift.js"]);
});
