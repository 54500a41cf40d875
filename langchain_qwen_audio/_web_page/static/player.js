// A recording → a player of the browser, if it plays that format.

export function playFrom(player, blob) {
  URL.revokeObjectURL(player.src);
  player.hidden = true;
  player.onloadedmetadata = () => (player.hidden = false);
  player.src = URL.createObjectURL(blob);
}
