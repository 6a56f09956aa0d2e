/** The few marks that the pictures are made of; they need no library. */

export function svg(width: number, height: number, title: string, marks: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`,
    ` font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="${escaped(title)}">\n`,
    `<title>${escaped(title)}</title>\n<rect width="${width}" height="${height}" fill="#ffffff"/>\n`,
    ...marks.map((mark) => `${mark}\n`),
    '</svg>\n',
  ].join('');
}

export function rect(x: number, y: number, width: number, height: number, fill: string, hint = ''): string {
  const title = hint === '' ? '' : `<title>${escaped(hint)}</title>`;
  return `<rect x="${at(x)}" y="${at(y)}" width="${at(width)}" height="${at(height)}" fill="${fill}">${title}</rect>`;
}

export function line(x1: number, y1: number, x2: number, y2: number, stroke: string, dashes = ''): string {
  const dashed = dashes === '' ? '' : ` stroke-dasharray="${dashes}"`;
  return `<line x1="${at(x1)}" y1="${at(y1)}" x2="${at(x2)}" y2="${at(y2)}" stroke="${stroke}"${dashed}/>`;
}

/** A text stays readable where it lies on a bar. */
const HALO = ' stroke="#ffffff" stroke-width="3" stroke-opacity="0.85" paint-order="stroke"';

export function text(
  x: number,
  y: number,
  content: string,
  { anchor = 'start', fill = '#222222', size = 12, bold = false } = {},
): string {
  const weight = bold ? ' font-weight="600"' : '';
  return `<text x="${at(x)}" y="${at(y)}" text-anchor="${anchor}" fill="${fill}" font-size="${size}"${weight}${HALO}>${escaped(content)}</text>`;
}

function at(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escaped(content: string): string {
  return content
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
