import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { monotonicNow } from '../../src/clock.ts';
import { Outcome } from '../../src/protocol/scheduler-publisher.ts';
import { startPrivateRabbitmq } from '../helpers/servers.ts';
import { connectedPublisher, makeBatch, outcomesOf } from './harness.ts';

t.test('a broker that is short of memory', async (t) => {
  // Its alarm would stop all other tests too.
  const folder = mkdtempSync(join(tmpdir(), 'dalga-test-'));
  const rabbit = await startPrivateRabbitmq({ folder });
  t.teardown(async () => {
    await rabbit.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const { host, port, user, password, vhost } = rabbit;
  const publisher = await connectedPublisher({ host, port, user, password, vhost, exchange: '' }, t.teardown);
  await rabbit.ctl('set_vm_memory_high_watermark', '0');
  const batch = makeBatch([{ routingKey: 'nowhere' }]);
  const blocked = publisher.reports.next('connection.changed', ({ connected }) => !connected);
  const first = await publisher.publish(batch);
  t.strictSame([...first.outcomes], [Outcome.pending]);
  t.match(await blocked, { blocked: true, reason: /takes no messages now: low on memory/ });

  // Held back here, and not in the broker's socket, from where it could not be called back.
  const untrusted = makeBatch([{ routingKey: 'nowhere' }], { trustedUntil: monotonicNow() + 50 });
  t.strictSame(await outcomesOf(publisher, untrusted), [Outcome.unsent]);
  await rabbit.ctl('set_vm_memory_high_watermark', '0.9');
  await publisher.reports.next('connection.changed', ({ connected }) => connected);
  t.equal((await publisher.reports.late(batch.number, 1)).get(0), Outcome.returned);
  const next = await outcomesOf(publisher, makeBatch([{ routingKey: 'nowhere' }]));
  t.strictSame(next, [Outcome.returned]);
});
