import type { Answer, Question } from '../protocol/questions.ts';
import { unreachable } from '../protocol/typed-port.ts';
import type { Occurrences } from './occurrences.ts';

/** Answers a question of main's from what is in memory; it changes nothing. */
export function answer(question: Question, { queue, arena }: Occurrences): Answer {
  switch (question.about) {
    case 'next': {
      const first = queue.first(question.limit);
      return {
        about: 'next',
        ids: Float64Array.from(first, ({ slot }) => arena.id.get(slot)),
        times: Float64Array.from(first, ({ time }) => time),
      };
    }
    default:
      return unreachable(question.about);
  }
}
