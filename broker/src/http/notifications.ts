/** One line of the database's channel, as db/ sends it; `t` says what changed, `*` that something may have been missed. */
export type Notification = { readonly t: string; readonly c?: string; readonly id?: string };

export type Watch = {
  /** Resolves when something matching came since the last call, or after the time. */
  changed(timeoutMs: number): Promise<void>;
  close(): void;
};

export type Notifications = {
  publish(notification: Notification): void;
  watch(matches: (notification: Notification) => boolean): Watch;
};

/**
 * Fans the one LISTEN connection out to everybody who waits. A watch remembers what came while its owner was reading, so that
 * "read, then wait" never misses a change.
 */
export function createNotifications(): Notifications {
  const listeners = new Set<(notification: Notification) => void>();
  return {
    publish: (notification) => {
      for (const listener of listeners) listener(notification);
    },
    watch: (matches) => {
      let pending = false;
      let wake: (() => void) | null = null;
      const listener = (notification: Notification) => {
        if (notification.t !== '*' && !matches(notification)) return;
        pending = true;
        wake?.();
      };
      listeners.add(listener);
      return {
        changed: async (timeoutMs) => {
          if (!pending) await new Promise<void>((resolve) => sleepUntil(timeoutMs, (now) => (wake = now), resolve));
          wake = null;
          pending = false;
        },
        close: () => {
          listeners.delete(listener);
          wake?.();
        },
      };
    },
  };
}

function sleepUntil(timeoutMs: number, expose: (wake: () => void) => void, resolve: () => void): void {
  const timer = setTimeout(resolve, timeoutMs);
  expose(() => {
    clearTimeout(timer);
    resolve();
  });
}
