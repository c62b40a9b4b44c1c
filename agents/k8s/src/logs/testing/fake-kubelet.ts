import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** One message of a container runtime: `isPartial` when it does not end a line. */
export type Message = { readonly stamp: string; readonly text: string; readonly isPartial?: boolean };

export type FakeKubelet = {
  readonly url: string;
  readonly messages: Message[];
  /** What came: query strings. */
  readonly asked: URLSearchParams[];
  /** Bytes sent in all, timestamps too. */
  sentBytes(): number;
  add(...messages: readonly Message[]): void;
  /** The container exits: those that follow come to an end. */
  exit(): void;
  /** The node throws away the oldest messages. */
  rotate(count: number): void;
  /** Breaks every answer after so many bytes of the wire, so many times; `clean` looks like an end. */
  cutAfter(bytes: number, times: number, how?: 'broken' | 'clean'): void;
  /** Answers so many requests with this status. */
  refuse(status: number, times: number, message?: string): void;
  /** Written into the next answer after its messages: an error of the kubelet. */
  noise: string;
  close(): Promise<void>;
};

/** The log of one pod as API server and kubelet give it out (cri-client, pkg/logs): prefix, since, follow, to the byte. */
export async function startFakeKubelet(): Promise<FakeKubelet> {
  const messages: Message[] = [];
  const asked: URLSearchParams[] = [];
  const sockets = new Set<Socket>();
  const wakes = new Set<() => void>();
  let cut = { bytes: 0, times: 0, how: 'broken' };
  let refusal = { status: 0, times: 0, message: '' };
  let hasExited = false;
  let sent = 0;
  let thrownAway = 0;

  const answer = async (query: URLSearchParams, response: ServerResponse) => {
    response.setMaxListeners(0);
    const sinceMs = query.has('sinceTime') ? Math.floor(Date.parse(query.get('sinceTime')!) / 1000) * 1000 : -Infinity;
    const breaks = cut.times > 0 ? cut : null;
    if (breaks) cut = { ...cut, times: cut.times - 1 };
    let left = breaks?.bytes ?? Number.POSITIVE_INFINITY;
    let isNewLine = true;
    /** False: this answer is over. */
    const write = async (text: string): Promise<boolean> => {
      const bytes = Buffer.from(text, 'latin1').subarray(0, left);
      left -= bytes.length;
      sent += bytes.length;
      const isTaken = response.write(bytes);
      if (left <= 0) {
        if (breaks?.how === 'clean') response.end();
        else setTimeout(() => response.destroy(), 20);
        return false;
      }
      if (!isTaken) await new Promise<void>((go) => response.once('drain', go).once('close', go));
      return !response.destroyed;
    };
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.flushHeaders();
    for (let at = thrownAway; !response.destroyed; ) {
      let text = '';
      for (; at - thrownAway < messages.length && text.length < 20_000; at += 1) {
        const message = messages[at - thrownAway];
        if (!message) continue;
        const body = message.isPartial ? message.text : `${message.text}\n`;
        if (Date.parse(message.stamp) >= sinceMs) text += isNewLine ? `${message.stamp} ${body}` : body;
        isNewLine = body === '' || body.endsWith('\n');
      }
      if (text !== '') {
        if (!(await write(text))) return;
        continue;
      }
      if (query.get('follow') !== 'true' || hasExited) break;
      await new Promise<void>((wake) => {
        wakes.add(wake);
        response.once('close', wake);
      });
    }
    if (kubelet.noise !== '') response.write(kubelet.noise);
    kubelet.noise = '';
    response.end();
  };

  const server = createServer((request, response) => {
    const query = new URL(request.url!, 'http://x').searchParams;
    asked.push(query);
    if (refusal.times > 0) {
      refusal = { ...refusal, times: refusal.times - 1 };
      response.writeHead(refusal.status, { 'content-type': 'application/json' });
      return response.end(JSON.stringify({ kind: 'Status', message: refusal.message }));
    }
    answer(query, response);
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));

  const wakeAll = () => {
    for (const wake of wakes) wake();
    wakes.clear();
  };
  const kubelet: FakeKubelet = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    messages,
    asked,
    sentBytes: () => sent,
    add: (...more) => {
      for (const message of more) messages.push(message);
      wakeAll();
    },
    exit: () => {
      hasExited = true;
      wakeAll();
    },
    rotate: (count) => {
      messages.splice(0, count);
      thrownAway += count;
    },
    cutAfter: (bytes, times, how = 'broken') => {
      cut = { bytes, times, how };
    },
    refuse: (status, times, message = 'no') => {
      refusal = { status, times, message };
    },
    noise: '',
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        for (const socket of sockets) socket.destroy();
      }),
  };
  return kubelet;
}
