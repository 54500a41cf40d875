// What the browser keeps for the page: the language for all tabs, the token for its own.
//
// Other pages at this address have the same storage, so the names say whose they are. A browser that
// is set to keep nothing refuses: then the page has what its address says, and the browser's language.

const PREFIX = "qwen-audio-";

export function keep(storage, name, value) {
  try {
    window[storage].setItem(PREFIX + name, value);
  } catch {}
}

export function recall(storage, name) {
  try {
    return window[storage].getItem(PREFIX + name);
  } catch {
    return null;
  }
}
