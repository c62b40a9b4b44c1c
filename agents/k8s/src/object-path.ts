/** Where the objects of a kind in a namespace are asked for, or one of them by its name. */
export function objectPath(api: string, namespace: string, kind: string, name?: string): string {
  const object = name === undefined ? '' : `/${encodeURIComponent(name)}`;
  return `${api}/namespaces/${encodeURIComponent(namespace)}/${kind}${object}`;
}

export function jobsPath(namespace: string, name?: string): string {
  return objectPath('/apis/batch/v1', namespace, 'jobs', name);
}

export function podsPath(namespace: string, name?: string): string {
  return objectPath('/api/v1', namespace, 'pods', name);
}
