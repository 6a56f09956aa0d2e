import { DalgaError } from '../../errors.ts';

/** The parts of a request's target, as they came: still percent-encoded. */
export type Target = { readonly path: string; readonly query: string };

/**
 * Splits the target of a request line. The router's own parse is not used: it decodes the path before it splits
 * it, does so leniently, and takes what follows a # for a query.
 */
export function splitTarget(url: string): Target {
  // A proxy's request names the server too (RFC 9112, absolute-form).
  const target = url.startsWith('/') ? url : url.replace(/^https?:\/\/[^/?]*/i, '');
  const at = target.indexOf('?');
  return at < 0 ? { path: target, query: '' } : { path: target.slice(0, at), query: target.slice(at + 1) };
}

const PLAIN = /^[\x20-\x24\x26-\x7e]*$/;
const MALFORMED = /%(?![0-9a-f]{2})/i;

/**
 * Decodes percent-encoding, strictly: a % needs two hexadecimal digits, and the bytes must be UTF-8. Bytes above
 * 127 that came without encoding, as they may in a form, are taken as they are; `text` has them as Latin-1.
 *
 * @throws DalgaError invalid_parameter, naming `parameter`
 */
export function decodePercent(text: string, parameter: string): string {
  if (PLAIN.test(text)) return text;
  const encoded = text.replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16)}`);
  try {
    return decodeURIComponent(encoded);
  } catch {
    const rule = MALFORMED.test(text)
      ? 'has malformed percent-encoding: a % must be followed by two hexadecimal digits'
      : 'is not UTF-8';
    throw invalid(parameter, rule);
  }
}

/** Calls `visit` for each pair of a query string or a form body (application/x-www-form-urlencoded). */
export function forEachPair(text: string, visit: (name: string, value: string) => void): void {
  if (text === '') return;
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    const at = pair.indexOf('=');
    const rawName = at < 0 ? pair : pair.slice(0, at);
    const name = decodeForm(rawName, rawName);
    visit(name, at < 0 ? '' : decodeForm(pair.slice(at + 1), name));
  }
}

/** A name as a refusal shows it: whatever a client sent, at most 64 characters of it, and none of them halved. */
export function shorten(name: string): string {
  return name.length <= 64 ? name : `${name.slice(0, 64).replace(/[\ud800-\udbff]$/, '')}…`;
}

function decodeForm(text: string, parameter: string): string {
  return decodePercent(text.includes('+') ? text.replaceAll('+', ' ') : text, parameter);
}

function invalid(parameter: string, rule: string): DalgaError {
  const shown = shorten(parameter);
  return new DalgaError('invalid_parameter', `${shown} ${rule}`, { parameter: shown });
}
