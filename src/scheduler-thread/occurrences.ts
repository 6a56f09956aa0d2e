import type { SettledJob } from '../job/job.ts';
import { decideByRules, decideTurn, longestWait, type MisfireLimits, type Turn } from '../job/misfire.ts';
import { Event, type EventCode } from '../protocol/history.ts';
import { Outcome, type OutcomeCode } from '../protocol/scheduler-publisher.ts';
import type { Turns } from './catch-up.ts';
import type { EventNotes } from './event-notes.ts';
import { FlightState, Flights, WaitsIn } from './flights.ts';
import { History } from './history.ts';
import { JobArena } from './job-arena.ts';
import { PriorityQueue } from './priority-queue.ts';
import { RecentRuns } from './recent-runs.ts';
import {
  noteConfirmed,
  noteFailed,
  noteSent,
  noteUnsent,
  type RouteState,
  type WaitingList,
} from './routes.ts';

/** By outcome. */
export const EVENT_OF: Readonly<Record<OutcomeCode, EventCode>> = {
  [Outcome.pending]: Event.published,
  [Outcome.confirmed]: Event.published,
  [Outcome.returned]: Event.returned,
  [Outcome.nacked]: Event.nacked,
  [Outcome.lost]: Event.lost,
  [Outcome.unsent]: Event.unsent,
  [Outcome.rerouted]: Event.rerouted,
};

/** Whether the broker has taken the message, for a queue or not. */
export function isTaken(outcome: OutcomeCode): boolean {
  return outcome === Outcome.confirmed || outcome === Outcome.returned || outcome === Outcome.rerouted;
}

/** Void flights in a route's list from which on it is swept, when they are the greater part. */
const SWEEP_AFTER = 64;

/**
 * The occurrences of all jobs: those to come (a job's next one, in the queue), those on their way (flights), and
 * what becomes of each. Every one that came due is counted once: due = confirmed + returned + superseded + skipped +
 * cancelled + unsettled.
 */
export class Occurrences {
  readonly arena: JobArena;
  readonly queue = new PriorityQueue();
  /**
   * Jobs that wait for DALGA_CATCHUP_RATE, by their first missed times. The times from then on are in `queue`: the first
   * that comes stands for what was missed, as ever.
   */
  readonly missed = new PriorityQueue();
  readonly flights = new Flights();
  readonly recent = new RecentRuns();
  readonly history = new History();
  readonly counts = {
    due: 0,
    dispatched: 0,
    confirmed: 0,
    returned: 0,
    rerouted: 0,
    nacked: 0,
    lost: 0,
    superseded: 0,
    skipped: 0,
    cancelled: 0,
    recovered: 0,
  };
  /** Of those that were skipped: what `misfire=all` would have run, and were too many. */
  cut = 0;
  /** Messages that a publisher has and has not told the end of, those that are void among them. */
  unconfirmed = 0;
  /** By slot: times that the job has run already, at or after its time in the queue. */
  readonly alreadyRun = new Map<number, Set<number>>();
  /** By slot: how many times from before the one it was armed from the job's first run after the start stands for, too. */
  readonly debts = new Map<number, number>();
  /** Those since they were last forgotten. */
  readonly turns: Turns = { earliestClock: Number.POSITIVE_INFINITY, highestTime: 0 };
  /** The highest that the clock said at a turn, Unix ms. */
  latestTurn = 0;
  /** What is told of runs; null while nobody listens. */
  events: EventNotes | null = null;
  readonly #random: () => number;
  readonly #misfireLimits: MisfireLimits;
  readonly #turn: Turn = { runs: true, time: 0, behind: 0, skipped: 0, next: 0 };
  /** Routes whose list is not empty. */
  readonly #waitingRoutes = new Set<number>();
  /** Flights that wait for the rate of catch-ups. */
  readonly #paced: WaitingList = { waitingFirst: -1, waitingLast: -1, waiting: 0, voids: 0 };
  #settledJobs: SettledJob[] = [];

  constructor(exchange: string, random: () => number, misfireLimits: MisfireLimits) {
    this.arena = new JobArena(exchange);
    this.#random = random;
    this.#misfireLimits = misfireLimits;
  }

  /** How many there are that a checkpoint must not forget: on their way, waiting, or counted by a run to come. */
  get unsettledCount(): number {
    return this.flights.sent + this.flights.waiting + this.debts.size;
  }

  /** Catch-up runs that wait for their rate. */
  get pacedCount(): number {
    return this.missed.size + this.#paced.waiting - this.#paced.voids;
  }

  /** The job's first time that was not taken, Unix ms; Infinity for none. */
  firstTimeOf(slot: number): number {
    return Math.min(this.queue.timeOf(slot), this.missed.timeOf(slot));
  }

  forgetTurns(): void {
    this.turns.earliestClock = Number.POSITIVE_INFINITY;
    this.turns.highestTime = 0;
  }

  /** How many occurrences have settled. */
  get settledCount(): number {
    const { confirmed, returned, superseded, skipped, cancelled } = this.counts;
    return confirmed + returned + superseded + skipped + cancelled;
  }

  get waitingRoutes(): ReadonlySet<number> {
    return this.#waitingRoutes;
  }

  /** Jobs that have settled for good since the last call. */
  takeSettledJobs(): SettledJob[] {
    const jobs = this.#settledJobs;
    this.#settledJobs = [];
    return jobs;
  }

  /**
   * The turn of a job whose next time has come: queues the one after, and makes a flight of the latest time that
   * is due, which supersedes all that the job has unsettled. A flight that waits becomes that one, in its place in
   * the route's list, so that a job has at most one there. What waits for the rate of catch-ups counts among what was
   * missed, whichever turn it is. @returns the new flight, or -1 when there is none
   *
   * @param kind whether the job's next time has come and was not missed, or it is the turn of what it has missed; a time
   *   that comes when it can be sent does not wait for the rate
   */
  takeTurn(slot: number, now: number, kind: 'next' | 'on time' | 'missed' = 'next'): number {
    const { arena, flights, counts } = this;
    const turn = this.#turn;
    const regular = this.queue.timeOf(slot);
    const misfire = arena.misfire(slot);
    const each = misfire?.policy === 'all';
    let first = this.missed.size > 0 ? this.firstTimeOf(slot) : regular;
    if (each) first = kind === 'missed' ? this.missed.timeOf(slot) : regular;
    if (now < this.turns.earliestClock) this.turns.earliestClock = now;
    if (first > this.turns.highestTime) this.turns.highestTime = first;
    if (now > this.latestTurn) this.latestTurn = now;
    if (misfire === null) decideTurn(turn, first, arena.interval.get(slot), now);
    else decideByRules(turn, first, misfire, now, this.#misfireLimits);
    if (each && kind === 'missed') {
      this.missed.set(slot, turn.next < regular ? turn.next : Number.POSITIVE_INFINITY);
    } else {
      if (this.missed.size > 0 && !each) this.missed.remove(slot);
      this.queue.set(slot, turn.next);
    }
    counts.due += turn.behind + turn.skipped + (turn.runs ? 1 : 0);
    counts.superseded += turn.behind;
    counts.skipped += turn.skipped;
    this.#tellSkipped(slot, first, turn.skipped, now);
    if (each) this.cut += turn.skipped;
    let waiting = -1;
    let covering = -1;
    let isParked = false;
    let unknown = 0;
    if (this.debts.size > 0) {
      unknown = this.debts.get(slot) ?? 0;
      this.debts.delete(slot);
    }
    for (let flight = arena.flight.get(slot); flight !== -1; ) {
      const next = flights.nextOfJob.get(flight);
      const state = flights.state.get(flight);
      if (turn.runs && flights.time.get(flight) === turn.time) {
        // A void one is with a publisher: it is owed again, and is not sent a second time beside it.
        if (state === FlightState.void) flights.setState(flight, FlightState.sent);
        else counts.due--;
        covering = flight;
        isParked = state === FlightState.waiting && flights.waitsIn.get(flight) === WaitsIn.turn;
      } else if (each) {
        // None stands for another.
      } else if (state === FlightState.waiting) {
        waiting = flight;
      } else if (state === FlightState.sent && turn.runs) {
        // Nobody knows yet whether it arrives: the later run stands for it, and for what it stood for.
        unknown += flights.behind.get(flight) + this.#notAmong(flight, first);
        this.#makeVoid(flight, slot);
        counts.superseded++;
        this.#note(Event.superseded, flight, slot, now);
      }
      flight = next;
    }
    if (!turn.runs) {
      // What waited is older still than what is dropped.
      if (waiting !== -1) this.#drop(waiting, slot, now);
      this.#settleIfOver(slot);
      return -1;
    }
    const hasRun = covering === -1 && this.#hasRun(slot, turn.time);
    if (hasRun) counts.due--;
    const once = misfire === null || misfire.policy === 'once';
    if (covering !== -1 && once) {
      const behind = Math.max(flights.behind.get(covering), turn.behind + unknown);
      flights.behind.set(covering, behind);
    }
    if (hasRun || covering !== -1) {
      if (waiting !== -1) this.#makeVoid(waiting, slot);
      if (waiting !== -1) counts.superseded++;
      if (covering === -1) this.#settleIfOver(slot);
      return isParked ? covering : -1;
    }
    if (waiting === -1) {
      if (each) this.#makeRoom(slot, now);
      return this.addFlight(slot, turn.time, once ? turn.behind + unknown : 0);
    }
    counts.superseded++;
    this.#note(Event.superseded, waiting, slot, now);
    // Where the later run does not stand for it, nobody else tells of it.
    if (!once) this.events?.skipped(slot, flights.time.get(waiting), 1, now);
    const stood = flights.behind.get(waiting) + this.#notAmong(waiting, first);
    const waitsIn = flights.waitsIn.get(waiting);
    if (waitsIn === WaitsIn.turn || (waitsIn === WaitsIn.rate && kind === 'on time')) {
      this.#makeVoid(waiting, slot);
      return this.addFlight(slot, turn.time, once ? stood + turn.behind + unknown : 0);
    }
    flights.behind.set(waiting, once ? stood + turn.behind + unknown : 0);
    flights.time.set(waiting, turn.time);
    return -1;
  }

  /**
   * The job's next time was missed: it waits for the rate of catch-ups with it, and for the first of its times after
   * `clock` (Unix ms) as ever.
   */
  putOff(slot: number, clock: number): void {
    const { arena, queue, missed, counts } = this;
    const misfire = arena.misfire(slot);
    let first = queue.timeOf(slot);
    if (misfire?.policy === 'all') {
      // What is too old, or too much, is dropped now: later its regular times are among what is counted.
      const turn = this.#turn;
      decideByRules(turn, first, misfire, clock, this.#misfireLimits);
      counts.due += turn.skipped;
      counts.skipped += turn.skipped;
      this.cut += turn.skipped;
      this.#tellSkipped(slot, first, turn.skipped, clock);
      first = turn.runs ? turn.time : Number.POSITIVE_INFINITY;
    }
    if (missed.timeOf(slot) === Number.POSITIVE_INFINITY) missed.set(slot, first);
    queue.set(slot, arena.firstAtOrAfter(slot, clock + 1));
    this.#settleIfOver(slot);
  }

  /** Nothing runs for so many times, of which `first` is the first. */
  #tellSkipped(slot: number, first: number, count: number, now: number): void {
    if (count === 0) return;
    this.history.note(Event.skipped, this.arena.id.get(slot), first, 0, now, count);
    this.events?.skipped(slot, first, count, now);
  }

  /** Whether a flight that waits is to wait for the rate of catch-ups before it is sent. @param now Unix ms */
  isCatchUp(flight: number, now: number): boolean {
    const { arena, flights } = this;
    const time = flights.time.get(flight);
    const slot = flights.slot.get(flight);
    if (arena.isMissed(slot, time, now, this.#misfireLimits.misfireAfter)) return true;
    // Of one that was sent at its time the outcome was bad: it was on time.
    return flights.behind.get(flight) > 0 && flights.sentAt.get(flight) < time;
  }

  #note(event: EventCode, flight: number, slot: number, now: number, count?: number): void {
    const { arena, flights, history } = this;
    const behind = count ?? flights.behind.get(flight);
    history.note(
      event,
      arena.id.get(slot),
      flights.time.get(flight),
      flights.sentAt.get(flight),
      now,
      behind,
    );
  }

  /** Whether it is too late for a flight that waited to be sent; then it is dropped. @param now Unix ms */
  dropIfOld(flight: number, now: number): boolean {
    const slot = this.flights.slot.get(flight);
    const misfire = this.arena.misfire(slot);
    if (misfire === null) return false;
    const time = this.flights.time.get(flight);
    const wait = longestWait(misfire, time, time + this.arena.gapAfter(slot, time), this.#misfireLimits);
    if (now - time <= wait) return false;
    this.#drop(flight, slot, now);
    this.#settleIfOver(slot);
    return true;
  }

  /** Nothing runs for a flight that waits. */
  #drop(flight: number, slot: number, now: number): void {
    this.#note(Event.skipped, flight, slot, now, 1);
    this.events?.skipped(slot, this.flights.time.get(flight), 1, now);
    this.#makeVoid(flight, slot);
    this.counts.skipped++;
  }

  /** Of a job whose every time runs so many wait at most: the oldest gives way. */
  #makeRoom(slot: number, now: number): void {
    const { arena, flights } = this;
    let waiting = 0;
    let oldest = -1;
    for (let flight = arena.flight.get(slot); flight !== -1; flight = flights.nextOfJob.get(flight)) {
      if (flights.state.get(flight) !== FlightState.waiting) continue;
      waiting++;
      if (oldest === -1 || flights.time.get(flight) < flights.time.get(oldest)) oldest = flight;
    }
    if (waiting < this.#misfireLimits.backlog) return;
    this.#drop(oldest, slot, now);
    this.cut++;
  }

  /**
   * 1, or 0 for a flight whose time the turn counts already: a change has planned the job anew from there, and owes it
   * still. It came due once.
   */
  #notAmong(flight: number, first: number): number {
    if (this.flights.time.get(flight) < first) return 1;
    this.counts.due--;
    this.counts.superseded--;
    return 0;
  }

  /** A flight that is neither sent nor in a route's list yet. */
  addFlight(slot: number, time: number, behind: number): number {
    const route = this.arena.route.get(slot);
    this.arena.routes.get(route).users++;
    const id = this.arena.id.get(slot);
    const flight = this.flights.add(slot, id, route, time, behind, this.arena.flight.get(slot));
    this.arena.flight.set(slot, flight);
    return flight;
  }

  /** A flight that is due cannot go now. */
  holdBack(flight: number, now: number): void {
    this.#note(Event.heldBack, flight, this.flights.slot.get(flight), now);
    this.hold(flight);
  }

  /** Puts a flight at the end of its route's list. */
  hold(flight: number): void {
    const index = this.flights.route.get(flight);
    this.flights.waitsIn.set(flight, WaitsIn.route);
    this.#append(this.arena.routes.get(index), flight);
    this.#waitingRoutes.add(index);
  }

  /** Puts a flight at the end of those that wait for the rate of catch-ups. */
  pace(flight: number): void {
    this.flights.waitsIn.set(flight, WaitsIn.rate);
    this.#append(this.#paced, flight);
  }

  /** A flight that is in no list waits for the next turn of its job. */
  park(flight: number): void {
    this.flights.waitsIn.set(flight, WaitsIn.turn);
  }

  /** Whether a run that waits is to be superseded by a turn of its job: it is due, or waits for the rate. */
  hasTurn(flight: number, now: number): boolean {
    const slot = this.flights.slot.get(flight);
    return this.firstTimeOf(slot) <= now && this.arena.misfire(slot)?.policy !== 'all';
  }

  #append(list: WaitingList, flight: number): void {
    this.flights.nextInList.set(flight, -1);
    if (list.waitingLast === -1) list.waitingFirst = flight;
    else this.flights.nextInList.set(list.waitingLast, flight);
    list.waitingLast = flight;
    list.waiting++;
  }

  /** The first of the flights that wait for the rate of catch-ups; -1 for none. */
  firstPaced(): number {
    const list = this.#paced;
    while (list.waitingFirst !== -1) {
      const flight = list.waitingFirst;
      if (this.flights.state.get(flight) === FlightState.waiting) return flight;
      this.#takeFirst(list);
      list.voids--;
      this.#free(flight);
    }
    return -1;
  }

  /** Takes it off their list. */
  takePaced(): void {
    this.flights.waitsIn.set(this.#paced.waitingFirst, WaitsIn.route);
    this.#takeFirst(this.#paced);
  }

  /** The flight at the head of a route's list, past those that are void; -1 when the list is empty. */
  firstWaiting(index: number): number {
    const route = this.arena.routes.get(index);
    while (route.waitingFirst !== -1) {
      const flight = route.waitingFirst;
      if (this.flights.state.get(flight) === FlightState.waiting) return flight;
      this.#unlist(index, route);
      route.voids--;
      this.#free(flight);
      if (!this.#waitingRoutes.has(index)) return -1;
    }
    return -1;
  }

  /** Takes the flight at the head of a route's list off it. */
  takeFromList(index: number): void {
    this.#unlist(index, this.arena.routes.get(index));
  }

  /** The route comes after the other waiting ones. */
  moveToEnd(index: number): void {
    if (this.#waitingRoutes.delete(index)) this.#waitingRoutes.add(index);
  }

  /** The flight goes to a publisher. @param now Unix ms */
  markSent(flight: number, now: number, monotonic: number): void {
    this.#moveToJobsRoute(flight);
    this.flights.sentAt.set(flight, now);
    this.flights.setState(flight, FlightState.sent);
    this.flights.waitsIn.set(flight, WaitsIn.route);
    this.unconfirmed++;
    this.counts.dispatched++;
    noteSent(this.arena.routes.get(this.flights.route.get(flight)), monotonic);
  }

  /** An outcome other than `pending` came for a flight that a publisher had. Times in ms. */
  settle(flight: number, outcome: OutcomeCode, now: number, monotonic: number): void {
    const { flights, counts } = this;
    const slot = flights.slot.get(flight);
    const route = this.arena.routes.get(flights.route.get(flight));
    route.unconfirmed--;
    this.unconfirmed--;
    const done = isTaken(outcome);
    if (done) {
      noteConfirmed(route, monotonic);
      if (slot !== -1) this.#noteRun(slot, flights.time.get(flight), now);
    } else {
      this.#countFailure(route, outcome, monotonic);
    }
    if (slot !== -1) this.#note(EVENT_OF[outcome], flight, slot, now);
    if (done && slot !== -1) this.events?.published(flight, slot, outcome, now);
    if (outcome === Outcome.rerouted) counts.rerouted++;
    if (flights.state.get(flight) === FlightState.void) {
      this.#unlinkFromJob(flight, slot);
      this.#free(flight);
    } else if (done) {
      counts[outcome === Outcome.confirmed ? 'confirmed' : 'returned']++;
      this.#unlinkFromJob(flight, slot);
      this.#free(flight);
      this.#settleIfOver(slot);
    } else {
      flights.setState(flight, FlightState.waiting);
      this.hold(flight);
    }
  }

  /** A job without a next time has ended when nothing of it is on its way. */
  #settleIfOver(slot: number): void {
    const { arena } = this;
    if (arena.neverEnds(slot)) return;
    if (this.firstTimeOf(slot) !== Number.POSITIVE_INFINITY || !arena.isEnabled(slot)) return;
    if (!arena.isSettled(slot) && !this.hasUnsettled(slot)) this.settleJob(slot);
  }

  /** The job has nothing left to run: its row is to be deleted. */
  settleJob(slot: number): void {
    this.arena.markSettled(slot);
    this.#settledJobs.push({ id: this.arena.id.get(slot), version: this.arena.version.get(slot) });
  }

  /** The job's row has changed: what is on its way and not owed any more is cancelled. */
  judgeFlights(slot: number): void {
    const { arena, flights } = this;
    for (let flight = arena.flight.get(slot); flight !== -1; ) {
      const next = flights.nextOfJob.get(flight);
      if (flights.state.get(flight) !== FlightState.void && !arena.owes(slot, flights.time.get(flight))) {
        this.#note(Event.cancelled, flight, slot, arena.since.get(slot));
        this.#makeVoid(flight, slot);
        this.counts.cancelled++;
      }
      flight = next;
    }
  }

  /** The job is planned anew: what it owes of earlier times is queued again, and what it does not owe counts for nothing. */
  forgetBehind(slot: number): void {
    const { arena, flights } = this;
    for (let flight = arena.flight.get(slot); flight !== -1; flight = flights.nextOfJob.get(flight)) {
      flights.behind.set(flight, 0);
    }
  }

  /** Whether something of the job is on its way; a void flight may still be with a publisher. */
  hasUnsettled(slot: number): boolean {
    const { arena, flights } = this;
    let flight = arena.flight.get(slot);
    while (flight !== -1 && flights.state.get(flight) === FlightState.void) {
      flight = flights.nextOfJob.get(flight);
    }
    return flight !== -1;
  }

  /** Forgets a job and cancels what it has on its way. */
  remove(slot: number): void {
    const { arena, flights } = this;
    this.queue.remove(slot);
    this.missed.remove(slot);
    this.alreadyRun.delete(slot);
    this.debts.delete(slot);
    for (let flight = arena.flight.get(slot); flight !== -1; ) {
      const next = flights.nextOfJob.get(flight);
      if (flights.state.get(flight) !== FlightState.void) {
        this.#makeVoid(flight, slot);
        this.counts.cancelled++;
      }
      flights.slot.set(flight, -1);
      flight = next;
    }
    arena.remove(slot);
  }

  /** A message of the job was confirmed. What is still to be taken, up to that time, must not run it again. */
  #noteRun(slot: number, time: number, now: number): void {
    this.recent.add(this.arena.id.get(slot), time, now);
    if (Math.min(this.queue.firstTime, this.missed.firstTime) > time || this.firstTimeOf(slot) > time) return;
    const times = this.alreadyRun.get(slot);
    if (times === undefined) this.alreadyRun.set(slot, new Set([time]));
    else times.add(time);
  }

  #hasRun(slot: number, time: number): boolean {
    if (this.alreadyRun.size === 0) return false;
    const times = this.alreadyRun.get(slot);
    if (times === undefined) return false;
    // Turns are taken in the order of their times.
    const taken = Math.min(time, this.missed.timeOf(slot));
    for (const earlier of times) if (earlier < taken) times.delete(earlier);
    if (times.size === 0) this.alreadyRun.delete(slot);
    return times.has(time);
  }

  #countFailure(route: RouteState, outcome: OutcomeCode, monotonic: number): void {
    if (outcome === Outcome.unsent) {
      noteUnsent(route, monotonic);
    } else {
      this.counts[outcome === Outcome.nacked ? 'nacked' : 'lost']++;
      noteFailed(route, monotonic, this.#random());
    }
  }

  /** A waiting flight leaves its job at once; a sent one stays until its outcome, so that its time is known. */
  #makeVoid(flight: number, slot: number): void {
    const waiting = this.flights.state.get(flight) === FlightState.waiting;
    this.flights.setState(flight, FlightState.void);
    if (!waiting) return;
    this.#unlinkFromJob(flight, slot);
    this.flights.slot.set(flight, -1);
    const waitsIn = this.flights.waitsIn.get(flight);
    if (waitsIn === WaitsIn.turn) {
      this.#free(flight);
      return;
    }
    const index = waitsIn === WaitsIn.rate ? null : this.flights.route.get(flight);
    const list = index === null ? this.#paced : this.arena.routes.get(index);
    list.voids++;
    // A list whose head cannot go must not gather void ones for ever.
    if (list.voids > SWEEP_AFTER && list.voids * 2 > list.waiting) this.#sweep(index, list);
  }

  /** Takes the void flights out of a list. @param index of its route; null for the list of catch-ups */
  #sweep(index: number | null, list: WaitingList): void {
    let flight = list.waitingFirst;
    list.waitingFirst = -1;
    list.waitingLast = -1;
    list.waiting = 0;
    list.voids = 0;
    if (index !== null) this.#waitingRoutes.delete(index);
    while (flight !== -1) {
      const next = this.flights.nextInList.get(flight);
      if (this.flights.state.get(flight) !== FlightState.waiting) this.#free(flight);
      else if (index === null) this.#append(list, flight);
      else this.hold(flight);
      flight = next;
    }
  }

  /** The job's routing may have changed while the flight waited: it is sent as the job is now. */
  #moveToJobsRoute(flight: number): void {
    const route = this.arena.route.get(this.flights.slot.get(flight));
    const before = this.flights.route.get(flight);
    if (route === before) return;
    this.arena.routes.get(route).users++;
    this.flights.route.set(flight, route);
    this.arena.routes.release(before);
  }

  #unlist(index: number, route: RouteState): void {
    this.#takeFirst(route);
    if (route.waitingFirst === -1) this.#waitingRoutes.delete(index);
  }

  #takeFirst(list: WaitingList): void {
    list.waitingFirst = this.flights.nextInList.get(list.waitingFirst);
    list.waiting--;
    if (list.waitingFirst === -1) list.waitingLast = -1;
  }

  #unlinkFromJob(flight: number, slot: number): void {
    if (slot === -1) return;
    const { arena, flights } = this;
    const next = flights.nextOfJob.get(flight);
    let at = arena.flight.get(slot);
    if (at === flight) {
      arena.flight.set(slot, next);
      return;
    }
    while (flights.nextOfJob.get(at) !== flight) at = flights.nextOfJob.get(at);
    flights.nextOfJob.set(at, next);
  }

  #free(flight: number): void {
    this.arena.routes.release(this.flights.route.get(flight));
    this.flights.free(flight);
  }
}
