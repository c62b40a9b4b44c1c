import { parseWhole } from './amounts.ts';

/** What `scontrol show config` says that matters here; absent values are null or empty, never an error. */
export type ClusterConfig = {
  readonly clusterName: string;
  readonly controller: string;
  readonly port: string;
  readonly version: string;
  readonly maxArraySize: number | null;
  readonly maxJobCount: number | null;
  readonly minJobAgeSeconds: number | null;
  readonly hasAccounting: boolean;
  readonly privateData: readonly string[];
};

export function parseClusterConfig(text: string): ClusterConfig {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^([A-Za-z_]\w*(?:\[\d+\])?)\s*=\s?(.*)$/.exec(line);
    if (match && !values.has(match[1]!)) values.set(match[1]!, match[2]!.trim());
  }
  const get = (key: string) => values.get(key) ?? '';
  const list = get('PrivateData');
  return {
    clusterName: get('ClusterName'),
    controller: get('SlurmctldHost[0]').replace(/\(.*$/, ''),
    port: get('SlurmctldPort'),
    version: get('SLURM_VERSION'),
    maxArraySize: parseWhole(get('MaxArraySize')),
    maxJobCount: parseWhole(get('MaxJobCount')),
    minJobAgeSeconds: parseWhole(get('MinJobAge').split(' ')[0]),
    hasAccounting: get('AccountingStorageType').endsWith('slurmdbd'),
    privateData: list === '' || list === 'none' || list === '(null)' ? [] : list.split(','),
  };
}
