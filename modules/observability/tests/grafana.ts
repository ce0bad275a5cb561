// What a dashboard of this module is, said with the types that Grafana generates from its schemas. dashboards_test.py puts dashboards behind it as
// literals of `Of<…>`: the compiler then refuses what the types lack, as well as what is of another type.

import type { Options } from "@grafana/grafana-foundation-sdk/timeseries";
import type { Dataquery } from "@grafana/grafana-foundation-sdk/prometheus";
import type { MetricsQuery } from "@grafana/grafana-foundation-sdk/cloudwatch";
import type { Dashboard, Panel } from "@grafana/grafana-foundation-sdk/dashboard";

// As JSON has it: enums are their values, and there are no functions.
type Plain<T> = 0 extends 1 & T
  ? any
  : T extends string
    ? `${T}`
    : T extends number
      ? `${T}` extends `${infer N extends number}`
        ? N
        : number
      : T extends boolean | null | undefined
        ? T
        : T extends (infer E)[]
          ? Plain<E>[]
          : { [K in keyof T as T[K] extends (...of: any[]) => any ? never : K]: Plain<T[K]> };

type OurPanel<Query> = Omit<Plain<Panel>, "options" | "targets" | "type"> & { type: "timeseries"; options: Plain<Options>; targets: Plain<Query>[] };

type Of<Panels> = Omit<Plain<Dashboard>, "panels"> & { panels: Panels };
type PrometheusPanel = OurPanel<Dataquery>;
type CloudWatchPanel = OurPanel<MetricsQuery>;
