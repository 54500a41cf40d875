// A recording with the microphone.

import { choices } from "./choices.js";
import { $ } from "./elements.js";
import { openMicrophone, PIECES_PER_S } from "./microphone.js";
import { clearRecording, refuseRecording, useRecording } from "./recording.js";
import { show, text } from "./texts.js";
import { encodeWav, WAV_HEADER_BYTES } from "./wav.js";
import { addPiece, drawWaveform } from "./waveform.js";

let current = null; // the recording that is going on, or is about to

export async function toggleRecording() {
  if (current) return finishRecording();
  const mine = (current = new Recorder());
  try {
    await mine.start();
  } catch (error) {
    if (current !== mine) return; // it was given up
    finishRecording();
    refuseRecording(error);
  }
}

// End a recording, if there is one: what follows is about it, or about another one.
export function finishRecording() {
  const ended = current;
  current = null;
  ended?.finish();
}

class Recorder {
  constructor() {
    this.pieces = [];
    this.points = [];
    this.bytes = WAV_HEADER_BYTES;
    clearRecording();
    showButton(true);
  }

  async start() {
    const microphone = await openMicrophone(piece => this.take(piece));
    if (current !== this) return microphone.close(); // given up while the browser asked
    this.microphone = microphone;
  }

  take(piece) {
    if (current !== this) return;
    this.pieces.push(piece);
    this.bytes += piece.byteLength;
    this.points = addPiece(this.points, piece);
    drawWaveform(this.points);
    show($("caption"), "recording", Math.floor(this.pieces.length / PIECES_PER_S));
    if (this.bytes + piece.byteLength > choices.max_bytes) finishRecording();
  }

  finish() {
    this.microphone?.close();
    showButton(false);
    $("recording").hidden = !this.pieces.length;
    if (this.pieces.length) useRecording(encodeWav(this.pieces, this.microphone.rate), text("own_recording"));
  }
}

function showButton(isRecording) {
  $("record").classList.toggle("recording", isRecording);
  show($("record").querySelector("[data-text]"), isRecording ? "stop_recording" : "record");
}
