import { composeScheduler } from './compose.ts';

/** The scheduler thread. */
composeScheduler();
