// Pieces of speech, played one after the other, and stopped at once.

const RATE = 24_000; // as the service sends it

export class SpeechPlayer {
  constructor(onChange) {
    this.context = new AudioContext({ sampleRate: RATE });
    this.playing = new Set();
    this.onChange = onChange;
    this.end = 0; // when the last piece ends
  }

  play(samples) {
    const sound = this.context.createBuffer(1, samples.length, RATE);
    sound.copyToChannel(Float32Array.from(samples, it => it / 32768), 0);
    const source = new AudioBufferSourceNode(this.context, { buffer: sound });
    source.connect(this.context.destination);
    source.onended = () => this.playing.delete(source) && this.onChange();
    this.end = Math.max(this.end, this.context.currentTime);
    source.start(this.end);
    this.end += sound.duration;
    this.playing.add(source);
    this.onChange();
  }

  silence() {
    for (const source of this.playing) source.stop();
    this.playing.clear();
    this.end = 0;
    this.onChange();
  }

  close() {
    this.silence();
    this.context.close();
  }
}
