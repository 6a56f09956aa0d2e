import { monotonicNow } from '../clock.ts';
import { Outcome } from '../protocol/scheduler-publisher.ts';
import { isRefusal, METHOD_DEADLINE } from './exchange-check.ts';
import type { PublishChannel, Written } from './publish-channel.ts';

/** How long the broker may take to confirm what is sent again, ms. */
const CONFIRM_DEADLINE = 10_000;

export type Isolation = {
  /** A fresh channel; null when there is no connection. */
  readonly open: () => Promise<PublishChannel | null>;
  /** A message was tried alone: whether the broker closes the channel for it. */
  readonly onJudged: (written: Written, guilty: boolean) => void;
};

/**
 * Finds the message that closes channels: sends what was unconfirmed again in halves, each on a fresh channel and
 * confirmed before the next, until the culprit is alone. It is nacked and the others have their own outcomes.
 * Some of them can come twice, as after any loss of a channel.
 */
export async function isolate(suspects: readonly Written[], isolation: Isolation): Promise<void> {
  if (suspects.length === 0) return;
  if (suspects.length > 1) {
    const middle = suspects.length >> 1;
    await isolateHalf(suspects.slice(0, middle), isolation);
    await isolateHalf(suspects.slice(middle), isolation);
    return;
  }
  const [culprit] = await sendAgain(suspects, isolation);
  culprit?.run.settle(culprit.position, Outcome.nacked);
  isolation.onJudged(suspects[0]!, culprit !== undefined);
}

async function isolateHalf(half: readonly Written[], isolation: Isolation): Promise<void> {
  // Alone, it is judged by its own attempt.
  if (half.length === 1) await isolate(half, isolation);
  else await isolate(await sendAgain(half, isolation), isolation);
}

/** Resolves with what was unconfirmed when the broker closed the channel; all else has its outcome. */
async function sendAgain(again: readonly Written[], isolation: Isolation): Promise<readonly Written[]> {
  const channel = await isolation.open();
  if (channel === null) {
    lose(again);
    return [];
  }
  let next = 0;
  while (next < again.length && (await channel.turn(monotonicNow() + METHOD_DEADLINE))) {
    for (let room = true; room && next < again.length; next++) {
      const { run, position } = again[next]!;
      const now = monotonicNow();
      if (now > run.batch.trustedUntil) run.settle(position, Outcome.lost);
      else room = channel.publish(run, position, now);
    }
  }
  const timer = setTimeout(() => channel.close(), CONFIRM_DEADLINE);
  await channel.emptied();
  clearTimeout(timer);
  channel.close();
  const { error, unconfirmed } = await channel.ended;
  // What follows the culprit may not have been written at all, and is as much a suspect as what was.
  const rest = [...unconfirmed, ...again.slice(next)];
  if (error !== null && !isRefusal(error)) return rest;
  lose(rest);
  return [];
}

function lose(messages: readonly Written[]): void {
  for (const { run, position } of messages) run.settle(position, Outcome.lost);
}
