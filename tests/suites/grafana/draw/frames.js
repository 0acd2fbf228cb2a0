// Prometheus's answers as Grafana's data frames: as its Prometheus data source makes them.
import { FieldType, toDataFrame } from '@grafana/data';

export function framesOf(panel, answers) {
  return panel.targets.flatMap((target) => {
    const series = answers[`${panel.id}/${target.refId}`] ?? [];
    return target.format === 'table' ? table(target, series, panel.targets.length > 1) : series.map((one) => line(target, one));
  });
}

function line(target, { metric, values, value, step }) {
  const points = values ?? [value];
  return toDataFrame({
    refId: target.refId,
    name: named(target, metric),
    fields: [
      { name: 'Time', type: FieldType.time, values: points.map(([at]) => at * 1000), config: step ? { interval: step * 1000 } : {} },
      {
        name: 'Value',
        type: FieldType.number,
        labels: metric,
        values: points.map(([, text]) => Number(text)),
        config: { displayNameFromDS: named(target, metric) },
      },
    ],
  });
}

function named(target, metric) {
  const labels = Object.entries(metric).map(([name, value]) => `${name}="${value}"`);
  return target.legendFormat === '__auto'
    ? labels.join(', ') || target.refId
    : target.legendFormat.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, name) => metric[name] ?? '');
}

function table(target, series, ofSeveral) {
  if (series.length === 0) {
    return [];
  }
  const labels = [...new Set(series.flatMap(({ metric }) => Object.keys(metric)))].sort();
  return [
    toDataFrame({
      refId: target.refId,
      fields: [
        { name: 'Time', type: FieldType.time, values: series.map(({ value }) => value[0] * 1000) },
        ...labels.map((name) => ({ name, type: FieldType.string, values: series.map(({ metric }) => metric[name] ?? '') })),
        {
          name: ofSeveral ? `Value #${target.refId}` : 'Value',
          type: FieldType.number,
          values: series.map(({ value }) => Number(value[1])),
        },
      ],
    }),
  ];
}
