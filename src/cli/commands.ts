import { cancel, get, pause, resume, schedule } from './commands/jobs.ts';
import { history, list, next, preview } from './commands/questions.ts';
import { backfill, backfills, run } from './commands/runs.ts';
import { events, forecast, status } from './commands/service.ts';
import { exportJobs, importJobs } from './commands/transfer.ts';
import type { Commands } from './help.ts';

/** All commands, as the help lists them. */
export const COMMANDS: Commands = {
  ...{ schedule, get, list, next, history, pause, resume, run, cancel },
  ...{ backfill, backfills, preview, import: importJobs, export: exportJobs },
  ...{ forecast, status, events },
};
