import type { JobSpecInput } from '@switchyard/core/spec/job-spec.ts';

/** What the tests read of a job; the whole is in the API's own document. */
export type JobView = {
  id: string;
  number: number;
  name: string;
  state: string;
  reason: string | null;
  detail: string | null;
  exitCode: number | null;
  signal: string | null;
  cluster: string | null;
  nativeId: string | null;
  nativeState: string | null;
  unreachable: boolean;
  waitReason: string | null;
  taskCount: number;
  tasks: {
    queued: string;
    out: string;
    succeeded: string;
    failed: string;
    cancelled: string;
    counts: Record<string, number>;
  };
  runs: {
    id: string;
    cluster: string;
    attempt: number;
    state: string;
    outcome: string | null;
    ends: { outcome: string; reason?: string; detail?: string }[];
    tasks: string;
    nativeId: string | null;
  }[];
  stdoutPath: string | null;
};

export type Answer<T> = { status: number; body: T; headers: Headers };

/** The REST interface as a script would use it: no retries, every answer as it came. */
export class Api {
  readonly #token: string;
  url: string;

  constructor(url: string, token: string) {
    this.url = url;
    this.#token = token;
  }

  async call<T = unknown>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(30_000),
    });
    const text = await response.text();
    return { status: response.status, body: parse(text) as T, headers: response.headers };
  }

  /** Submits and returns the job; throws unless it was acknowledged. */
  async submit(spec: JobSpecInput, headers: Record<string, string> = {}): Promise<JobView> {
    const answer = await this.call<JobView>('POST', '/v1/jobs', { spec }, headers);
    if (answer.status !== 201) throw new Error(`submit answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  async submitMany(jobs: JobSpecInput[]): Promise<{ id: string; number: number }[]> {
    const answer = await this.call<{ items: { id: string; number: number }[] }>('POST', '/v1/jobs/batch', { jobs });
    if (answer.status !== 201) throw new Error(`batch answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    return answer.body.items;
  }

  async job(id: string | number): Promise<JobView> {
    const answer = await this.call<JobView>('GET', `/v1/jobs/${id}`);
    if (answer.status !== 200) throw new Error(`job ${id} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** All jobs, page by page. */
  async jobs(query = ''): Promise<JobView[]> {
    const all: JobView[] = [];
    for (let cursor = ''; ; ) {
      const answer = await this.call<{ items: JobView[]; nextCursor: string | null }>(
        'GET',
        `/v1/jobs?limit=1000${query}${cursor}`,
      );
      if (answer.status !== 200) throw new Error(`list answered ${answer.status}: ${JSON.stringify(answer.body)}`);
      all.push(...answer.body.items);
      if (!answer.body.nextCursor) return all;
      cursor = `&cursor=${encodeURIComponent(answer.body.nextCursor)}`;
    }
  }
}

export const ENDED = new Set(['succeeded', 'failed', 'cancelled']);

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
