import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Connection } from 'mysql2/promise';
import t from 'tap';
import { testMysql } from './helpers/servers.ts';

const TEXT = readFileSync(new URL('../../RELIABILITY.md', import.meta.url), 'utf8');

type Message = { properties: { messageId: string } };
type HandleOnce = (
  message: Message,
  connection: Connection,
  work: (message: Message) => Promise<void>,
) => Promise<void>;

t.test("the guide's deduplication: a message that comes twice is worked on once", async (t) => {
  const [, code = ''] = /```js\n(.*?)```/s.exec(TEXT) ?? [];
  const folder = mkdtempSync(join(tmpdir(), 'dalga-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'handle-once.mjs'), code);
  const { handleOnce } = (await import(pathToFileURL(join(folder, 'handle-once.mjs')).href)) as {
    handleOnce: HandleOnce;
  };
  const [, table = ''] = /^\/\/ (CREATE TABLE .*)$/m.exec(code) ?? [];
  const database = await testMysql();
  const connection = await database.connect();
  t.teardown(async () => {
    await connection.end();
    await database.close();
  });
  await connection.query(table);

  const done: string[] = [];
  const work = async ({ properties }: Message) => {
    done.push(properties.messageId);
  };
  const message = (messageId: string): Message => ({ properties: { messageId } });
  await handleOnce(message('k3x9.1.a'), connection, work);
  await handleOnce(message('k3x9.1.a'), connection, work);
  await handleOnce(message('k3x9.1.b'), connection, work);
  t.same(done, ['k3x9.1.a', 'k3x9.1.b']);

  const fails = async () => {
    throw new Error('the work failed');
  };
  await t.rejects(handleOnce(message('k3x9.1.c'), connection, fails), { message: 'the work failed' });
  await handleOnce(message('k3x9.1.c'), connection, work);
  t.equal(done.at(-1), 'k3x9.1.c', 'work that failed is done again');
});

t.test('each test that the guide names is there', async (t) => {
  const named = [...TEXT.matchAll(/`(test\/[^`]+\.ts)`/g)].map(([, path]) => path!);
  for (const path of new Set(named)) {
    t.ok(readFileSync(new URL(`../../${path}`, import.meta.url)).length > 0, path);
  }
});
