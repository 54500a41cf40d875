// The microphone → pieces of 16-bit samples, a tenth of a second each.

import { explainLoss } from "./access.js";
import { NamedError } from "./texts.js";

export const PIECES_PER_S = 10; // as audio_thread.js makes them

export async function openMicrophone(onPiece) {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (error) {
    throw new NamedError("no_microphone", error.message);
  }
  const context = new AudioContext();
  const close = () => {
    stream.getTracks().forEach(track => track.stop());
    context.close();
  };
  try {
    const pieces = await readPieces(context, stream, onPiece);
    return { rate: context.sampleRate, close: () => ((pieces.port.onmessage = null), close()) };
  } catch (error) {
    close(); // nobody else could
    throw error;
  }
}

async function readPieces(context, stream, onPiece) {
  try {
    await context.audioWorklet.addModule("/page/audio_thread.js");
  } catch {
    throw await explainLoss();
  }
  const pieces = new AudioWorkletNode(context, "pieces", { channelCount: 1, channelCountMode: "explicit" });
  pieces.port.onmessage = ({ data }) => onPiece(data);
  // It writes no sound, but a node that leads nowhere would not run in every browser.
  context.createMediaStreamSource(stream).connect(pieces).connect(context.destination);
  return pieces;
}
