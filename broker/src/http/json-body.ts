import { SwitchyardError } from '../errors.ts';

/** No document of ours nests deeper than six levels; the bound keeps every later recursion harmless. */
const MAX_DEPTH = 32;

/** Parses a JSON body, or says where it breaks; refuses depth beyond the bound and text that is not Unicode. */
export function parseJsonBody(text: string): unknown {
  if (text.trim() === '')
    throw new SwitchyardError('invalid_request', 'The body is empty.', { hint: 'Send a JSON object.' });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SwitchyardError('invalid_request', `The body is not valid JSON: ${(error as Error).message}`, {
      hint: 'Check quotes, commas and brackets near the place named.',
    });
  }
  checkTree(value);
  return value;
}

/** Breadth first and without recursion, so that no input can exhaust the stack. */
function checkTree(root: unknown): void {
  let level: unknown[] = [root];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH)
      throw new SwitchyardError('invalid_request', `The body nests deeper than ${MAX_DEPTH} levels.`);
    const next: unknown[] = [];
    for (const value of level) {
      if (typeof value === 'string') checkText(value);
      else if (Array.isArray(value)) for (const each of value) next.push(each);
      else if (typeof value === 'object' && value !== null)
        for (const [key, each] of Object.entries(value)) {
          checkText(key);
          next.push(each);
        }
    }
    level = next;
  }
}

/** A lone surrogate has no UTF-8 form: it could be neither stored nor hashed (RFC 8785, 3.2.2.2). */
function checkText(text: string): void {
  if (!text.isWellFormed())
    throw new SwitchyardError(
      'invalid_request',
      `The body contains text that is not valid Unicode: ${JSON.stringify(text.slice(0, 40))}.`,
    );
}
