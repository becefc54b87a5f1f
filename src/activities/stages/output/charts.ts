/** Charts as SVG text: no script, no outside reference, every text escaped. */

export interface Point {
  label: string;
  value: number;
}

const WIDTH = 720;
const HEIGHT = 300;
const LEFT = 70;
const BOTTOM = 60;
const TOP = 16;
const RIGHT = 16;
const INNER_WIDTH = WIDTH - LEFT - RIGHT;
const INNER_HEIGHT = HEIGHT - TOP - BOTTOM;
const TICKS = 4;
const MAX_LABELS = 16;
const MAX_LABEL = 14;

export function escapeHtml(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

export function barChart(points: readonly Point[]): string {
  const scale = scaleOf(points.map((point) => point.value));
  const step = INNER_WIDTH / Math.max(1, points.length);
  const zero = y(scale, Math.max(scale.low, Math.min(scale.high, 0)));
  const bars = points.map(({ label, value }, at) => {
    const top = Math.min(zero, y(scale, value));
    const height = Math.abs(zero - y(scale, value));
    const x = LEFT + at * step + step * 0.1;
    return `<rect class="bar" x="${fixed(x)}" y="${fixed(top)}" width="${fixed(step * 0.8)}" height="${fixed(height)}"><title>${escapeHtml(`${label}: ${shown(value)}`)}</title></rect>`;
  });
  return frame(
    axes(scale) +
      bars.join('') +
      labels(
        points.map((point) => point.label),
        (at) => LEFT + (at + 0.5) * step,
      ),
  );
}

export function lineChart(points: readonly Point[]): string {
  const scale = scaleOf(points.map((point) => point.value));
  const x = (at: number) =>
    LEFT + (points.length === 1 ? INNER_WIDTH / 2 : (at * INNER_WIDTH) / Math.max(1, points.length - 1));
  const path = points
    .map(({ value }, at) => `${at === 0 ? 'M' : 'L'}${fixed(x(at))} ${fixed(y(scale, value))}`)
    .join('');
  const marks = points.map(
    ({ label, value }, at) =>
      `<circle class="dot" cx="${fixed(x(at))}" cy="${fixed(y(scale, value))}" r="2.5"><title>${escapeHtml(`${label}: ${shown(value)}`)}</title></circle>`,
  );
  return frame(
    `${axes(scale)}<path class="line" d="${path}"/>${marks.join('')}${labels(
      points.map((point) => point.label),
      x,
    )}`,
  );
}

export function scatterChart(points: readonly { x: number; y: number }[]): string {
  const scale = scaleOf(
    points.map((point) => point.y),
    false,
  );
  const across = scaleOf(
    points.map((point) => point.x),
    false,
  );
  const x = (value: number) => LEFT + ((value - across.low) / (across.high - across.low)) * INNER_WIDTH;
  const marks = points.map(
    (point) => `<circle class="dot" cx="${fixed(x(point.x))}" cy="${fixed(y(scale, point.y))}" r="2"/>`,
  );
  const ticks = Array.from({ length: TICKS + 1 }, (_, at) => across.low + (at * (across.high - across.low)) / TICKS);
  return frame(axes(scale) + marks.join('') + labels(ticks.map(shown), (at) => LEFT + (at * INNER_WIDTH) / TICKS));
}

interface Scale {
  low: number;
  high: number;
}

function scaleOf(values: readonly number[], fromZero = true): Scale {
  const finite = values.filter(Number.isFinite);
  const low = Math.min(...(fromZero ? [0] : []), ...finite);
  const high = Math.max(...(fromZero ? [0] : []), ...finite);
  if (!Number.isFinite(low) || !Number.isFinite(high)) return { low: 0, high: 1 };
  return high > low ? { low, high } : { low, high: low + 1 };
}

const y = (scale: Scale, value: number) =>
  TOP + INNER_HEIGHT - ((value - scale.low) / (scale.high - scale.low)) * INNER_HEIGHT;

function axes(scale: Scale): string {
  return Array.from({ length: TICKS + 1 }, (_, at) => {
    const value = scale.low + (at * (scale.high - scale.low)) / TICKS;
    const at_y = fixed(y(scale, value));
    return `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at_y}" y2="${at_y}"/><text class="tick" x="${LEFT - 6}" y="${at_y}" text-anchor="end" dominant-baseline="middle">${escapeHtml(shown(value))}</text>`;
  }).join('');
}

/** Only as many as there is room for. */
function labels(texts: readonly string[], x: (at: number) => number): string {
  const every = Math.ceil(texts.length / MAX_LABELS);
  return texts
    .map((text, at) => {
      if (at % every !== 0) return '';
      const short = text.length > MAX_LABEL ? `${text.slice(0, MAX_LABEL - 1)}…` : text;
      const at_x = fixed(x(at));
      return `<text class="tick" x="${at_x}" y="${HEIGHT - BOTTOM + 14}" text-anchor="end" transform="rotate(-35 ${at_x} ${HEIGHT - BOTTOM + 14})">${escapeHtml(short)}</text>`;
    })
    .join('');
}

function frame(inside: string): string {
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img">${inside}</svg>`;
}

const fixed = (value: number) => String(Math.round(value * 100) / 100);

function shown(value: number): string {
  if (!Number.isFinite(value)) return '';
  return String(Math.abs(value) >= 1e6 ? Number(value.toPrecision(4)).toExponential() : Number(value.toPrecision(6)));
}
