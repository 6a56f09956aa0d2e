import type { Clock, Timers } from '../clock.ts';
import type { JobHistory } from '../protocol/history.ts';
import type { Answer, Question } from '../protocol/questions.ts';
import { unreachable } from '../protocol/typed-port.ts';
import { FlightState, WaitsIn } from './flights.ts';
import { forecast } from './forecast.ts';
import type { LatenessWindow } from './lateness-window.ts';
import type { Occurrences } from './occurrences.ts';

/** Outcomes of one job that are told. */
const MOST_ENTRIES = 100;

/** What answers are made of. */
export type Knowledge = {
  readonly occurrences: Occurrences;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly lateness: LatenessWindow;
  readonly loading: boolean;
  /** Publisher threads that are connected. */
  readonly connections: number;
  readonly isUsable: (exchange: string) => boolean;
};

/** Answers a question of main's from what is in memory; it changes nothing. */
export function answer(question: Question, knowledge: Knowledge): Answer | Promise<Answer> {
  const { occurrences, clock, timers, lateness } = knowledge;
  const { queue, arena } = occurrences;
  switch (question.about) {
    case 'next': {
      const first = queue.first(question.limit);
      return {
        about: 'next',
        ids: Float64Array.from(first, ({ slot }) => arena.id.get(slot)),
        times: Float64Array.from(first, ({ time }) => time),
      };
    }
    case 'count':
      return { about: 'count', jobs: arena.size };
    case 'history':
      return { about: 'history', history: historyOf(question.id, knowledge) };
    case 'forecast': {
      const pause = () => new Promise<void>((resolve) => timers.set(resolve, 0));
      const monotonic = () => clock.monotonic();
      return forecast(question.range, { arena, monotonic, pause }).then((result) => ({
        about: 'forecast',
        forecast: result,
      }));
    }
    case 'lateness':
      return { about: 'lateness', summary: lateness.read(clock.monotonic()) };
    default:
      return unreachable(question);
  }
}

function historyOf(id: number, { occurrences, loading, connections, isUsable }: Knowledge): JobHistory {
  const { arena, queue, flights, history } = occurrences;
  const slot = arena.find(id);
  const entries = history.of(id).slice(0, MOST_ENTRIES);
  const known = slot !== -1;
  const route = known ? arena.routes.get(arena.route.get(slot)) : null;
  const next = known ? queue.timeOf(slot) : Number.POSITIVE_INFINITY;
  const missed = known ? occurrences.missed.timeOf(slot) : Number.POSITIVE_INFINITY;
  const open: { time: number; sent: boolean; paced: boolean }[] = [];
  for (
    let flight = known ? arena.flight.get(slot) : -1;
    flight !== -1;
    flight = flights.nextOfJob.get(flight)
  ) {
    const state = flights.state.get(flight);
    if (state === FlightState.void) continue;
    const sent = state === FlightState.sent;
    const paced = !sent && flights.waitsIn.get(flight) !== WaitsIn.route;
    open.push({ time: flights.time.get(flight), sent, paced });
  }
  return {
    ...{ known, loading, connections, entries, flights: open },
    next: next === Number.POSITIVE_INFINITY ? null : next,
    missed: missed === Number.POSITIVE_INFINITY ? null : missed,
    catchUpsWaiting: occurrences.pacedCount,
    exchange: route?.exchange ?? '',
    usable: route === null || isUsable(route.exchange),
    refused: route?.refused ?? false,
    failures: route?.failures ?? 0,
  };
}
