// The picture of a recording: points, each the lowest and the highest sample of a stretch.

import { $ } from "./elements.js";

const MAX_POINTS = 600; // as wide as the picture
const POINTS_A_PIECE = 5; // each 20 ms, while it is recorded

export function drawWaveform(points) {
  const peak = points.reduce((max, [low, high]) => Math.max(max, -low, high), 0.01);
  const step = MAX_POINTS / Math.max(points.length - 1, 1);
  const at = (value, i) => `${(i * step).toFixed(1)} ${(-value / peak).toFixed(3)}`;
  const there = points.map(([, high], i) => at(high, i));
  const back = points.map(([low], i) => at(low, i)).reverse();
  $("shape").setAttribute("d", points.length ? `M${[...there, ...back].join("L")}Z` : "");
}

// Of a long recording each point stands for more of it, so that all of it is in the picture.
export function addPiece(points, piece) {
  const all = [...points, ...pointsOf(piece)];
  return all.length > MAX_POINTS ? halved(all.slice(0, all.length & ~1)) : all;
}

function pointsOf(piece) {
  const size = Math.ceil(piece.length / POINTS_A_PIECE);
  const stretches = Array.from({ length: POINTS_A_PIECE }, (_, i) => piece.subarray(i * size, (i + 1) * size));
  return stretches.map(it => [Math.min(...it) / 32768, Math.max(...it) / 32768]);
}

function halved(points) {
  const pairs = Array.from({ length: points.length / 2 }, (_, i) => [points[2 * i], points[2 * i + 1]]);
  return pairs.map(([a, b]) => [Math.min(a[0], b[0]), Math.max(a[1], b[1])]);
}
