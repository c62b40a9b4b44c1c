import {
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  type OpenMetricsContentType,
  openMetricsContentType,
  Registry,
} from 'prom-client';

export type Metrics = {
  readonly contentType: string;
  /** Everything in OpenMetrics text. */
  render(): Promise<string>;
  request(route: string, method: string, status: number, seconds: number): void;
  flush(jobs: number, seconds: number): void;
  accepted(seconds: number): void;
  placementCycle(seconds: number, placed: number): void;
};

/** What is counted at the moment of a scrape. */
export type Gauges = {
  jobsByState: () => Promise<Readonly<Record<string, number>>>;
  clusters: () => Promise<readonly { name: string; connected: boolean; reportAgeSeconds: number | null }[]>;
  acceptsWaiting: () => number;
  openStreams: () => number;
};

/** The metrics of this process. No group and no user appears in them: /metrics is open to whoever can reach it (I5). */
export function createMetrics(gauges: Gauges): Metrics {
  const registry = new Registry<OpenMetricsContentType>();
  registry.setContentType(openMetricsContentType);
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const requests = new Histogram({
    name: 'switchyard_http_request_seconds',
    help: 'Time from request to reply.',
    labelNames: ['route', 'method', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5],
    registers,
  });
  const accepts = new Histogram({
    name: 'switchyard_accept_seconds',
    help: 'Time from a job request to its durable acceptance.',
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.1, 0.5, 2],
    registers,
  });
  const flushJobs = new Histogram({
    name: 'switchyard_accept_flush_jobs',
    help: 'Jobs stored in one transaction.',
    buckets: [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000],
    registers,
  });
  const flushSeconds = new Histogram({
    name: 'switchyard_accept_flush_seconds',
    help: 'Duration of one accepting transaction.',
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.1, 0.5, 2],
    registers,
  });
  const cycles = new Histogram({
    name: 'switchyard_placement_cycle_seconds',
    help: 'Duration of one placement cycle: snapshot, plan and commit.',
    buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 5],
    registers,
  });
  const placed = new Counter({ name: 'switchyard_placements', help: 'Runs offered to clusters.', registers });
  observedGauges(registry, gauges);

  return {
    contentType: registry.contentType,
    render: () => registry.metrics(),
    request: (route, method, status, seconds) => requests.observe({ route, method, status }, seconds),
    accepted: (seconds) => accepts.observe(seconds),
    flush: (jobs, seconds) => {
      flushJobs.observe(jobs);
      flushSeconds.observe(seconds);
    },
    placementCycle: (seconds, runs) => {
      cycles.observe(seconds);
      placed.inc(runs);
    },
  };
}

function observedGauges(registry: Registry<OpenMetricsContentType>, gauges: Gauges): void {
  const registers = [registry];
  new Gauge({
    name: 'switchyard_jobs',
    help: 'Jobs by state.',
    labelNames: ['state'],
    registers,
    async collect() {
      this.reset();
      for (const [state, count] of Object.entries(await gauges.jobsByState())) this.set({ state }, count);
    },
  });
  const age = new Gauge({
    name: 'switchyard_cluster_report_age_seconds',
    help: 'Age of the latest capacity report.',
    labelNames: ['cluster'],
    registers,
  });
  new Gauge({
    name: 'switchyard_cluster_connected',
    help: '1 when the agent of the cluster has a live session.',
    labelNames: ['cluster'],
    registers,
    async collect() {
      this.reset();
      age.reset();
      for (const { name, connected, reportAgeSeconds } of await gauges.clusters()) {
        this.set({ cluster: name }, connected ? 1 : 0);
        if (reportAgeSeconds !== null) age.set({ cluster: name }, reportAgeSeconds);
      }
    },
  });
  new Gauge({
    name: 'switchyard_accept_waiting_jobs',
    help: 'Jobs received and not yet stored.',
    registers,
    collect() {
      this.set(gauges.acceptsWaiting());
    },
  });
  new Gauge({
    name: 'switchyard_open_streams',
    help: 'Open event and log streams.',
    registers,
    collect() {
      this.set(gauges.openStreams());
    },
  });
}
