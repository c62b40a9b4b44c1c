/** A cluster whose agent has not been heard for so long is out of sight (design section 5). */
export const UNREACHABLE_AFTER_SECONDS = 30;
