import { monotonicNow } from '../clock.ts';
import { Outcome } from '../protocol/scheduler-publisher.ts';
import { isRefusal } from './exchange-check.ts';
import type { PublishChannel, Written } from './publish-channel.ts';

/** How long the broker may take to look at what is sent again, and then to confirm it, ms. */
const LOOK_DEADLINE = 10_000;
const CONFIRM_DEADLINE = 10_000;

export type Isolation = {
  /** A fresh channel; null when there is no connection. */
  readonly open: () => Promise<PublishChannel | null>;
  /**
   * Monotonic ms. The trust of the batch that came last, whichever these are of: they were written in time, and a trial
   * that is broken off would begin anew with the next message of the culprit, for ever if it takes longer than the trust.
   */
  readonly trustedUntil: () => number;
  /** Messages of its job are known to close channels. */
  readonly isCulprit: (written: Written) => boolean;
  /** The broker has looked at the message: whether it closes the channel for it. */
  readonly onJudged: (written: Written, guilty: boolean) => void;
};

/**
 * Finds the message that closes channels: sends what was unconfirmed again in halves, each on a fresh channel, until
 * the culprit is alone. It is nacked and the others have their own outcomes. Some of them can come twice, as after any
 * loss of a channel. What cannot be judged, since the connection or the trust in the lease is over, is lost.
 */
export async function isolate(suspects: readonly Written[], isolation: Isolation): Promise<void> {
  if (suspects.length === 0) return;
  if (suspects.length > 1) {
    const middle = suspects.length >> 1;
    await isolateHalf(suspects.slice(0, middle), isolation);
    await isolateHalf(suspects.slice(middle), isolation);
    return;
  }
  for (const culprit of await sendAgain(suspects, isolation)) {
    culprit.run.settle(culprit.position, Outcome.nacked);
    isolation.onJudged(culprit, true);
  }
}

async function isolateHalf(all: readonly Written[], isolation: Isolation): Promise<void> {
  // A job that was convicted meanwhile may have further messages here: each would close a channel more.
  const half = all.filter((written) => !isolation.isCulprit(written));
  for (const { run, position } of all.filter(isolation.isCulprit)) run.settle(position, Outcome.nacked);
  // Alone, it is judged by its own attempt.
  if (half.length <= 1) await isolate(half, isolation);
  else await isolate(await sendAgain(half, isolation), isolation);
}

/** Resolves with what was unconfirmed when the broker closed the channel; all else has its outcome, or will have. */
async function sendAgain(again: readonly Written[], isolation: Isolation): Promise<readonly Written[]> {
  const channel = await isolation.open();
  if (channel === null) {
    lose(again);
    return [];
  }
  const sent: Written[] = [];
  let next = 0;
  while (next < again.length && (await channel.turn(monotonicNow() + LOOK_DEADLINE))) {
    for (let room = true; room && next < again.length; next++) {
      const { run, position } = again[next]!;
      const now = monotonicNow();
      if (now > isolation.trustedUntil()) {
        run.settle(position, Outcome.lost);
      } else {
        sent.push(again[next]!);
        room = channel.publish(run, position, now);
      }
    }
    channel.flush();
  }
  if (next === again.length && (await channel.passed(LOOK_DEADLINE))) {
    for (const written of sent) isolation.onJudged(written, false);
    void awaitConfirms(channel);
    return [];
  }
  channel.close();
  const { error, unconfirmed } = await channel.ended;
  // What follows the culprit may not have been written at all, and is as much a suspect as what was.
  const rest = [...unconfirmed, ...again.slice(next)];
  if (error !== null && !isRefusal(error)) return rest;
  lose(rest);
  return [];
}

/** The confirms of what the broker has let pass may take their time, and hold up nobody. */
async function awaitConfirms(channel: PublishChannel): Promise<void> {
  const timer = setTimeout(() => channel.close(), CONFIRM_DEADLINE);
  await channel.emptied();
  clearTimeout(timer);
  channel.close();
  lose((await channel.ended).unconfirmed);
}

function lose(messages: readonly Written[]): void {
  for (const { run, position } of messages) run.settle(position, Outcome.lost);
}
