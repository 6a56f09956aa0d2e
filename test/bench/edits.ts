import { Child } from './child.ts';

export type EditsOptions = {
  readonly url: string;
  readonly routingKey: string;
  /** How many jobs there are at the start. */
  readonly jobs: number;
  /** s */
  readonly interval: number;
  /** Changes a second. */
  readonly rate: number;
};

export type EditsRequest =
  | { readonly type: 'start'; readonly options: EditsOptions }
  | { readonly type: 'stop' };

export type EditsReport = {
  readonly changes: number;
  /** Changes a second. */
  readonly rate: number;
  /** From the time when the change was to be sent to its answer, ms. */
  readonly p50: number;
  readonly p99: number;
};

/** A client that goes on changing jobs, from a process of its own. */
export type Editor = {
  start(options: EditsOptions): Promise<void>;
  /** Resolves when all that was sent is answered. @throws when a change was refused */
  stop(): Promise<EditsReport>;
  close(): Promise<void>;
};

export function startEditor(): Editor {
  const child = new Child<EditsRequest, EditsReport | null>(new URL('./edits-process.js', import.meta.url));
  return {
    start: async (options) => void (await child.ask({ type: 'start', options })),
    stop: async () => (await child.ask({ type: 'stop' }))!,
    close: () => child.close(),
  };
}
