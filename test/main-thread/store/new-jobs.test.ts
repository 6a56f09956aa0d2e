import t from 'tap';
import { nameJob } from '../../../src/job/named-job.ts';
import type { WriteRequest } from '../../../src/main-thread/store/batch-plan.ts';
import { NewJobs } from '../../../src/main-thread/store/new-jobs.ts';

const named = nameJob({ routingKey: 'a', job: 'b' });
const put: WriteRequest = { op: 'put', named, request: {}, onlyCreate: false };

t.test('jobs are taken for new after three batches of new ones, until one is there', async (t) => {
  const jobs = new NewJobs();
  for (let batches = 0; batches < 3; batches++) {
    t.notOk(jobs.expectedIn([put]));
    jobs.looked([put], 0);
  }
  t.ok(jobs.expectedIn([put, { ...put, onlyCreate: true }]));
  jobs.wrong();
  t.notOk(jobs.expectedIn([put]));
});

t.test('one stored job, or one request of another kind, and it begins anew', async (t) => {
  const others: WriteRequest[] = [
    { op: 'delete', named },
    { ...put, ifMatch: '*' },
    { op: 'end', span: 1 },
  ];
  for (const [batch, found] of [
    [[put], 1],
    [[put, others[0]!], 0],
  ] as const) {
    const jobs = new NewJobs();
    jobs.looked([put], 0);
    jobs.looked([put], 0);
    jobs.looked(batch, found);
    jobs.looked([put], 0);
    t.notOk(jobs.expectedIn([put]));
  }
  const jobs = new NewJobs();
  for (let batches = 0; batches < 3; batches++) jobs.looked([put], 0);
  for (const other of others) t.notOk(jobs.expectedIn([put, other]));
});
