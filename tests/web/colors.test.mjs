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

test("a theme's own colour stays, and a missing palette is no error", () => {
  const palette = { FRAMEDRIFT_CAMERA: "#000000" };
  paintSockets(SOCKET_COLORS, palette, undefined);
  assert.equal(palette.FRAMEDRIFT_CAMERA, "#000000");
  assert.equal(palette.FRAMEDRIFT_FRAMES, SOCKET_COLORS.FRAMEDRIFT_FRAMES);
});

test("only framedrift.js is run by the page", () => {
  const scripts = readdirSync(new URL("web/", root), { recursive: true }).filter((name) => String(name).endsWith(".js"));
  assert.deepEqual(scripts.map(String), ["framedrift.js"]);
});
