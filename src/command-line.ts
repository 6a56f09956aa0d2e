import type { Timers } from './clock.ts';
import { helpText } from './config/describe.ts';
import { type Config, ConfigError, type ConfigSources, loadConfig } from './config.ts';
import { type PlainError, StartupError } from './errors.ts';
import type { RepairLife, Report } from './main-thread/repair.ts';

/** 0: done, or stopped with all settled or listed. */
const DONE = 0;
/** 1: a fault while running, or an import that refused jobs. */
const FAULT = 1;
/** 2: a wrong setting, or a start that was refused. */
const REFUSED = 2;
/** 3: a stop that could not settle or list all in time; some messages may come twice. */
const STOPPED_LATE = 3;

/** What the service gets beyond its own time to stop before it is given up, ms; Docker kills after 10 s. */
const GRACE = 1_000;

/** The running server, as far as the command line has to do with it. */
export type Service = {
  start(): Promise<void>;
  /** Resolves when the service cannot go on. `startup`: the message is for the operator, and nothing has run. */
  readonly failed: Promise<{ readonly error: PlainError; readonly startup: boolean }>;
  /** Resolves to whether all was settled or listed in time. */
  close(): Promise<boolean>;
};

export type CommandLine = ConfigSources & {
  readonly version: string;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  /** Calls the listener at each SIGTERM and SIGINT from now on. */
  readonly onSignal: (listener: () => void) => void;
  readonly timers: Timers;
  /** Loaded only when they are needed, so that `-h` answers at once. */
  readonly createService: (config: Config) => Promise<Service>;
  readonly createTables: (config: Config) => Promise<void>;
  /** Copies the original's table. */
  readonly importTable: (config: Config, original: string, life: RepairLife) => Promise<Report>;
  /** @param time RFC 3339 */
  readonly resetWatermark: (config: Config, time: string, life: RepairLife) => Promise<Report>;
  readonly renewTag: (config: Config, life: RepairLife) => Promise<Report>;
};

/** Does what the flags ask for. Resolves to the exit code when the process is to end. */
export async function runCommandLine(commandLine: CommandLine): Promise<number> {
  const { stdout, stderr } = commandLine;
  const tell = (lines: readonly string[]) => stderr(lines.map((line) => `dalga: ${line}\n`).join(''));
  try {
    const { action, config, warnings, argument } = loadConfig(commandLine);
    tell(warnings.map((warning) => `warning: ${warning}`));
    switch (action) {
      case 'help':
        stdout(helpText(commandLine.version));
        return DONE;
      case 'version':
        stdout(`dalga ${commandLine.version}\n`);
        return DONE;
      case 'create-table':
        await commandLine.createTables(config);
        stdout(`dalga: table ${config.mysql.table} is ready in database ${config.mysql.database}\n`);
        return DONE;
      case 'import-table':
        return await work(commandLine, tell, 'ended before all was taken; what was taken stays', (life) =>
          commandLine.importTable(config, argument!, life),
        );
      case 'reset-watermark':
        return await work(commandLine, tell, 'ended before the watermark was set', (life) =>
          commandLine.resetWatermark(config, argument!, life),
        );
      case 'new-tag':
        return await work(commandLine, tell, 'ended before the tag was made', (life) =>
          commandLine.renewTag(config, life),
        );
      case 'serve':
        return await serve(config, commandLine, tell);
    }
  } catch (error) {
    if (error instanceof ConfigError) {
      tell([...error.warnings.map((warning) => `warning: ${warning}`), ...error.errors, 'see dalga -h']);
      return error.exitCode;
    }
    if (error instanceof StartupError) {
      tell([error.message]);
      return error.exitCode;
    }
    tell([`unexpected fault: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`]);
    return FAULT;
  }
}

/**
 * The life of a work on the table. The first signal ends it after the batch that runs, and so that nobody has to
 * wait for its lease; a second one ends it at once.
 */
async function work(
  { onSignal, stdout }: CommandLine,
  tell: (lines: readonly string[]) => void,
  ended: string,
  begin: (life: RepairLife) => Promise<Report>,
): Promise<number> {
  const abort = new AbortController();
  const [signalledAgain, signalAgain] = milestone<number>();
  onSignal(() => {
    if (abort.signal.aborted) {
      tell(['ended at once, by a second signal: run it again']);
      signalAgain(FAULT);
    }
    abort.abort(new StartupError(`${ended}: run it again`));
  });
  const live = async () => {
    const { lines, complete } = await begin({ signal: abort.signal, tell: (line) => tell([line]) });
    stdout(lines.map((line) => `dalga: ${line}\n`).join(''));
    return complete ? DONE : FAULT;
  };
  return Promise.race([live(), signalledAgain]);
}

/**
 * The service's life: starting, serving, stopping. The first signal begins the clean stop, from starting as well
 * as from serving; a second one ends it at once. A service that failed is not closed: what its threads last agreed
 * on is not known, and the next start finds its way as after a crash.
 */
async function serve(
  config: Config,
  { createService, onSignal, timers }: CommandLine,
  tell: (lines: readonly string[]) => void,
): Promise<number> {
  const [signalled, signal] = milestone<'signalled'>();
  const [signalledAgain, signalAgain] = milestone<'again'>();
  let signals = 0;
  onSignal(() => {
    signals++;
    if (signals === 1) signal('signalled');
    if (signals !== 2) return;
    tell(['ended at once, by a second signal, before all was settled: some messages may come twice']);
    signalAgain('again');
  });

  const live = async (): Promise<number> => {
    const service = await createService(config);
    const ended = Promise.race([signalled, service.failed]);
    const end = await Promise.race([ended, service.start().then(() => ended)]);
    if (end !== 'signalled') {
      tell([end.startup ? end.error.message : `stopped by a fault: ${end.error.message}`]);
      return end.startup ? REFUSED : FAULT;
    }
    const [late, runOut] = milestone<false>();
    const timer = timers.set(() => runOut(false), config.stopTimeout + GRACE);
    const clean = await Promise.race([service.close(), late]);
    timers.clear(timer);
    return clean ? DONE : STOPPED_LATE;
  };
  return Promise.race([live(), signalledAgain.then(() => FAULT)]);
}

/** A promise and what resolves it. */
function milestone<T>(): [Promise<T>, (value: T) => void] {
  let reach: (value: T) => void = () => {};
  const reached = new Promise<T>((resolve) => {
    reach = resolve;
  });
  return [reached, reach];
}
