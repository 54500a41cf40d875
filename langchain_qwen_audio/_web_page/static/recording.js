// The recording that a question is about: it is measured, drawn and played.

import { request } from "./access.js";
import { choices } from "./choices.js";
import { $ } from "./elements.js";
import { playFrom } from "./player.js";
import { NamedError, show, showAsIs, showError, text } from "./texts.js";
import { drawWaveform } from "./waveform.js";

const MIB = 2 ** 20;

export let recording = null; // its bytes, its name, its length

export function megabytes(bytes) {
  return Math.ceil(bytes / MIB);
}

// A place for a recording that is not there yet.
export function clearRecording() {
  recording = null;
  showAsIs($("ask-error"), "");
  $("recording").hidden = false;
  $("player").hidden = true;
  $("player").pause();
  drawWaveform([]);
  labelWaveform();
}

export async function useRecording(blob, name) {
  clearRecording();
  const mine = (recording = { blob, name });
  show($("caption"), "measuring", name);
  try {
    if (blob.size > choices.max_bytes) {
      throw new NamedError("too_large", name, megabytes(blob.size), megabytes(choices.max_bytes));
    }
    playFrom($("player"), blob);
    const form = new FormData();
    const measured = await (await sendRecording("/page/waveform", form)).json();
    if (recording === mine) showMeasured(measured);
  } catch (error) {
    if (recording === mine) refuseRecording(error);
  }
}

// Send a form with the recording. A folder is a file too, for a browser, until it is read; and a file
// may be gone since it was chosen. Without a look, both seem to be a server that does not answer.
export async function sendRecording(path, form, options) {
  const { blob, name } = recording;
  await blob.slice(0, 1).arrayBuffer().catch(() => {
    throw new NamedError("unreadable", name);
  });
  form.set("recording", blob, name);
  return request(path, { method: "POST", body: form, ...options });
}

function showMeasured({ length, points }) {
  recording.length = length;
  showAsIs($("caption"), `${recording.name} · ${length}`);
  drawWaveform(points);
  labelWaveform();
}

export function labelWaveform() {
  const label = recording?.length ? text("waveform", recording.name, recording.length) : "";
  $("waveform").setAttribute("aria-label", label);
}

export function refuseRecording(error) {
  recording = null;
  $("recording").hidden = true;
  $("player").pause();
  showError($("ask-error"), error);
}
