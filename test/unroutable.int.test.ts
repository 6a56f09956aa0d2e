import t from 'tap';
import { freePorts } from '../src/quickstart/free-port.ts';
import { scrapeUntil } from './helpers/balance.ts';
import { DalgaProcess, environment } from './helpers/dalga-process.ts';
import { listenTo } from './helpers/event-stream.ts';
import { testRabbitmq } from './helpers/servers.ts';
import { startService } from './helpers/service.ts';

t.test('messages that no queue takes go to the queue that is named for them', async (t) => {
  const broker = await testRabbitmq();
  t.teardown(broker.close);
  const alternate = broker.name('alternate');
  const consumer = await broker.consume(alternate);
  const service = await startService(t, { DALGA_UNROUTABLE_QUEUE: alternate });
  const { url, queue } = service;
  const stream = await listenTo(`${url}/events?type=returned`);
  const put = (key: string, query: string) => fetch(`${url}/jobs/${key}/1?${query}`, { method: 'PUT' });
  await put('no-such-queue', 'interval=3600&immediate=true');
  await put(queue, 'interval=3600&immediate=true');
  const message = await consumer.next();
  t.match(message.properties, {
    messageId: String,
    headers: { 'x-dalga-unroutable-exchange': '', 'x-dalga-unroutable-routing-key': 'no-such-queue' },
  });
  await service.consumer.take(1);
  const told = await stream.next('returned');
  t.match(told, { data: { job: '1', rerouted: true, message_id: message.properties.messageId } });
  const settled = (returned: number, confirmed: number) =>
    scrapeUntil(
      t,
      url,
      (now) =>
        now.get('dalga_occurrences_returned_total') === returned &&
        now.get('dalga_occurrences_confirmed_total') === confirmed,
    );
  const { samples } = await settled(1, 1);
  t.equal(samples.get('dalga_messages_rerouted_total'), 1);
  const history = await (await fetch(`${url}/jobs/no-such-queue/1/history`)).json();
  t.match(history, { why: /went to where unroutable messages go/, entries: [{ event: 'rerouted' }] });

  await consumer.close();
  await put('no-such-queue', 'interval=3601&immediate=true');
  t.match(await stream.next('returned', { rerouted: false }), { data: { job: '1' } });
  await service.instance.process.logged('returned as unroutable');
  const { samples: after } = await settled(2, 1);
  t.equal(after.get('dalga_messages_rerouted_total'), 1);
  t.equal(await service.instance.process.stop(), 0);

  const [port] = (await freePorts(1)) as [number];
  const again = new DalgaProcess(environment(service.settings, port));
  t.equal(await again.exited, 2, 'a start without the queue is refused');
  t.match(again.stderr, new RegExp(`:${broker.port} has no queue "${alternate}" .*DALGA_UNROUTABLE_QUEUE`));
});
