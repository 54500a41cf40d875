// Requests to the server that the page came from, with its token; to nobody else.

import { keep, recall } from "./storage.js";
import { NamedError } from "./texts.js";

export const token = takeToken();

// The address has the token behind "#", which browsers send to no server. It is kept for this tab
// alone, and taken out of the address, so that it is in no bookmark and on no screenshot.
function takeToken() {
  const given = location.hash.slice(1);
  if (!given) return recall("sessionStorage", "token") ?? "";
  keep("sessionStorage", "token", given);
  history.replaceState(null, "", location.pathname);
  return given;
}

// Another address that the server prints differs behind the "#" only: the browser loads nothing.
export function followToken() {
  window.onhashchange = () => location.hash.length > 1 && location.reload();
}

export async function request(path, options = {}) {
  let reply;
  try {
    reply = await fetch(path, { ...options, headers: { "X-Page-Token": token } });
  } catch (error) {
    throw error.name === "AbortError" ? error : new NamedError("no_server");
  }
  if (reply.ok) return reply;
  const body = await reply.json().catch(() => ({}));
  throw body.text ? new NamedError(body.text) : new Error(body.error ?? reply.statusText);
}

// Why the server does not go on with what it began: a request tells.
export async function explainLoss() {
  try {
    await request("/page/choices");
    return new NamedError("lost");
  } catch (error) {
    return error;
  }
}

export async function* jsonLines(reply) {
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const lines = (rest + part.value).split("\n");
    rest = lines.pop();
    yield* lines.map(line => JSON.parse(line));
  }
}
