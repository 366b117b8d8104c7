/** The colour of each of the pack's sockets and of the links between them, readable on dark and light canvases. */
export const SOCKET_COLORS = Object.freeze({
  FRAMEDRIFT_SCHEDULE: "#d9a441",
  FRAMEDRIFT_PROMPTS: "#e07a5f",
  FRAMEDRIFT_CAMERA: "#5b9bd5",
  FRAMEDRIFT_DEPTH_MODEL: "#7f8ea3",
  FRAMEDRIFT_FRAMES: "#58b368",
});

/**
 * Gives every palette the colours of types that it has none for, so that a user's own theme wins.
 *
 * @param {Record<string, string>} colors by socket type.
 * @param {...(Record<string, string> | undefined)} palettes written to; one that the page lacks is passed over.
 */
export function paintSockets(colors, ...palettes) {
  for (const palette of palettes) {
    if (!palette) continue;
    for (const [type, color] of Object.entries(colors)) palette[type] ??= color;
  }
}
