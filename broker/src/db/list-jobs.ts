import type { JobState } from '@switchyard/core/lifecycle/vocabulary.ts';
import { asPrincipal, type Viewer } from './as-principal.ts';
import type { Database } from './database.ts';
import { type JobSummary, newestRun, type SummaryRow, summaryColumns, summaryOf } from './job-summary.ts';

export type JobFilter = {
  readonly limit: number;
  /** Only jobs with a smaller number: the keyset. */
  readonly beforeNumber?: number;
  readonly states?: readonly JobState[];
  /** The group and all below it. */
  readonly group?: string;
  /** Jobs that have a run there. */
  readonly cluster?: string;
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly owner?: string;
};

/** A page of jobs, newest first. */
export function listJobs(db: Database, viewer: Viewer, filter: JobFilter): Promise<JobSummary[]> {
  return asPrincipal(db, viewer, async (client) => {
    const { text, values } = pageQuery(viewer, filter);
    const { rows } = await client.query<SummaryRow>(text, values);
    return rows.map(summaryOf);
  });
}

/**
 * The page is cut first, on jobs alone, and only its rows are joined with their runs. Where not every group is wanted, each wanted
 * group is read by its own index and the newest of all are taken: one walk over all numbers would pass a million foreign
 * jobs before it has found a page of a small group.
 */
function pageQuery(viewer: Viewer, filter: JobFilter): { text: string; values: unknown[] } {
  const values: unknown[] = [];
  const bind = (value: unknown) => `$${values.push(value)}`;
  const limit = bind(filter.limit);
  const conditions = conditionsOf(filter, bind);
  const page = (condition: string) =>
    `SELECT ${summaryColumns} FROM jobs j WHERE ${[...conditions, condition].join(' AND ')} ORDER BY j.number DESC LIMIT ${limit}`;
  const whole = viewer.seeAll && filter.group === undefined;
  const source = whole
    ? page('true')
    : `SELECT j.* FROM (${wantedGroups(viewer, filter, bind)}) AS g CROSS JOIN LATERAL (${page('j.group_path = g.path')}) AS j
       ORDER BY j.number DESC LIMIT ${limit}`;
  return { text: `SELECT j.*, run.* FROM (${source}) AS j ${newestRun} ORDER BY j.number DESC`, values };
}

function conditionsOf(filter: JobFilter, bind: (value: unknown) => string): string[] {
  const conditions: string[] = [];
  if (filter.beforeNumber !== undefined) conditions.push(`j.number < ${bind(filter.beforeNumber)}`);
  if (filter.states) conditions.push(`j.state = ANY(${bind(filter.states)}::text[])`);
  if (filter.name !== undefined) conditions.push(`j.name = ${bind(filter.name)}`);
  if (filter.owner !== undefined) conditions.push(`j.owner = ${bind(filter.owner)}`);
  if (filter.labels && Object.keys(filter.labels).length > 0)
    conditions.push(`j.labels <> '{}' AND j.labels @> ${bind(JSON.stringify(filter.labels))}::jsonb`);
  if (filter.cluster !== undefined)
    conditions.push(`EXISTS (SELECT FROM runs r WHERE r.job_id = j.id AND r.cluster = ${bind(filter.cluster)})`);
  return conditions;
}

/** Every group that has jobs, found by jumping from one to the next in jobs_by_group: a few look-ups, however many jobs there are. */
function wantedGroups(viewer: Viewer, filter: JobFilter, bind: (value: unknown) => string): string {
  const under = (group: string) => {
    const bound = bind(group);
    return `(path = ${bound} OR starts_with(path, ${bound} || '/'))`;
  };
  const wanted = filter.group === undefined ? 'true' : under(filter.group);
  const seen = viewer.seeAll ? 'true' : viewer.groups.map(under).join(' OR ') || 'false';
  return `WITH RECURSIVE groups AS (
      (SELECT group_path AS path FROM jobs ORDER BY group_path LIMIT 1)
      UNION ALL
      SELECT (SELECT j.group_path FROM jobs j WHERE j.group_path > groups.path ORDER BY j.group_path LIMIT 1) FROM groups WHERE path IS NOT NULL
    ) SELECT path FROM groups WHERE path IS NOT NULL AND ${wanted} AND (${seen})`;
}
