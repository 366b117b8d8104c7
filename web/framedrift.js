// The one file of the pack that the page runs on its own; everything else is a module that it imports.
import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { SOCKET_COLORS, paintSockets } from "./colors.mjs";
import { Strips, menuItems } from "./strips.mjs";

const strips = new Strips(app, api);

function paint() {
  const palettes = [app.canvas.default_connection_color_byType, window.LGraphCanvas?.link_type_colors];
  paintSockets(SOCKET_COLORS, palettes, document.documentElement.style);
}

app.registerExtension({
  name: "framedrift",
  setup: paint,
  // The page loads its theme after the extensions, and again whenever the user chooses another.
  afterConfigureGraph() {
    paint();
    strips.showLive().catch((error) => console.warn("Framedrift cannot list its runs:", error.message));
  },
  getNodeMenuItems: (node) => menuItems(strips, node),
});
