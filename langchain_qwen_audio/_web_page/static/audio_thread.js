// Runs in the browser's audio thread: samples of the microphone → pieces of 16-bit samples.

const PIECES_PER_S = 10; // microphone.js counts on it

class Pieces extends AudioWorkletProcessor {
  constructor() {
    super();
    this.piece = new Int16Array(Math.round(sampleRate / PIECES_PER_S));
    this.filled = 0;
  }

  process([[samples]]) {
    for (const sample of samples ?? []) {
      this.piece[this.filled++] = Math.max(-1, Math.min(1, sample)) * 32767;
      if (this.filled === this.piece.length) this.send();
    }
    return true;
  }

  send() {
    this.port.postMessage(this.piece.slice());
    this.filled = 0;
  }
}

registerProcessor("pieces", Pieces);
