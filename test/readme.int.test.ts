import { readFileSync } from 'node:fs';
import t from 'tap';
import { startService } from './helpers/service.ts';

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const BASE = 'http://127.0.0.1:34006';

type Example = {
  command: string;
  method: string;
  url: string;
  headers: Record<string, string>;
  body?: string;
  answer: string;
};

/** The curl commands of the README's console blocks, each with the line that stands below it. */
function examples(): Example[] {
  const found: Example[] = [];
  for (const [, block = ''] of README.matchAll(/```console\n([\s\S]*?)```/g)) {
    const lines = block.trim().split('\n');
    for (let at = 0; at < lines.length; at += 2) {
      found.push({ ...readCurl(lines[at]!.replace(/^\$ /, '')), answer: lines[at + 1]! });
    }
  }
  return found;
}

/** The few of curl's options that the README uses. */
function readCurl(command: string): Omit<Example, 'answer'> {
  const words = [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
  const example: Omit<Example, 'answer'> = { command, method: 'GET', url: '', headers: {} };
  for (let at = 1; at < words.length; at++) {
    const word = words[at]!;
    if (word === '-X') example.method = words[++at]!;
    else if (word === '-H') {
      const [name = '', value = ''] = words[++at]!.split(': ');
      example.headers[name.toLowerCase()] = value;
    } else if (word === '-d') {
      example.body = words[++at]!;
      example.headers['content-type'] ??= 'application/x-www-form-urlencoded';
    } else if (word.startsWith(BASE)) example.url = word;
    else throw new Error(`an option that the test does not know: ${word}`);
  }
  return example;
}

/** What a forecast says of the jobs that the other examples have stored depends on when they were. */
function withoutStored(text: string): string {
  return text.replace(
    /"total":\d+,"steps":\[[\d,]*\],"routes":\[(?:\{"routing_key":"[^"]*","steps":\[[\d,]*\]\},?)*\],"added"/,
    '"total":…,"added"',
  );
}

t.test('the examples of the README, in their order', async (t) => {
  const service = await startService(t);
  const all = examples();
  t.ok(all.length >= 10);
  for (const { command, method, url, headers, body, answer } of all) {
    const got = await fetch(url.replace(BASE, service.url), {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    });
    const whole = await got.text();
    // A line of NDJSON ends with a newline, a JSON document does not.
    const ndjson = got.headers.get('content-type') === 'application/x-ndjson';
    const text = ndjson ? whole.replace(/\n$/, '') : whole;
    const [, status, expected] = /^(\d+) ?(.*)$/.exec(answer)!;
    t.equal(got.status, Number(status), command);
    if (got.status >= 400) t.match(JSON.parse(text), JSON.parse(expected!), 'the problem');
    else
      t.equal(
        withoutStored(
          text
            .replace(/"next_run":"[^"]+"/g, '"next_run":"2014-11-11T22:11:40Z"')
            .replace(/"id":"\d+"/, '"id":"7"')
            .replace(/"(created|position)":"[^"]+\.\d+Z"/g, '"$1":"2014-11-11T22:10:40.123Z"'),
        ),
        withoutStored(expected!),
        'byte for byte',
      );
  }
});
