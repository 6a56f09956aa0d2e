import { DalgaError } from '../../errors.ts';
import { changeRow, createRow, type JobRequest, replaceRow } from '../../job/change-row.ts';
import { checkMatch, type IfMatch } from '../../job/entity-tag.ts';
import type { JobRow } from '../../job/job.ts';
import type { NamedJob } from '../../job/named-job.ts';
import { planBackfill, planRun, SPANS_LIMIT, type Span } from '../../job/span.ts';
import { rowBytes } from '../../protocol/job-memory.ts';
import type { Change } from '../../protocol/main-scheduler.ts';

/** What a change of a stored job may depend on. */
type OfStored = {
  readonly ifMatch?: IfMatch;
  /** A job for which it does not hold counts as absent: judged of what is stored when it is written. */
  readonly when?: (row: JobRow) => boolean;
};

export type JobWrite = { readonly named: NamedJob } & (
  | {
      readonly op: 'put';
      readonly request: JobRequest;
      readonly onlyCreate: boolean;
      readonly ifMatch?: IfMatch;
    }
  | ({ readonly op: 'post'; readonly request: JobRequest } & OfStored)
  | ({ readonly op: 'delete' } & OfStored)
  | { readonly op: 'run' }
  | { readonly op: 'backfill'; readonly from: number; readonly to: number }
);

export type WriteRequest = JobWrite | { readonly op: 'end'; readonly span: number };

/** What a request is answered once its batch is committed. */
export type WriteAnswer =
  | { readonly result: 'stored'; readonly row: JobRow; readonly created: boolean }
  | { readonly result: 'deleted' }
  | { readonly result: 'opened'; readonly span: Span }
  | { readonly result: 'ended' }
  | { readonly result: 'absent' }
  | { readonly result: 'refused'; readonly error: unknown };

export type BatchInput = {
  /** The rows that are stored now, by `keyText` of their hash. */
  readonly stored: ReadonlyMap<string, JobRow>;
  /** Unix ms. */
  readonly stamp: number;
  readonly nextId: number;
  /** The ids of the open spans; read only where a request names any. */
  readonly spans?: ReadonlySet<number>;
  /** Whether a stored one-off only waits for its deletion: it counts as absent. */
  readonly isSettled: (id: number, version: number) => boolean;
  /** Refuses (throws) what does not fit into memory: see `JobMemory.admit`. */
  readonly admit?: ((more: number, added: number) => void) | undefined;
  /** Somebody listens to `events`. */
  readonly heard?: boolean;
};

/** What the requests of a batch have made of a job, as it is told to those who listen. */
export type JobEvent = {
  readonly type: 'scheduled' | 'changed' | 'cancelled';
  /** As it is now; of `cancelled` as it was. */
  readonly row: JobRow;
};

export type BatchPlan = {
  /** One for each request, in their order. */
  readonly answers: readonly WriteAnswer[];
  readonly upserts: readonly { readonly hash: Uint8Array; readonly row: JobRow }[];
  /** Ids of stored rows. */
  readonly removals: readonly number[];
  readonly spans: readonly Span[];
  /** Ids of open ones. */
  readonly endedSpans: readonly number[];
  readonly changes: readonly Change[];
  readonly nextId: number;
  /** What the jobs take more than before, in the scheduler's memory, bytes: none is subtracted that take less. */
  readonly added: number;
  /** Empty unless it was asked for. */
  readonly events: readonly JobEvent[];
};

/** A key as a Map's key. */
export function keyText(hash: Uint8Array): string {
  return Buffer.from(hash.buffer, hash.byteOffset, hash.byteLength).toString('latin1');
}

/** A job of the batch: as it is stored, and as the requests so far have made it. */
type Entry = { readonly named: NamedJob; readonly stored: JobRow | null; current: JobRow | null };

/**
 * Applies the requests in their order, each to what those before it made of its job, and sums them up: what is to
 * be written for a job is one row or one removal, however many requests name it. A request that is refused for a
 * reason of its own changes nothing.
 */
export function planBatch(requests: readonly WriteRequest[], input: BatchInput): BatchPlan {
  const entries = new Map<string, Entry>();
  let added = 0;
  let { nextId } = input;

  const entryOf = (named: NamedJob): Entry => {
    const text = keyText(named.hash);
    const known = entries.get(text);
    if (known !== undefined) return known;
    const row = input.stored.get(text);
    // The columns of the key are not read again: whoever names a job has its bytes.
    const stored = row === undefined ? null : { ...row, routingKey: named.routingKey, job: named.job };
    const current = stored !== null && input.isSettled(stored.id, stored.version) ? null : stored;
    const entry = { named, stored, current };
    entries.set(text, entry);
    return entry;
  };

  const store = (entry: Entry, row: JobRow, created: boolean): WriteAnswer => {
    const more = rowBytes(row) - (entry.current === null ? 0 : rowBytes(entry.current));
    if (more > 0) {
      input.admit?.(more, added);
      added += more;
    }
    if (created) nextId++;
    entry.current = row;
    return { result: 'stored', row, created };
  };

  const spans = new Map<number, Span>();
  const open = new Set(input.spans);
  const endedSpans: number[] = [];

  const openSpan = (plan: (id: number) => Span): WriteAnswer => {
    if (open.size >= SPANS_LIMIT) {
      throw new DalgaError(
        'too_many_backfills',
        `${SPANS_LIMIT} backfills and runs by hand are open, and no more may be: see GET /backfills`,
      );
    }
    const span = plan(nextId);
    nextId++;
    open.add(span.id);
    spans.set(span.id, span);
    return { result: 'opened', span };
  };

  const endSpan = (id: number): WriteAnswer => {
    if (!open.delete(id)) return { result: 'absent' };
    // One of this very batch was never written.
    if (!spans.delete(id)) endedSpans.push(id);
    return { result: 'ended' };
  };

  const apply = (request: WriteRequest): WriteAnswer => {
    if (request.op === 'end') return endSpan(request.span);
    const entry = entryOf(request.named);
    const { current } = entry;
    if (request.op === 'run' || request.op === 'backfill') {
      if (current === null) return { result: 'absent' };
      return openSpan((id) =>
        request.op === 'run'
          ? planRun(current, input.stamp, id)
          : planBackfill(current, request, input.stamp, id),
      );
    }
    if (request.op !== 'put' && current !== null && request.when?.(current) === false) {
      return { result: 'absent' };
    }
    if (current !== null || request.op === 'put') checkMatch(current, request.ifMatch ?? null);
    switch (request.op) {
      case 'put': {
        if (current !== null && request.onlyCreate) {
          throw new DalgaError('precondition_failed', 'the job exists already (If-None-Match: *)');
        }
        const { named } = entry;
        if (current !== null) {
          return store(entry, replaceRow(current, named.hash, request.request, input.stamp), false);
        }
        return store(entry, createRow(named, request.request, input.stamp, nextId), true);
      }
      case 'post': {
        if (current === null) return { result: 'absent' };
        return store(entry, changeRow(current, entry.named.hash, request.request, input.stamp), false);
      }
      case 'delete':
        if (current === null) return { result: 'absent' };
        entry.current = null;
        return { result: 'deleted' };
    }
  };

  const answers = requests.map((request): WriteAnswer => {
    try {
      return apply(request);
    } catch (error) {
      return { result: 'refused', error };
    }
  });
  const { upserts, removals, changes, events } = sumUp(entries.values(), input);
  for (const span of spans.values()) changes.push({ op: 'open', span });
  for (const id of endedSpans) changes.push({ op: 'end', id });
  return {
    answers,
    upserts,
    removals,
    spans: [...spans.values()],
    endedSpans,
    changes,
    events,
    nextId,
    added,
  };
}

function sumUp(entries: Iterable<Entry>, { isSettled, heard = false }: BatchInput) {
  const upserts: { hash: Uint8Array; row: JobRow }[] = [];
  const removals: number[] = [];
  const changes: Change[] = [];
  const events: JobEvent[] = [];
  for (const { named, stored, current } of entries) {
    if (current === stored) continue;
    // A settled one-off that nobody replaced is deleted lazily, with the others.
    if (current === null && isSettled(stored!.id, stored!.version)) continue;
    if (stored !== null && stored.id !== current?.id) {
      removals.push(stored.id);
      changes.push({ op: 'remove', id: stored.id });
    }
    if (current !== null) {
      upserts.push({ hash: named.hash, row: current });
      changes.push({ op: 'upsert', row: current });
    }
    if (heard) noteEvents(events, stored, current, isSettled);
  }
  return { upserts, removals, changes, events };
}

/** A job under a new id is another one. One that had settled was over already. */
function noteEvents(
  events: JobEvent[],
  stored: JobRow | null,
  current: JobRow | null,
  isSettled: BatchInput['isSettled'],
): void {
  if (current !== null && stored?.id === current.id) {
    events.push({ type: 'changed', row: current });
    return;
  }
  if (stored !== null && !isSettled(stored.id, stored.version))
    events.push({ type: 'cancelled', row: stored });
  if (current !== null) events.push({ type: 'scheduled', row: current });
}
