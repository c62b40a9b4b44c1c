import type { KubernetesConfig } from '../config.ts';

type Images = Pick<KubernetesConfig, 'defaultImage' | 'allowedImages'>;
type ImageChoice = { readonly image: string } | { readonly refusal: string };

/** The image of a job: the one that it names, if the agent's file allows it, else the default one. */
export function imageOf(asked: string | undefined, { defaultImage, allowedImages = [] }: Images): ImageChoice {
  if (asked === undefined)
    return defaultImage === undefined
      ? { refusal: 'image: the job names none, and this cluster has no default one' }
      : { image: defaultImage };
  if (!/^[A-Za-z0-9][A-Za-z0-9._:/@-]*$/.test(asked))
    return { refusal: `image: '${asked}' is not the name of an image` };
  if (asked === defaultImage || allowedImages.some((pattern) => matches(pattern, asked))) return { image: asked };
  const allowed = allowedImages.length > 0 ? allowedImages : defaultImage === undefined ? [] : [defaultImage];
  const known = allowed.length === 0 ? 'none' : allowed.slice(0, 5).join(', ') + (allowed.length > 5 ? ', …' : '');
  return { refusal: `image: '${asked}' is not allowed on this cluster, whose agent allows ${known}` };
}

/**
 * `*` stands for any characters. Before the first slash it does not stand for a slash, so that `registry.example*` and `python:*`
 * cannot become the host of another registry; `*` alone allows everything.
 */
function matches(pattern: string, image: string): boolean {
  if (pattern === '*') return true;
  const slash = pattern.indexOf('/');
  const host = slash < 0 ? pattern : pattern.slice(0, slash);
  const rest = slash < 0 ? '' : pattern.slice(slash);
  const source = [wildcards(host, '[^/]*'), wildcards(rest, '.*')].join('');
  return new RegExp(`^${source}$`).test(image);
}

function wildcards(text: string, any: string): string {
  return text
    .split('*')
    .map((part) => part.replaceAll(/[.\\+?^${}()|[\]/]/g, '\\$&'))
    .join(any);
}
