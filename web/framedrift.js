// The one file of the pack that the page runs on its own; everything else is a module that it imports.
import { app } from "../../scripts/app.js";
import { SOCKET_COLORS, paintSockets } from "./colors.mjs";

app.registerExtension({
  name: "framedrift",
  setup() {
    paintSockets(SOCKET_COLORS, app.canvas.default_connection_color_byType, window.LGraphCanvas?.link_type_colors);
  },
});
