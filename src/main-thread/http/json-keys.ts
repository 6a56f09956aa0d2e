const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * The first key that an object in JSON has twice, at its top level; JSON.parse keeps the last silently.
 *
 * @param object what JSON.parse has made of the text
 */
export function findDuplicateKey(text: string, object: object): string | undefined {
  let count = 0;
  forEachKey(text, () => count++);
  if (count === Object.keys(object).length) return undefined;
  const seen = new Set<string>();
  let duplicate: string | undefined;
  forEachKey(text, (start, end) => {
    const key = JSON.parse(text.slice(start, end)) as string;
    if (seen.has(key)) duplicate ??= key;
    seen.add(key);
  });
  return duplicate;
}

/** Calls `visit` with where each key of the top level stands, its quotes included. */
function forEachKey(text: string, visit: (start: number, end: number) => void): void {
  let depth = 0;
  let start = 0;
  let end = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        start = at;
        at = endOfString(text, at);
        end = at + 1;
        break;
      case 0x7b: // {
      case 0x5b: // [
        depth++;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        depth--;
        break;
      case 0x3a: // : the string before it is a key
        if (depth === 1) visit(start, end);
        break;
    }
  }
}

/** The index of the quote that ends the string which begins at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  for (let code = text.charCodeAt(at); code !== QUOTE; code = text.charCodeAt(at)) {
    at += code === BACKSLASH ? 2 : 1;
  }
  return at;
}
