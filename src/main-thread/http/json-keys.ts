const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * The first key that an object in JSON has twice, at its top level; JSON.parse keeps the last silently.
 *
 * @param text JSON that JSON.parse has accepted as an object
 */
export function findDuplicateKey(text: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  let lastString = '';
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE: {
        const end = endOfString(text, at);
        // Only a string directly before a colon of the top level is looked at.
        if (depth === 1) lastString = text.slice(at, end + 1);
        at = end;
        break;
      }
      case 0x7b: // {
      case 0x5b: // [
        depth++;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        depth--;
        break;
      case 0x3a: // :
        if (depth === 1) {
          const key = JSON.parse(lastString) as string;
          if (seen.has(key)) return key;
          seen.add(key);
        }
        break;
    }
  }
  return undefined;
}

/** The index of the quote that ends the string which begins at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  for (let code = text.charCodeAt(at); code !== QUOTE; code = text.charCodeAt(at)) {
    at += code === BACKSLASH ? 2 : 1;
  }
  return at;
}
