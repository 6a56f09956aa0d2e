import t from 'tap';
import { splitLines } from '../../../src/main-thread/http/ndjson.ts';
import { seededRandom } from '../../helpers/random.ts';

async function split(chunks: readonly string[], limit = 1000): Promise<[number, string | null][]> {
  async function* body(): AsyncGenerator<Buffer> {
    for (const chunk of chunks) yield Buffer.from(chunk);
  }
  const lines: [number, string | null][] = [];
  for await (const some of splitLines(body(), limit)) {
    for (const { number, bytes } of some) lines.push([number, bytes === null ? null : bytes.toString()]);
  }
  return lines;
}

t.test('lines, wherever the pieces of the body end', async (t) => {
  t.same(await split([]), []);
  t.same(await split(['a\nb\n']), [
    [1, 'a'],
    [2, 'b'],
  ]);
  t.same(await split(['a\r\n', '\n \t\r\n', 'b']), [
    [1, 'a\r'],
    [4, 'b'],
  ]);
  const text = Array.from({ length: 200 }, (_, index) => `line ${'x'.repeat(index)}`).join('\n');
  const random = seededRandom(3);
  const pieces: string[] = [];
  for (let at = 0; at < text.length; ) {
    const size = Math.floor(random() * 40);
    pieces.push(text.slice(at, at + size));
    at += size;
  }
  t.same(
    (await split(pieces)).map(([, line]) => line),
    text.split('\n'),
  );
});

t.test('a line that is too long is told, and those after it are read', async (t) => {
  t.same(await split(['abcd', 'efgh', 'ij\nk\n', 'l'.repeat(11)], 10), [
    [1, 'abcdefghij'],
    [2, 'k'],
    [3, null],
  ]);
  t.same(await split(['x'.repeat(50), 'y'.repeat(50), '\nz'], 10), [
    [1, null],
    [2, 'z'],
  ]);
});
