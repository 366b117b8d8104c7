/** The colour of each of the pack's sockets and of the links between them, readable on dark and light canvases. */
export const SOCKET_COLORS = Object.freeze({
  FRAMEDRIFT_SCHEDULE: "#d9a441",
  FRAMEDRIFT_PROMPTS: "#e07a5f",
  FRAMEDRIFT_CAMERA: "#5b9bd5",
  FRAMEDRIFT_DEPTH_MODEL: "#7f8ea3",
  FRAMEDRIFT_FRAMES: "#58b368",
  FRAMEDRIFT_SETTINGS: "#b48ead",
  FRAMEDRIFT_OPTIONS: "#4fb3a5",
});

/**
 * Gives the types their colours wherever the page has none for them (it leaves them empty), so that a theme's own win.
 *
 * @param {Record<string, string>} colors by socket type.
 * @param {(Record<string, string> | undefined)[]} palettes of the drawn canvas; written to. One that is missing is
 *     passed over.
 * @param {CSSStyleDeclaration} style of the document; the other look of nodes reads its colours from variables there.
 */
export function paintSockets(colors, palettes, style) {
  for (const [type, color] of Object.entries(colors)) {
    for (const palette of palettes) if (palette) palette[type] ||= color;
    const variable = `--color-datatype-${type}`;
    if (!style.getPropertyValue(variable)) style.setProperty(variable, color);
  }
}
