// All types of Grafana that the tests validate dashboards against, in one interface, so that one run generates their schemas.
import type { Dashboard as dashboard } from '../node_modules/@grafana/schema/dist/types/raw/dashboard/x/types.gen';
import type * as bargauge from '../node_modules/@grafana/schema/dist/types/raw/composable/bargauge/panelcfg/x/types.gen';
import type * as stat from '../node_modules/@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/types.gen';
import type * as statetimeline from '../node_modules/@grafana/schema/dist/types/raw/composable/statetimeline/panelcfg/x/types.gen';
import type * as table from '../node_modules/@grafana/schema/dist/types/raw/composable/table/panelcfg/x/types.gen';
import type * as timeseries from '../node_modules/@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/types.gen';

export interface Schema {
  dashboard: dashboard;
  options: {
    bargauge: bargauge.Options;
    stat: stat.Options;
    'state-timeline': statetimeline.Options;
    table: table.Options;
    timeseries: timeseries.Options;
  };
  fields: {
    'state-timeline': statetimeline.FieldConfig;
    table: table.FieldConfig;
    timeseries: timeseries.FieldConfig;
  };
}
