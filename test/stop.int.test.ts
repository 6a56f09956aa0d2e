import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import t from 'tap';
import { loadConfig } from '../src/config.ts';
import { createDalga } from '../src/dalga.ts';
import { createLog } from '../src/log.ts';
import { prepareScheduler } from '../src/main-thread/scheduler-worker.ts';
import { environment } from './helpers/dalga-process.ts';
import { testMysql, testRabbitmq } from './helpers/servers.ts';

const BATCH = 1000;

function batch(from: number): string {
  const line = (_: unknown, job: number) =>
    `{"routing_key":"nobody","job":"${from + job}","interval":86400}\n`;
  return Array.from({ length: BATCH }, line).join('');
}

t.test('a load that learns of a stop at its very end is answered to its last line', async (t) => {
  const mysql = await testMysql();
  const broker = await testRabbitmq();
  const env = environment({ mysql: { ...mysql, table: 'dalga' }, rabbitmq: broker }, 0);
  const { config } = loadConfig({ env, args: [] });
  const log = createLog('main', false);
  for (const level of ['info', 'warn', 'error'] as const) Object.assign(log, { [level]: () => {} });
  const scheduler = prepareScheduler(config);
  let onStopped = () => {};
  const dalga = createDalga(config, {
    log,
    scheduler: {
      start: scheduler.start,
      // The last that a stop ends before the connections.
      async discard() {
        await scheduler.discard();
        onStopped();
      },
    },
  });
  let closed: Promise<boolean> | undefined;
  t.teardown(async () => {
    await (closed ?? dalga.close());
    await broker.close();
    await mysql.close();
  });
  await dalga.start();
  const url = `http://${dalga.address}`;
  const answers = async (path: string) => {
    for (;;) {
      const answer = await fetch(`${url}${path}`);
      await answer.arrayBuffer();
      if (answer.ok) return;
    }
  };
  await answers('/readyz');

  const request = httpRequest(`${url}/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
  });
  request.write(batch(0));
  await answers(`/jobs/nobody/${BATCH - 1}`);
  onStopped = () => request.write(batch(BATCH));
  closed = dalga.close();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  request.on('error', () => {}).destroy();
  t.match(JSON.parse(text.trim().split('\n').at(-1)!), {
    ...{ complete: false, lines: 2 * BATCH, stored: BATCH, refused: BATCH, code: 'stopping' },
  });
  t.equal(await closed, true, 'the stop is a clean one');
});
