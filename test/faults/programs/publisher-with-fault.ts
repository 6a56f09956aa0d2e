import { onFault } from './on-fault.ts';

/** A publisher thread, which a fault can end. */
onFault('publisher');

export { default } from '../../../src/publisher-thread/thread.ts';
