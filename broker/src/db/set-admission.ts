import type { Database } from './database.ts';

export type Admission = 'active' | 'cordoned' | 'draining';

/** Whether new work goes to a cluster; audited. Throws unknown_cluster. */
export function setAdmission(
  _db: Database,
  _change: { cluster: string; admission: Admission; actor: string; why?: string },
): Promise<void> {
  throw new Error('not yet');
}
